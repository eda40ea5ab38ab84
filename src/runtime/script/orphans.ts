import { readFileSync, writeFileSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * Scripts outlive a runtime that is killed. Their operations are tried again elsewhere, so the next runtime on the
 * same machine ends them first: each runtime's folder names its process, each operation's folder that of its script.
 */

const recordName = 'process';

/** Name of the folder of a runtime, unique on all machines that may share the directory. */
export function runtimeFolderName(unique: string): string {
  return `${prefix()}${process.pid}-${startOf(process.pid) ?? 0}-${unique}`;
}

function prefix(): string {
  return `gantry-${hostname().replace(/[^A-Za-z0-9]/g, '_')}-`;
}

/** Notes the process of an operation's script in the operation's folder. */
export function recordProcess(folder: string, pid: number): void {
  writeFileSync(join(folder, recordName), `${pid} ${startOf(pid) ?? 0}\n`);
}

/**
 * Ends the scripts that runtimes left which do not exist any more, and removes their folders.
 * @param directory the temporary directory that runtimes of this machine share
 */
export async function endOrphans(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((entry) => entry.startsWith(prefix()))) {
    const [pid, start] = name.slice(prefix().length).split('-').map(Number);
    if (pid === undefined || start === undefined || isSameProcess(pid, start)) {
      continue;
    }
    const folder = join(directory, name);
    const operations = await readdir(folder).catch(() => []);
    await Promise.all(operations.map((operation) => endScript(join(folder, operation))));
    await rm(folder, { recursive: true, force: true });
  }
}

async function endScript(folder: string): Promise<void> {
  const record = await readFile(join(folder, recordName), 'utf8').catch(() => '');
  const [pid, start] = record.trim().split(' ').map(Number);
  if (pid !== undefined && start !== undefined && start > 0 && isSameProcess(pid, start)) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // it ended by itself meanwhile
    }
  }
}

function isSameProcess(pid: number, start: number): boolean {
  const present = startOf(pid);
  if (present !== undefined) {
    return present === start;
  }
  // without /proc the number is all there is to go by
  try {
    return start === 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** When a process started, in ticks since the machine did; undefined when there is no such process, or no /proc. */
function startOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
