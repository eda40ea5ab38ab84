import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ensurePackages, refuseOldNode } from './packages.mjs';
import { ensureRequirements } from './requirements.mjs';

const root = join(import.meta.dirname, '..', '..');

/**
 * Runs a TypeScript program of the tests with the words this process was given, and ends with its exit code.
 * @param {string} file relative to the repository
 * @param {readonly string[]} needs servers it starts
 */
export async function runTypeScript(file, needs) {
  refuseOldNode();
  ensurePackages(root);
  for (const [name, remedy] of ensureRequirements(needs)) {
    console.error(`${name} is needed: ${remedy}`);
    process.exit(1);
  }
  const child = spawn(process.execPath, ['--import', 'tsx', join(root, file), ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  });
  // Ctrl-C reaches the child as well; wait until it has cleaned up
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = await once(child, 'close');
  process.exitCode = code ?? 1;
}
