#!/usr/bin/env node
/**
 * Bundles the program into dist/ with esbuild: packages stay outside (they come from node_modules), everything of
 * ours is joined into a few files so that a command starts without resolving hundreds of modules.
 */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import typescript from 'typescript';
import { entryPoints, typeSources } from './entry-points.mjs';

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
  await Promise.all([removeStaleChunks(), writeTypes()]);
  return Math.round(performance.now() - started);
}

/** Writes the types of `gantry/plugin`, which authors of plugins import, with everything they are made of. */
async function writeTypes() {
  const folder = join(root, 'dist', 'types');
  await rm(folder, { recursive: true, force: true });
  for (const source of typeSources) {
    const text = await readFile(join(root, 'src', source), 'utf8');
    const { outputText, diagnostics } = typescript.transpileDeclaration(text, {
      fileName: source,
      compilerOptions: { module: typescript.ModuleKind.NodeNext, verbatimModuleSyntax: true },
    });
    if (diagnostics?.length) {
      const [{ messageText }] = diagnostics;
      throw new Error(`No types for ${source}: ${typescript.flattenDiagnosticMessageText(messageText, '\n')}`);
    }
    const target = join(folder, source.replace(/\.ts$/, '.d.ts'));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, outputText.replaceAll(/(from '\.[^']*)\.ts'/g, "$1.js'"));
  }
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
