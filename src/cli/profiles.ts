import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './errors.ts';

/** How to reach one manager. */
export interface Profile {
  url: string;
  username?: string;
  password?: string;
  token?: string;
  tenant: string;
  caFile?: string;
}

export interface ProfileBook {
  active: string | undefined;
  profiles: Record<string, Profile>;
}

/** Keeps the profiles of one person in a file that only this person can read. */
export class ProfileStore {
  readonly file: string;

  /** @param environment GANTRY_PROFILE_DIR moves the store from its default `~/.gantry` */
  constructor(environment: Readonly<Record<string, string | undefined>>) {
    this.file = join(environment['GANTRY_PROFILE_DIR'] ?? join(homedir(), '.gantry'), 'profiles.json');
  }

  /** @throws UsageError when the file is damaged */
  async load(): Promise<ProfileBook> {
    const text = await readFile(this.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        return undefined;
      }
      throw error;
    });
    if (text === undefined) {
      return { active: undefined, profiles: {} };
    }
    try {
      const book = JSON.parse(text) as Partial<ProfileBook>;
      return { active: book.active ?? undefined, profiles: book.profiles ?? {} };
    } catch {
      throw new UsageError(`${this.file} is damaged`, 'Mend it, or delete it and run gantry profiles use again.');
    }
  }

  /** Writes beside the file and renames, so that a crash leaves the old profiles. */
  async save(book: ProfileBook): Promise<void> {
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    const partial = `${this.file}.${process.pid}`;
    await writeFile(partial, `${JSON.stringify(book, undefined, 2)}\n`, { mode: 0o600 });
    await chmod(partial, 0o600);
    await rename(partial, this.file);
  }

  /** Adds or replaces a profile; `activate` makes it the one that commands use. */
  async put(name: string, profile: Profile, activate: 'always' | 'if-none'): Promise<void> {
    const book = await this.load();
    book.profiles[name] = profile;
    if (activate === 'always' || book.active === undefined) {
      book.active = name;
    }
    await this.save(book);
  }

  /** @throws UsageError when there is no such profile */
  async remove(name: string): Promise<void> {
    const book = await this.load();
    if (!(name in book.profiles)) {
      throw unknownProfile(name, book);
    }
    book.profiles = Object.fromEntries(Object.entries(book.profiles).filter(([other]) => other !== name));
    if (book.active === name) {
      book.active = undefined;
    }
    await this.save(book);
  }

  /** Makes a profile the one that commands use. */
  async activate(name: string): Promise<void> {
    const book = await this.load();
    if (!(name in book.profiles)) {
      throw unknownProfile(name, book);
    }
    await this.save({ ...book, active: name });
  }
}

export function unknownProfile(name: string, book: ProfileBook): UsageError {
  const known = Object.keys(book.profiles);
  return new UsageError(
    `There is no profile ${name}`,
    known.length > 0 ? `Known profiles: ${known.join(', ')}` : 'Make one with: gantry profiles use URL',
  );
}

/**
 * Completes what a person types as an address: `host`, `host:port` or a URL.
 * @throws UsageError when it is none of them
 */
export function normaliseUrl(text: string): string {
  const candidate = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(candidate)) {
    throw new UsageError(`${text} is not an address`, 'Give a host or a URL, e.g. https://manager.example.com');
  }
  const url = new URL(candidate);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UsageError(`${text} is not an http(s) address`);
  }
  return url.origin;
}
