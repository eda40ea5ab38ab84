import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GantryError } from '../domain/errors.ts';
import { certificatesOf, createAuthority, describeCertificate, isSignedBy, issueCertificate } from './certificates.ts';
import type { CertificateDescription, CertificatePair } from './certificates.ts';

/** Certificates of servers: `external` is what people and `cfy` meet, `internal` what agents and workers meet. */
export const serverCertificates = ['external', 'internal'] as const;
export type ServerCertificate = (typeof serverCertificates)[number];

export interface FolderEntry extends CertificateDescription {
  /** `ca`, `external` or `internal`. */
  readonly name: string;
  readonly file: string;
  readonly isOwn: boolean;
}

export interface Lifetimes {
  /** Days of an authority. */
  readonly authority: number;
  /** Days of a server's certificate. */
  readonly server: number;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * The folder with the certificates of an installation: `ca.pem` and `ca.key`, `external.pem` and `.key`,
 * `internal.pem` and `.key`. Keys are readable by their owner only. After the authority has changed `ca.pem` also holds
 * the one before, so that whoever has either trusts both.
 */
export class CertificateFolder {
  readonly path: string;
  readonly #now: () => number;
  readonly #lifetimes: Lifetimes;

  constructor(path: string, lifetimes: Lifetimes, now: () => number) {
    this.path = path;
    this.#lifetimes = lifetimes;
    this.#now = now;
  }

  fileOf(name: string, kind: 'pem' | 'key'): string {
    return join(this.path, `${name}.${kind}`);
  }

  /**
   * Makes an authority and the certificates of the servers.
   * @param hosts names and addresses of each server
   * @throws GantryError conflict_error when there are certificates already
   */
  async create(hosts: Readonly<Record<ServerCertificate, readonly string[]>>): Promise<FolderEntry[]> {
    if (await exists(this.fileOf('ca', 'pem'))) {
      throw new GantryError('conflict_error', `${this.path} has certificates already; renew them with rotate`);
    }
    await mkdir(this.path, { recursive: true, mode: 0o755 });
    const authority = await this.#newAuthority('');
    for (const name of serverCertificates) {
      await this.#issue(authority, name, hosts[name]);
    }
    return this.list();
  }

  /**
   * Makes new keys and certificates for the same hosts; what somebody else has signed stays.
   * @param withAuthority whether the authority is new, too
   * @returns names of the new ones
   */
  async rotate(withAuthority: boolean): Promise<string[]> {
    const trusted = await this.#read('ca', 'pem');
    const own: { name: ServerCertificate; hosts: readonly string[] }[] = [];
    for (const name of serverCertificates) {
      const pem = await this.#read(name, 'pem');
      if (isSignedBy(pem, trusted)) {
        own.push({ name, hosts: describeCertificate(pem).hosts });
      }
    }
    const [previous = ''] = certificatesOf(trusted);
    const authority = withAuthority
      ? await this.#newAuthority(previous)
      : { certificate: previous, key: await this.#read('ca', 'key') };
    for (const { name, hosts } of own) {
      await this.#issue(authority, name, hosts);
    }
    return [...(withAuthority ? ['ca'] : []), ...own.map(({ name }) => name)];
  }

  /** What is there. @throws GantryError not_found_error when something is missing */
  async list(): Promise<FolderEntry[]> {
    const trusted = await this.#read('ca', 'pem');
    return Promise.all(
      ['ca', ...serverCertificates].map(async (name) => {
        const pem = await this.#read(name, 'pem');
        const isOwn = isSignedBy(pem, trusted);
        return { name, file: this.fileOf(name, 'pem'), isOwn, ...describeCertificate(pem) };
      }),
    );
  }

  async #newAuthority(previous: string): Promise<CertificatePair> {
    const now = this.#now();
    const name = `Gantry authority ${new Date(now).toISOString().slice(0, 10)} ${randomBytes(3).toString('hex')}`;
    const authority = await createAuthority({ name, days: this.#lifetimes.authority, now });
    await this.#write('ca', 'key', authority.key);
    await this.#write('ca', 'pem', authority.certificate + previous);
    return authority;
  }

  async #issue(authority: CertificatePair, name: ServerCertificate, hosts: readonly string[]): Promise<void> {
    const request = { name: hosts[0] ?? name, hosts, days: this.#lifetimes.server, now: this.#now() };
    const { certificate, key } = await issueCertificate(authority, request);
    await this.#write(name, 'key', key);
    await this.#write(name, 'pem', certificate);
  }

  async #read(name: string, kind: 'pem' | 'key'): Promise<string> {
    const file = this.fileOf(name, kind);
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      throw new GantryError('not_found_error', `Cannot read ${file}; make certificates with: gantry certs create`, {
        cause: error,
      });
    }
  }

  /** Writes beside the file and renames: a server that reads it meanwhile finds the old or the new one. */
  async #write(name: string, kind: 'pem' | 'key', content: string): Promise<void> {
    const file = this.fileOf(name, kind);
    const unfinished = `${file}.${randomBytes(4).toString('hex')}`;
    await writeFile(unfinished, content, { mode: kind === 'key' ? 0o600 : 0o644, flag: 'wx' });
    await rename(unfinished, file);
  }
}
