#!/usr/bin/env node
/**
 * Bundles the program into dist/ with esbuild: packages stay outside (they come from node_modules), everything of
 * ours is joined into a few files so that a command starts without resolving hundreds of modules.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { entryPoints } from './entry-points.mjs';

const root = join(import.meta.dirname, '..');

/**
 * Builds dist/ from src/.
 * @returns the time it took in milliseconds
 */
export async function buildProgram() {
  const started = performance.now();
  const present = Object.fromEntries(
    Object.entries(entryPoints).filter(([, source]) => existsSync(join(root, source))),
  );
  await build({
    absWorkingDir: root,
    entryPoints: present,
    outdir: 'dist',
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  });
  await removeStaleChunks();
  return Math.round(performance.now() - started);
}

/** Removes what earlier builds left; not at once, since a process that runs may still have to load its chunks. */
async function removeStaleChunks() {
  const folder = join(root, 'dist', 'chunks');
  const hour = 3600 * 1000;
  for (const name of await readdir(folder).catch(() => [])) {
    const { mtimeMs } = await stat(join(folder, name));
    if (Date.now() - mtimeMs > hour) {
      await rm(join(folder, name), { force: true });
    }
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const milliseconds = await buildProgram();
  console.log(`Built dist/ in ${milliseconds} ms`);
}
