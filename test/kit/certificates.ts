import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateFolder } from '../../src/security/certificate-folder.ts';
import type { CertificateFiles } from './postgres-server.ts';

/** Certificates as `gantry certs create` makes them, and those of somebody else. */
export interface TestCertificates {
  readonly folder: CertificateFolder;
  /** Of a server at 127.0.0.1, whose certificate names nothing else; its authority and a client's certificate. */
  readonly files: CertificateFiles;
  /** Made by an authority that nobody knows. */
  readonly strange: CertificateFiles;
  remove(): Promise<void>;
}

async function makeFolder(path: string): Promise<CertificateFolder> {
  const folder = new CertificateFolder(path, { authority: 30, server: 10 }, () => Date.now());
  await folder.create({ external: ['127.0.0.1'], internal: ['127.0.0.1'] });
  return folder;
}

function filesOf(folder: CertificateFolder): CertificateFiles {
  return {
    certificate: folder.fileOf('internal', 'pem'),
    key: folder.fileOf('internal', 'key'),
    authority: folder.fileOf('ca', 'pem'),
  };
}

/** Makes both sets in a temporary folder. */
export async function makeCertificates(): Promise<TestCertificates> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-certs-'));
  await chmod(path, 0o755);
  const [folder, other] = await Promise.all([makeFolder(join(path, 'own')), makeFolder(join(path, 'strange'))]);
  return {
    folder,
    files: filesOf(folder),
    strange: filesOf(other),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
