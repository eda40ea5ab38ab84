#!/usr/bin/env node
/**
 * `npm test`: every suite, fast ones first. `npm test -- unit cli` runs some of them.
 * Servers (PostgreSQL, RabbitMQ, nginx) are started by the suites themselves, private ones on free ports below one
 * temporary folder; what a killed suite leaves there is ended afterwards.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanUp } from './lib/leftovers.mjs';
import { ensurePackages, refuseOldNode } from './lib/packages.mjs';
import { ensureRequirements } from './lib/requirements.mjs';
import { filesOf, suites } from './lib/suites.mjs';

const root = join(import.meta.dirname, '..');
const isStrict = process.env.CI === 'true';

function chooseSuites(names) {
  const unknown = names.filter((name) => !suites.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    console.error(`There is no suite ${unknown.join(', ')}; there are ${suites.map(({ name }) => name).join(', ')}.`);
    process.exit(2);
  }
  const chosen = names.length > 0 ? suites.filter(({ name }) => names.includes(name)) : suites;
  return chosen.filter((suite) => names.includes(suite.name) || filesOf(suite, root).length > 0);
}

/** Runs one suite in a process group of its own. */
async function runSuite(suite, folder) {
  const counts = join(folder, `${suite.name}.json`);
  const started = performance.now();
  const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const reporter = join(root, 'scripts', 'lib', 'counting-reporter.cjs');
  // --exit: Node can wait for ever, when it ends by itself, for sockets that were reset while they were paused
  const child = spawn(process.execPath, [mocha, '--exit', '--reporter', reporter, ...filesOf(suite, root)], {
    cwd: root,
    env: { ...process.env, TMPDIR: folder, GANTRY_TEST_COUNTS: counts },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const forward = (signal) => child.kill(signal);
  process.on('SIGINT', forward).on('SIGTERM', forward);
  const [code, signal] = await once(child, 'close');
  process.off('SIGINT', forward).off('SIGTERM', forward);
  const seconds = (performance.now() - started) / 1000;
  try {
    const result = JSON.parse(readFileSync(counts, 'utf8'));
    const hasFailedOutside = code !== 0 && result.failed === 0;
    return { ...result, failed: hasFailedOutside ? 1 : result.failed, seconds };
  } catch {
    console.error(`The suite ${suite.name} ended without a result (${signal ?? `exit code ${code}`}).`);
    return { passed: 0, failed: 1, skipped: 0, seconds };
  }
}

async function main() {
  refuseOldNode();
  ensurePackages(root);
  const chosen = chooseSuites(process.argv.slice(2));
  const missing = ensureRequirements([...new Set(chosen.flatMap(({ needs, wants = [] }) => [...needs, ...wants]))]);
  const { buildProgram } = await import('./build.mjs');
  await buildProgram();
  const folder = mkdtempSync(join(tmpdir(), 'gantry-test-'));
  // servers that run as other users work below it
  chmodSync(folder, 0o755);
  const total = { passed: 0, failed: 0, skipped: 0 };
  let isStopped = false;
  process.on('SIGINT', () => (isStopped = true)).on('SIGTERM', () => (isStopped = true));
  try {
    for (const suite of chosen) {
      if (isStopped) {
        total.failed += 1;
        break;
      }
      const absent = suite.needs.filter((need) => missing.has(need));
      if (absent.length > 0) {
        total.skipped += filesOf(suite, root).length;
        const remedy = absent.map((need) => missing.get(need)).join('; ');
        console.log(`${suite.name.padEnd(8)} SKIPPED: needs ${absent.join(' and ')} (${remedy})`);
        continue;
      }
      const result = await runSuite(suite, folder);
      const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      const time = `${result.seconds.toFixed(1)} s`;
      console.log(`${suite.name.padEnd(8)} ${result.passed} passed, ${result.failed} failed${skipped}  (${time})`);
      for (const key of Object.keys(total)) {
        total[key] += result[key];
      }
    }
  } finally {
    cleanUp(folder);
  }
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exitCode = total.failed > 0 || total.passed === 0 || (isStrict && total.skipped > 0) ? 1 : 0;
}

await main();
