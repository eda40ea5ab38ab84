import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that runs in a data directory, as its pid file tells. */
export interface Postmaster {
  pid: number;
}

/** Whether a process has ended and only waits for its parent to ask how. */
function isDefunct(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Whether a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isDefunct(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether the process is a PostgreSQL server; after a reboot its old id may belong to anything. */
async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') {
    return true;
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return /(^|\/)postgres(\0|:|$)/.test(command);
}

/** The server that runs in `dataDirectory`. Removes the pid file of one that is gone. */
export async function findPostmaster(dataDirectory: string): Promise<Postmaster | undefined> {
  const file = join(dataDirectory, 'postmaster.pid');
  const content = await readFile(file, 'utf8').catch(() => undefined);
  if (content === undefined) {
    return undefined;
  }
  const pid = Number(content.split('\n')[0]);
  if (Number.isInteger(pid) && pid > 1 && isAlive(pid) && (await isPostgres(pid))) {
    return { pid };
  }
  await rm(file, { force: true });
  return undefined;
}

async function hasEnded(pid: number, milliseconds: number): Promise<boolean> {
  for (const deadline = Date.now() + milliseconds; Date.now() < deadline; await delay(10)) {
    if (!isAlive(pid)) {
      return true;
    }
  }
  return !isAlive(pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

/** Ends a server: fast (transactions are rolled back, data is flushed), at once if that takes over ten seconds. */
export async function stopPostmaster(pid: number): Promise<void> {
  for (const [name, milliseconds] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5000],
    ['SIGKILL', 5000],
  ] as const) {
    signal(pid, name);
    if (await hasEnded(pid, milliseconds)) {
      return;
    }
  }
}
