/** Which process runs the server of a data directory. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { isAlive } from './postmaster.ts';

/** When a process was started, as the kernel counts; tells it from a later one with the same id. '' = not known here. */
function startOf(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

/** Makes a file with its content at once, so that nobody reads half of it. @returns false when it exists */
async function createWhole(file: string, content: string): Promise<boolean> {
  const unfinished = `${file}.${randomUUID()}`;
  await writeFile(unfinished, content, { mode: 0o600 });
  try {
    await link(unfinished, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    await rm(unfinished, { force: true });
  }
}

/**
 * Enters this process as the owner of a server, unless another live process is.
 * @returns undefined when this process is the owner now, else the id of the process that is
 */
export async function becomeOwner(file: string): Promise<number | undefined> {
  const mark = `${process.pid} ${startOf(process.pid)}\n`;
  for (;;) {
    if (await createWhole(file, mark)) {
      return undefined;
    }
    const [pid = NaN, start = ''] = (await readFile(file, 'utf8').catch(() => '')).trim().split(' ');
    const owner = Number(pid);
    if (Number.isInteger(owner) && owner > 1 && isAlive(owner) && startOf(owner) === start) {
      return owner;
    }
    await rm(file, { force: true });
  }
}
