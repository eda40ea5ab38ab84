#!/usr/bin/env node
/**
 * `npm run demo`: from a bare clone to a running manager with an installed blueprint.
 * `npm run demo -- --exit` takes everything away again at the end; `--port N` chooses the port of the manager.
 */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePackages, refuseOldNode } from './lib/packages.mjs';

const root = join(import.meta.dirname, '..');
const deploymentId = 'hello-world';
const dataDir = join(root, 'var', 'demo');

function heading(text) {
  console.log(process.stdout.isTTY ? `\n\u001b[1m${text}\u001b[0m` : `\n${text}`);
}

function fail(sentence) {
  console.error(`\ndemo: ${sentence}`);
  process.exitCode = 1;
}

function readOptions() {
  try {
    return parseArgs({
      options: { exit: { type: 'boolean', default: false }, port: { type: 'string', default: '8080' } },
    }).values;
  } catch (error) {
    console.error(`demo: ${error.message}\nUse: npm run demo -- [--exit] [--port N]`);
    process.exit(2);
  }
}

/** The text of a page, or undefined when nobody answers. */
async function fetchPage(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

function pageUrl(outputs) {
  const values = Object.values(outputs ?? {}).map((value) => (typeof value === 'string' ? value : value?.url));
  return values.find((value) => typeof value === 'string' && value.startsWith('http'));
}

/** Installs hello-world unless an earlier run left it installed and answering. */
async function install(gantry) {
  const { answer: deployment } = await gantry.ask('deployments', 'get', deploymentId);
  if (deployment === undefined) {
    heading('Installing blueprints/hello-world');
    return gantry.show('install', 'blueprints/hello-world', '-b', deploymentId, '-d', deploymentId);
  }
  const { answer: outputs } = await gantry.ask('outputs', deploymentId);
  if (deployment.installation_status === 'active' && (await fetchPage(pageUrl(outputs))) !== undefined) {
    heading(`${deploymentId} is installed since an earlier run`);
    return 0;
  }
  heading(`${deploymentId} was there, but does not answer: installing it again`);
  await gantry.show('executions', 'start', 'uninstall', '-d', deploymentId, '-p', 'ignore_failure=true', '--follow');
  return gantry.show('executions', 'start', 'install', '-d', deploymentId, '--follow');
}

async function proveThatItAnswers(gantry) {
  const { answer: outputs } = await gantry.ask('outputs', deploymentId);
  const url = pageUrl(outputs);
  const page = url === undefined ? undefined : await fetchPage(url);
  if (page === undefined) {
    fail(`the deployment is installed, but ${url ?? 'no output'} does not answer.`);
    return undefined;
  }
  heading('Outputs');
  await gantry.show('outputs', deploymentId);
  const title = /<title>([^<]*)/.exec(page)?.[1] ?? page.trim().split('\n')[0];
  console.log(`\n${url} answers: ${title}`);
  return url;
}

async function takeAway(gantry, url) {
  heading('Uninstalling');
  const code = await gantry.show('uninstall', deploymentId);
  if (code !== 0) {
    fail(`uninstall ended with exit code ${code}.`);
    return;
  }
  if ((await fetchPage(url)) !== undefined) {
    fail(`${url} still answers after uninstall.`);
    return;
  }
  console.log(`${url} does not answer any more: the web server is gone.`);
}

function printHints(ready, password, url) {
  const shell = relative(process.cwd(), join(root, 'bin', 'gantry')) || 'bin/gantry';
  heading('Gantry is up');
  console.log(`  manager   ${ready.url}`);
  console.log(`  user      ${ready.user}`);
  console.log(`  password  ${password}`);
  console.log(`  page      ${url}`);
  console.log(`\nTry in another terminal:`);
  console.log(`  export GANTRY_URL=${ready.url} GANTRY_USERNAME=${ready.user} GANTRY_PASSWORD=${password}`);
  console.log(`  ${shell} status`);
  console.log(`  ${shell} deployments list`);
  console.log(`  ${shell} executions list -d ${deploymentId}`);
  console.log(`  ${shell} uninstall ${deploymentId}`);
  console.log(`\nCtrl-C stops the manager; hello-world goes on. npm run demo -- --exit takes everything away.`);
}

async function main() {
  refuseOldNode();
  const options = readOptions();
  ensurePackages(root);
  const { buildProgram } = await import('./build.mjs');
  const { Gantry } = await import('./lib/command.mjs');
  const { choosePort } = await import('./lib/ports.mjs');
  console.log(`Built in ${await buildProgram()} ms`);
  mkdirSync(dataDir, { recursive: true });
  const isFirst = !existsSync(join(dataDir, 'admin-password'));
  heading(isFirst ? 'Starting a new manager' : 'Starting the manager again');
  const port = await choosePort(Number(options.port));
  const profileDir = join(dataDir, 'profile');
  const starter = new Gantry(root, { GANTRY_PROFILE_DIR: profileDir });
  const manager = await starter.serve('up', '--data', dataDir, '--port', String(port), '--no-store-profile');
  let isInterrupted = false;
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => {
    isInterrupted = true;
  });
  try {
    const { ready } = manager;
    const password = readFileSync(ready.passwordFile, 'utf8').trimEnd();
    const gantry = new Gantry(root, {
      GANTRY_URL: ready.url,
      GANTRY_USERNAME: ready.user,
      GANTRY_PASSWORD: password,
      GANTRY_PROFILE_DIR: profileDir,
    });
    const code = await install(gantry);
    if (isInterrupted) {
      return;
    }
    if (code !== 0) {
      fail(`the installation ended with exit code ${code}; the messages above say why.`);
      return;
    }
    const url = await proveThatItAnswers(gantry);
    if (url === undefined) {
      return;
    }
    if (options.exit) {
      await takeAway(gantry, url);
      return;
    }
    printHints(ready, password, url);
    const first = await Promise.race([interrupted, manager.ended]);
    if (first !== undefined) {
      fail(`the manager ended (${first.signal ?? `exit code ${first.code}`}).`);
    }
  } finally {
    manager.child.kill('SIGTERM');
    await manager.ended;
    console.log('\nStopped.');
  }
}

await main().catch((error) => fail(error.message));
