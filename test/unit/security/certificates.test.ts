import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CertificateFolder } from '../../../src/security/certificate-folder.ts';
import { certificatesOf, isSignedBy } from '../../../src/security/certificates.ts';

describe('the folder of certificates', function () {
  this.timeout(60_000);
  const now = Date.UTC(2030, 0, 1);
  let path: string;
  let folder: CertificateFolder;

  before(async () => {
    path = join(await mkdtemp(join(tmpdir(), 'gantry-certs-')), 'certs');
    folder = new CertificateFolder(path, { authority: 3650, server: 825 }, () => now);
    await folder.create({ external: ['manager.example.com', '10.0.0.5', '::1'], internal: ['internal'] });
  });

  after(() => rm(join(path, '..'), { recursive: true, force: true }));

  const read = (name: string): Promise<string> => readFile(join(path, name), 'utf8');

  it('has an authority and certificates that it signed, for the hosts that were named', async () => {
    const [authority, external, internal] = await folder.list();
    expect(authority).to.include({ name: 'ca', isAuthority: true });
    expect(external).to.include({ name: 'external', isAuthority: false, isOwn: true });
    expect(external?.hosts).to.deep.equal(['manager.example.com', '10.0.0.5', '0:0:0:0:0:0:0:1']);
    expect(internal?.hosts).to.deep.equal(['internal']);
    expect(external?.validTo.getTime()).to.equal(now + 825 * 24 * 3600 * 1000);
    const certificate = new X509Certificate(await read('external.pem'));
    expect(certificate.checkPrivateKey(createPrivateKey(await read('external.key')))).to.equal(true);
    expect(certificate.verify(new X509Certificate(await read('ca.pem')).publicKey)).to.equal(true);
    expect(certificate.checkHost('other.example.com')).to.equal(undefined);
  });

  it('shows its keys to nobody', async () => {
    for (const name of await readdir(path)) {
      const { mode } = await stat(join(path, name));
      expect(mode & 0o777, name).to.equal(name.endsWith('.key') ? 0o600 : 0o644);
    }
    expect(await readdir(path)).to.have.length(6);
  });

  it('is not made twice', async () => {
    const outcome = await folder.create({ external: ['x'], internal: ['x'] }).catch((error: Error) => error.message);
    expect(outcome).to.contain('rotate');
  });

  it('gets new certificates for the same hosts', async () => {
    const before = await read('external.pem');
    expect(await folder.rotate(false)).to.deep.equal(['external', 'internal']);
    expect(await read('external.pem')).to.not.equal(before);
    const [, external] = await folder.list();
    expect(external?.hosts).to.deep.equal(['manager.example.com', '10.0.0.5', '0:0:0:0:0:0:0:1']);
    expect(isSignedBy(await read('internal.pem'), await read('ca.pem'))).to.equal(true);
  });

  it('trusts the authority before a new one, too, and no older ones', async () => {
    const [first = ''] = certificatesOf(await read('ca.pem'));
    expect(await folder.rotate(true)).to.deep.equal(['ca', 'external', 'internal']);
    const both = certificatesOf(await read('ca.pem'));
    expect(both).to.have.length(2);
    expect(both[1]).to.equal(first);
    expect(isSignedBy(await read('external.pem'), both[0] ?? '')).to.equal(true);
    expect(isSignedBy(await read('external.pem'), first)).to.equal(false);
    await folder.rotate(true);
    expect(certificatesOf(await read('ca.pem'))).to.have.length(2);
  });
});
