import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { connectDatabase, Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { makeCertificates } from '../kit/certificates.ts';
import type { TestCertificates } from '../kit/certificates.ts';
import { freePort } from '../kit/ports.ts';
import { PostgresServer } from '../kit/postgres-server.ts';

describe('PostgreSQL over TLS', function () {
  this.timeout(60_000);
  let certificates: TestCertificates;
  let server: PostgresServer;

  before(async () => {
    certificates = await makeCertificates();
    server = await PostgresServer.start(certificates.files);
  });

  after(async () => {
    await server?.stop();
    await certificates?.remove();
  });

  function urlWith(parameters: Readonly<Record<string, string>>, host = '127.0.0.1', database = 'postgres'): string {
    const query = String(new URLSearchParams(parameters));
    return `postgres://postgres:hidden-password@${host}:${server.port}/${database}${query === '' ? '' : `?${query}`}`;
  }

  /** Whether the connection is encrypted, or why there is none. */
  async function outcomeOf(url: string): Promise<string> {
    let database: Database;
    try {
      database = await connectDatabase({ url, poolSize: 1, log: silentLogger, connectTimeout: 100 });
    } catch (error) {
      const { message } = error as Error;
      expect(message).to.not.contain('hidden-password');
      return message;
    }
    const [row] = await database.query<{ ssl: boolean; client: string | null }>(
      'select ssl, client_dn as client from pg_stat_ssl where pid = pg_backend_pid()',
    );
    await database.close();
    return `${row?.ssl === true ? 'encrypted' : 'clear'}${typeof row?.client !== 'string' ? '' : ' with certificate'}`;
  }

  const verified = (authority: string): Record<string, string> => ({ sslmode: 'verify-full', sslrootcert: authority });

  it('is spoken with a server whose authority is known and whose certificate names the host', async () => {
    expect(await outcomeOf(urlWith(verified(certificates.files.authority)))).to.equal('encrypted');
    expect(await outcomeOf(urlWith({ sslrootcert: certificates.files.authority }))).to.equal('encrypted');
  });

  it('is used by migrations, and by what listens to notifications', async () => {
    const url = urlWith(verified(certificates.files.authority), '127.0.0.1', 'template1');
    expect(await migrate({ url, log: silentLogger, migrations: [] })).to.deep.equal([]);
    const database = await connectDatabase({ url, poolSize: 1, log: silentLogger });
    let hear: (payload: string | undefined) => void = () => undefined;
    const heard = new Promise<string | undefined>((resolve) => (hear = resolve));
    const end = await database.listen('news', hear);
    await database.query(`select pg_notify('news', 'told')`);
    expect(await heard).to.equal('told');
    await end();
    await database.close();
  });

  it('is spoken with whichever of several servers is the primary', async () => {
    const url = urlWith(verified(certificates.files.authority));
    const several = url.replace(`:${server.port}/`, `:${await freePort()},127.0.0.1:${server.port}/`);
    expect(await migrate({ url: several, log: silentLogger, migrations: [] })).to.deep.equal([]);
    const database = await connectDatabase({ url: several, poolSize: 1, log: silentLogger });
    const [row] = await database.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    await database.close();
    expect(row?.ssl).to.equal(true);
  });

  it('is refused by a program that does not know the authority', async () => {
    for (const mode of ['verify-full', 'verify-ca', 'require']) {
      const message = await outcomeOf(urlWith({ sslmode: mode, sslrootcert: certificates.strange.authority }));
      expect(message).to.contain(`The certificate of 127.0.0.1:${server.port} is signed by no authority`);
      expect(message).to.contain('Name the file of its authority in DATABASE_URL (?sslmode=verify-full&sslrootcert=');
    }
    expect(await outcomeOf(urlWith({ sslmode: 'verify-full' }))).to.contain('signed by no authority that is trusted');
  });

  it('is refused by a program that asked for another host', async () => {
    const message = await outcomeOf(urlWith(verified(certificates.files.authority), 'localhost'));
    expect(message).to.contain('was made for other hosts (IP Address:127.0.0.1)');
    expect(message).to.contain('Use one of them in DATABASE_URL');
  });

  it('checks less only when that is asked for', async () => {
    const ca = { sslmode: 'verify-ca', sslrootcert: certificates.files.authority };
    expect(await outcomeOf(urlWith(ca, 'localhost'))).to.equal('encrypted');
    expect(await outcomeOf(urlWith({ sslmode: 'no-verify' }, 'localhost'))).to.equal('encrypted');
    expect(await outcomeOf(urlWith({ sslmode: 'verify-ca' }))).to.contain('needs sslrootcert');
  });

  it('is asked for where the server takes nothing else', async () => {
    expect(await outcomeOf(urlWith({}))).to.contain('TLS only: add ?sslmode=verify-full&sslrootcert=FILE');
    expect(await outcomeOf(urlWith({ sslmode: 'disable' }))).to.contain('TLS only');
  });

  it('shows a certificate to a server that wants one', async () => {
    const maker = new Database({ url: server.url(), poolSize: 1, log: silentLogger });
    await maker.query('create database certified');
    await maker.close();
    const { authority, certificate, key } = certificates.files;
    const to = (more: Record<string, string>): string =>
      urlWith({ ...verified(authority), ...more }, '127.0.0.1', 'certified');
    expect(await outcomeOf(to({ sslcert: certificate, sslkey: key }))).to.equal('encrypted with certificate');
    expect(await outcomeOf(to({}))).to.contain('valid client certificate');
    const { strange } = certificates;
    expect(await outcomeOf(to({ sslcert: strange.certificate, sslkey: strange.key }))).to.match(
      /takes none that it got .*sslcert=FILE&sslkey=FILE/,
    );
  });

  it('takes a renewed authority for new connections', async () => {
    const file = join(certificates.folder.path, 'followed.pem');
    await copyFile(certificates.strange.authority, file);
    const database = new Database({ url: urlWith(verified(file)), poolSize: 1, log: silentLogger });
    const before = await database.query('select 1').then(
      () => 'connected',
      () => 'refused',
    );
    await copyFile(certificates.files.authority, file);
    const after = await database.query<{ one: number }>('select 1 as one');
    await database.close();
    expect([before, after[0]?.one]).to.deep.equal(['refused', 1]);
  });

  for (const [what, parameters, message] of [
    ['an unknown mode', { sslmode: 'sometimes' }, 'must be one of disable, no-verify, verify-ca, verify-full'],
    [
      'a file that is not there',
      { sslrootcert: '/nowhere/ca.pem' },
      'sslrootcert of DATABASE_URL names /nowhere/ca.pem',
    ],
    ['half a pair', { sslcert: import.meta.filename }, 'belong together'],
    ['a file without a certificate', { sslrootcert: import.meta.filename }, 'which holds no certificate'],
  ] as const) {
    it(`is not begun with ${what}`, () => {
      const url = urlWith(parameters);
      expect(() => new Database({ url, poolSize: 1, log: silentLogger })).to.throw(message);
    });
  }

  it('says so when nobody listens at all', async () => {
    const port = await freePort();
    const url = `postgres://postgres@127.0.0.1:${port}/x?sslmode=verify-full&sslrootcert=${certificates.files.authority}`;
    expect(await outcomeOf(url))
      .to.contain('ECONNREFUSED')
      .and.contain('Check that PostgreSQL runs there');
  });
});
