import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { silentLogger } from '../../../src/log/logger.ts';
import { openSamlLogin } from '../../../src/services/saml.ts';
import type { Database } from '../../../src/store/database.ts';

describe('the certificate of a SAML provider', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-saml-'));
  });

  after(() => rm(folder, { recursive: true, force: true }));

  const cases: [string, string | undefined, RegExp][] = [
    ['a file that is not there', undefined, /ENOENT.*idp\.pem/],
    ['a file without one', 'nothing', /idp\.pem has no certificate/],
    [
      'one that is none',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      /idp\.pem has a certificate that cannot be read/,
    ],
  ];
  for (const [what, content, reason] of cases) {
    it(`keeps the manager from starting when it is ${what}, which names the setting and the remedy`, async () => {
      const certificateFile = join(folder, 'idp.pem');
      if (content !== undefined) {
        await writeFile(certificateFile, content);
      }
      const config = { certificateFile, audience: 'here', issuer: undefined, recipient: undefined };
      const dependencies = { database: {} as Database, clock: { now: () => 0 }, log: silentLogger };
      const message = await openSamlLogin(config, dependencies).then(
        () => 'it started',
        (error: Error) => error.message,
      );
      expect(message)
        .to.match(/^GANTRY_SAML_CERT_FILE: .*Store the signing certificate/s)
        .and.match(reason);
    });
  }
});
