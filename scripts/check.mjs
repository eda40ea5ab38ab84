#!/usr/bin/env node
/** `npm run check`: what to run before a commit. Format, lint, types and unit tests, all at once. */
import { join } from 'node:path';
import { run } from './lib/command.mjs';
import { ensurePackages, refuseOldNode } from './lib/packages.mjs';

const root = join(import.meta.dirname, '..');
const steps = [
  { name: 'format', script: 'format:check' },
  { name: 'lint', script: 'lint' },
  { name: 'types', script: 'types' },
  { name: 'unit', script: 'test:unit' },
];

refuseOldNode();
ensurePackages(root);
const started = performance.now();
const outcomes = await Promise.all(
  steps.map(async ({ name, script }) => {
    const { code, output } = await run('npm', ['run', '--silent', script], { cwd: root });
    console.log(
      `${name.padEnd(8)} ${code === 0 ? 'ok' : 'FAILED'}  (${((performance.now() - started) / 1000).toFixed(1)} s)`,
    );
    return { name, code, output };
  }),
);
for (const { name, code, output } of outcomes) {
  if (code !== 0) {
    console.error(`\n--- ${name}\n${output}`);
  }
}
process.exitCode = outcomes.every(({ code }) => code === 0) ? 0 : 1;
