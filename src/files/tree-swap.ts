/**
 * Replacing everything on the file server at once: the new files are put together beside the old ones, then whole
 * directories change places. A journal tells after a crash that this had begun; whether it is to be completed or taken
 * back is for the database to say.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { GantryError } from '../domain/errors.ts';

/** Directories whose files belong to what is managed. */
const managedDirectories = ['blueprints', 'uploaded-blueprints', 'deployments', 'tenant-resources', 'plugins'];

export interface TreeEntry {
  /** Path below the root, with `/`; of a directory with one at its end. */
  readonly name: string;
  readonly path: string;
}

/** What was read, or undefined when there is no such file or directory. */
async function ifThere<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  return reading.catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') {
      throw error;
    }
    return undefined;
  });
}

/**
 * Every file and directory below the managed directories; links and special files are left out.
 * @throws Error for a directory that cannot be read: a snapshot without it would look complete
 */
export async function* listTree(root: string): AsyncGenerator<TreeEntry, void, undefined> {
  const open = managedDirectories.map((name) => ({ name, path: join(root, name) }));
  for (let directory = open.pop(); directory; directory = open.pop()) {
    const entries = await ifThere(readdir(directory.path, { withFileTypes: true }));
    for (const entry of entries ?? []) {
      const name = `${directory.name}/${entry.name}`;
      const path = join(directory.path, entry.name);
      if (entry.isDirectory()) {
        open.push({ name, path });
        yield { name: `${name}/`, path };
      } else if (entry.isFile()) {
        yield { name, path };
      }
    }
  }
}

export class TreeSwap {
  readonly #root: string;
  readonly #place: string;

  /** @param root of the file server */
  constructor(root: string) {
    this.#root = root;
    this.#place = join(root, '.restore');
  }

  get #journal(): string {
    return join(this.#place, 'journal');
  }

  /** Who has begun to change places and has neither completed nor taken it back. */
  async owner(): Promise<string | undefined> {
    return ifThere(readFile(this.#journal, 'utf8'));
  }

  /** Makes empty directories for the new files. */
  async prepare(): Promise<void> {
    await rm(this.#place, { recursive: true, force: true });
    for (const name of managedDirectories) {
      await mkdir(join(this.#place, 'new', name), { recursive: true, mode: 0o755 });
    }
    await mkdir(join(this.#place, 'old'));
  }

  /**
   * Adds a new file, or a directory when `content` is missing.
   * @throws GantryError bad_parameters_error for a name that lies elsewhere
   */
  async add(name: string, content?: AsyncIterable<Uint8Array>): Promise<void> {
    const [top = ''] = name.split('/', 1);
    if (!managedDirectories.includes(top) || normalize(name) !== name || /[\\\0]/.test(name)) {
      throw new GantryError(
        'bad_parameters_error',
        `The archive has a file outside of the file server's directories: ${name}`,
      );
    }
    const path = join(this.#place, 'new', name);
    if (content) {
      await mkdir(dirname(path), { recursive: true });
      await pipeline(content, createWriteStream(path, { flags: 'wx' }));
    } else {
      await mkdir(path, { recursive: true });
    }
  }

  /** Puts the new directories in the place of the old ones, which are kept. @param owner who does this */
  async swap(owner: string): Promise<void> {
    await writeFile(this.#journal, owner, { flag: 'wx' });
    for (const name of managedDirectories) {
      await this.#move(join(this.#root, name), join(this.#place, 'old', name));
      await this.#move(join(this.#place, 'new', name), join(this.#root, name));
    }
  }

  /** Goes on with a swap that was interrupted. */
  async complete(): Promise<void> {
    for (const name of managedDirectories) {
      if (await isThere(join(this.#place, 'new', name))) {
        if (!(await isThere(join(this.#place, 'old', name)))) {
          await this.#move(join(this.#root, name), join(this.#place, 'old', name));
        }
        await this.#move(join(this.#place, 'new', name), join(this.#root, name));
      }
    }
    await this.discard();
  }

  /** Takes a swap back, however far it had got. */
  async undo(): Promise<void> {
    for (const name of managedDirectories) {
      const old = join(this.#place, 'old', name);
      if (await isThere(old)) {
        await rm(join(this.#root, name), { recursive: true, force: true });
        await this.#move(old, join(this.#root, name));
      }
    }
    await this.discard();
  }

  /** Removes everything but what is in place. */
  async discard(): Promise<void> {
    // without the journal what is left is litter
    await rm(this.#journal, { force: true });
    await rm(this.#place, { recursive: true, force: true });
  }

  async #move(from: string, to: string): Promise<void> {
    await ifThere(rename(from, to));
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await ifThere(stat(path))) !== undefined;
}
