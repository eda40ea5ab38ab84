import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder that holds package.json and resources/, found from where this file runs: src/ in development and tests,
 * dist/ (and dist/chunks/) once bundled.
 * @throws Error when the program was copied out of its package
 */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  let folder = start;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(`No package.json above ${start}: the program must stay inside its package folder`);
    }
    folder = parent;
  }
  return folder;
}

/** Path of a file or folder below resources/, e.g. `resourcePath('types', 'types.yaml')`. */
export function resourcePath(...parts: string[]): string {
  return join(packageRoot(), 'resources', ...parts);
}
