import { setTimeout as delay } from 'node:timers/promises';
import { startNginxFor } from '../kit/nginx-manager.ts';
import { freePort } from '../kit/ports.ts';
import { LoadGenerator } from './load-generator.ts';
import type { LoadOptions, LoadResult } from './load-generator.ts';
import type { RequestKind } from './load-requests.ts';
import { residentMemory } from './memory.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { fillManager } from './rest-data.ts';
import { memoryOf, withStack } from './stack-use.ts';
import type { Stack } from './stack.ts';
import { growthOf } from './statistics.ts';

const clients = 32;
const share = 0.8;
/** Seconds in which the most that is answered is measured. */
const probing = 10;
const sizes = { deployments: 2000, events: 100_000 };
/** Seconds until nginx has noticed that a process is back. */
const noticed = 3;

/** Shares of the time at which a process is killed, or restarted in peace. The rest of the time nothing happens. */
const interruptions: readonly { at: number; process: 'rest-1' | 'rest-2'; isKilled: boolean }[] = [
  { at: 0.05, process: 'rest-1', isKilled: true },
  { at: 0.14, process: 'rest-2', isKilled: true },
  { at: 0.23, process: 'rest-1', isKilled: true },
  { at: 0.32, process: 'rest-2', isKilled: true },
  { at: 0.41, process: 'rest-1', isKilled: false },
  { at: 0.5, process: 'rest-2', isKilled: false },
];
/** From here on memory counts: every process has found its size. */
const settledAt = 0.6;

function mixOf(instances: readonly string[]): RequestKind[] {
  const get = (path: string): RequestKind => ({ kind: 'get', path });
  return [
    get('/deployments/copy-77'),
    get('/deployments?_size=20'),
    { kind: 'patch-instance', ids: instances },
    get('/deployments/copy-1234'),
    { kind: 'put-and-delete', path: '/sites/load-{n}', body: { location: '32.1,34.8' } },
    get('/events?execution_id=execution-7&_size=50'),
    get('/node-instances?deployment_id=original&_size=20'),
    { kind: 'put', path: '/secrets/load-{n}', body: { value: 'told to nobody' } },
    get('/deployments/original'),
    get('/executions?_size=20'),
  ];
}

/** Kills and restarts processes at their times. @returns how often each was done */
async function interrupt(
  stack: Stack,
  seconds: number,
  log: (line: string) => void,
): Promise<{ killed: number; restarted: number }> {
  const { cluster } = stack;
  const begin = performance.now();
  const done = { killed: 0, restarted: 0 };
  for (const { at, process: name, isKilled } of interruptions) {
    await delay(Math.max(0, begin + at * seconds * 1000 - performance.now()));
    if (isKilled) {
      await cluster.kill(name);
      done.killed += 1;
    } else {
      await cluster.programs.get(name)?.stop();
      done.restarted += 1;
    }
    await (
      await cluster.restart(name)
    ).ready;
    log(`${name} was ${isKilled ? 'killed' : 'stopped'} and is back`);
    await delay(noticed * 1000);
  }
  return done;
}

/** Samples the memory of every process of the manager each second of the last part. */
async function watchMemory(stack: Stack, seconds: number): Promise<Record<string, number[]>> {
  await delay(seconds * settledAt * 1000);
  const samples: Record<string, number[]> = {};
  for (let second = Math.ceil(seconds * settledAt); second < seconds; second += 1) {
    for (const [name, program] of stack.cluster.programs) {
      (samples[name] ??= []).push(residentMemory(program.pid) ?? 0);
    }
    await delay(1000);
  }
  return samples;
}

/** How many changes of node instances are stored. */
async function storedChanges(stack: Stack): Promise<number> {
  const [row] = await stack.database.query<{ changes: number }>(
    'select sum(version) - count(*) as changes from node_instances',
  );
  return row?.changes ?? 0;
}

function growths(samples: Readonly<Record<string, number[]>>): Record<string, number> {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, rounded(growthOf(values))]));
}

async function underLoad(
  stack: Stack,
  generator: LoadGenerator,
  options: LoadOptions,
  log: (line: string) => void,
): Promise<{ result: LoadResult; done: { killed: number; restarted: number }; memoryGrowth: Record<string, number> }> {
  const [result, done, samples] = await Promise.all([
    generator.run(options),
    interrupt(stack, options.seconds, log),
    watchMemory(stack, options.seconds),
  ]);
  return { result, done, memoryGrowth: growths(samples) };
}

/**
 * Reads and writes through nginx at a share of what two REST processes can answer, while both are killed and restarted:
 * no request may fail, and no write may be carried out twice.
 */
export async function benchLoad(seconds: number, log: (line: string) => void): Promise<BenchmarkResult> {
  const processes = [['rest'], ['executor', 'broker', 'recorder', 'scheduler']] as const;
  return withStack({ processes }, async (stack) => {
    const { cluster } = stack;
    const [restPort, port] = [await freePort(), await freePort()];
    await (
      await cluster.launch('rest-2', ['rest'], restPort)
    ).ready;
    const instances = await fillManager(cluster.client, stack.database, sizes);
    const before = await storedChanges(stack);
    const nginx = await startNginxFor(port, cluster, [restPort]);
    const generator = await LoadGenerator.start();
    try {
      const authorization = `Basic ${Buffer.from(`admin:${cluster.password}`).toString('base64')}`;
      const common: LoadOptions = {
        url: `http://127.0.0.1:${port}`,
        prefix: '/api/v3.1',
        headers: { authorization, tenant: 'default_tenant' },
        clients,
        seconds: probing,
        requests: mixOf(instances),
      };
      const most = await generator.run(common);
      log(`at most ${most.perSecond} requests/s, ${most.failed} failed`);
      const rate = Math.floor(most.perSecond * share);
      const { result, done, memoryGrowth } = await underLoad(stack, generator, { ...common, seconds, rate }, log);
      const patched = (most.byMethod['PATCH'] ?? 0) + (result.byMethod['PATCH'] ?? 0);
      const wrong = Math.abs((await storedChanges(stack)) - before - patched);
      log(`${result.count} requests at ${rate}/s, ${result.failed} failed, p99 ${result.p99} ms`);
      return {
        scenario: 'load',
        value: result.perSecond,
        unit: 'requests/s while processes are killed',
        limit: most.perSecond,
        limitUnit: 'requests/s at most, of the same mixture',
        ratio: rounded(result.perSecond / most.perSecond),
        requests: result.count,
        failed: result.failed + most.failed,
        ...done,
        wrong,
        p50: result.p50,
        p99: result.p99,
        memoryGrowth,
        byMethod: result.byMethod,
        failures: [...most.failures, ...result.failures],
        ...memoryOf(stack),
      };
    } finally {
      await generator.stop();
      await nginx.stop();
    }
  });
}
