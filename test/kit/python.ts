import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.ts';
import { until } from './until.ts';

async function run(command: string, words: readonly string[]): Promise<string> {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) {
    throw new Error(`${command} ${words.join(' ')} ended with ${code}:\n${output.slice(-4000)}`);
  }
  return output.trim();
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * A Python environment with exactly the packages a requirements file pins. Made once per content of the file and kept
 * below node_modules/.cache, since installing takes half a minute.
 * @returns the folder of its programs
 */
export async function pythonEnvironment(requirementsFile: string): Promise<string> {
  const requirements = await readFile(requirementsFile);
  const version = await run('python3', ['-c', 'import sys; print(sys.version, sys.prefix)']);
  const cache = join(packageRoot(), 'node_modules', '.cache', 'gantry-python');
  // programs of an environment name its folder: one that was made elsewhere does not run here
  const key = createHash('sha256').update(requirements).update(version).update(cache).digest('hex').slice(0, 16);
  const folder = join(cache, key);
  const complete = join(folder, 'complete');
  if (await isThere(complete)) {
    return join(folder, 'bin');
  }
  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  const isFirst = await mkdir(lock).then(
    () => true,
    () => false,
  );
  if (!isFirst && (await waitForOther(lock, complete))) {
    return join(folder, 'bin');
  }
  try {
    await rm(folder, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', folder]);
    const pip = join(folder, 'bin', 'python');
    await run(pip, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirementsFile]);
    await mkdir(`${complete}.new`);
    await rename(`${complete}.new`, complete);
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  return join(folder, 'bin');
}

/** Waits for another process that installs; false when it was interrupted and left its lock. */
async function waitForOther(lock: string, complete: string): Promise<boolean> {
  await until(
    'another process to install Python packages',
    async () => {
      const age = await stat(lock).then(
        (information) => Date.now() - information.mtimeMs,
        () => undefined,
      );
      return age === undefined || age > 300_000;
    },
    600,
  );
  return isThere(complete);
}
