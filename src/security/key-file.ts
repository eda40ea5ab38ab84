import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const keyLength = 32;

/** Keys by id in the order of the file; the first one is current. */
export type KeyRing = ReadonlyMap<string, Buffer>;

function newKeyLine(): string {
  return `${randomBytes(4).toString('hex')} ${randomBytes(keyLength).toString('base64')}\n`;
}

function parseKeys(content: string, file: string): KeyRing {
  const keys = new Map<string, Buffer>();
  for (const line of content.split('\n').filter((entry) => entry.trim() !== '')) {
    const [, id, text] = /^([A-Za-z0-9]{8}) ([A-Za-z0-9+/]{43}=)$/.exec(line.trim()) ?? [];
    if (id === undefined || text === undefined) {
      throw new Error(`${file} is not a key file: each line must be an id of 8 characters and 32 bytes in base64`);
    }
    keys.set(id, Buffer.from(text, 'base64'));
  }
  if (keys.size === 0) {
    throw new Error(`The key file ${file} is empty; put it back, secrets cannot be read without it`);
  }
  return keys;
}

/** Makes the key file, readable by its owner only, when there is none; closes one that is open to others. */
export async function makeKeyFile(file: string): Promise<void> {
  const found = await stat(file).catch(() => undefined);
  if (found) {
    if ((found.mode & 0o077) !== 0) {
      await chmod(file, 0o600);
    }
    return;
  }
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomBytes(4).toString('hex')}`;
  await writeDurably(unfinished, newKeyLine());
  try {
    // unlike a rename, a link does not replace the file of a process that was faster
    await link(unfinished, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** The key file as it is now; `state` changes when the file does. @throws Error naming the file when it is no key file */
export function readKeyFile(file: string): { keys: KeyRing; state: string } {
  const state = keyFileState(file);
  return { keys: parseKeys(readFileSync(file, 'utf8'), file), state };
}

/** Tells one content of the file from another without reading it. */
export function keyFileState(file: string): string {
  const { ino, mtimeMs, size } = statSync(file);
  return `${ino} ${mtimeMs} ${size}`;
}

/** Writes a new file to the disk: what was encrypted with a key that a power failure erased could never be read again. */
async function writeDurably(file: string, content: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces the file in one step, so that readers find either the old or the new content. */
async function replaceFile(file: string, content: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(4).toString('hex')}`;
  await writeDurably(unfinished, content);
  await rename(unfinished, file);
}

/** Puts a new key in front of the others; the old ones stay. @returns the id of the new one */
export async function addKey(file: string): Promise<string> {
  const content = await readFile(file, 'utf8');
  parseKeys(content, file);
  const line = newKeyLine();
  await replaceFile(file, line + content);
  return line.slice(0, 8);
}

/**
 * Removes keys that nothing is encrypted with any more.
 * @param kept ids that stay besides the current one
 * @returns ids of the removed ones
 */
export async function removeKeys(file: string, kept: ReadonlySet<string>): Promise<string[]> {
  const content = await readFile(file, 'utf8');
  const ids = [...parseKeys(content, file).keys()];
  const removed = ids.slice(1).filter((id) => !kept.has(id));
  if (removed.length > 0) {
    const lines = content
      .split('\n')
      .filter((line) => line.trim() !== '' && !removed.includes(line.trim().slice(0, 8)));
    await replaceFile(file, `${lines.join('\n')}\n`);
  }
  return removed;
}
