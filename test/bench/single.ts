import { setTimeout as delay } from 'node:timers/promises';
import { deploy, noopBlueprint } from '../kit/blueprints.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { memoryOf, processorUse, withStack } from './stack-use.ts';
import type { Stack } from './stack.ts';
import { timeWorkflow } from './workflow-time.ts';

const warmUps = 50;

/** Milliseconds from the request for an execution of one operation that does nothing to its end. */
export async function benchLatency(count: number, log: (line: string) => void): Promise<BenchmarkResult> {
  return withStack({}, async (stack) => {
    await deploy(stack.cluster.client, 'one', noopBlueprint(1));
    await timeWorkflow(stack, 'one', 'install');
    const parameters = { operation: 'cloudify.interfaces.lifecycle.start' };
    const times: number[] = [];
    for (let index = -warmUps; index < count; index += 1) {
      const { seconds } = await timeWorkflow(stack, 'one', 'execute_operation', { parameters });
      if (index >= 0) {
        times.push(seconds * 1000);
      }
    }
    times.sort((left, right) => left - right);
    const at = (part: number): number => rounded(times[Math.min(count - 1, Math.floor(count * part))] ?? 0);
    const [p50, p99] = [at(0.5), at(0.99)];
    log(`POST to terminated: p50 ${p50} ms, p99 ${p99} ms`);
    return {
      scenario: 'latency',
      value: p50,
      unit: 'ms, median',
      limit: p99,
      limitUnit: 'ms, 99th percentile',
      ratio: rounded(p50 / p99),
      p50,
      p99,
      count,
      ...memoryOf(stack),
    };
  });
}

const gibibyte = 1024;

/** Installs and uninstalls one large deployment; the figure is the memory of the largest process. */
export async function benchLarge(count: number, log: (line: string) => void): Promise<BenchmarkResult> {
  return withStack({}, async (stack) => {
    const { client } = stack.cluster;
    const seconds: Record<string, Record<string, number>> = {};
    for (const size of [Math.max(1, Math.round(count / 10)), count]) {
      const name = `large-${size}`;
      await deploy(client, name, noopBlueprint(size, ['create', 'configure', 'start', 'stop', 'delete']));
      const install = await timeWorkflow(stack, name, 'install');
      const uninstall = await timeWorkflow(stack, name, 'uninstall');
      const { metadata } = await client.deployments.nodeInstances({
        filters: { deployment_id: name, state: 'deleted' },
        size: 1,
      });
      if (metadata.pagination.total !== size) {
        throw new Error(`${metadata.pagination.total} of ${size} instances are deleted`);
      }
      seconds[size] = { install: rounded(install.seconds), uninstall: rounded(uninstall.seconds) };
      log(`${size} instances: install ${rounded(install.seconds)} s, uninstall ${rounded(uninstall.seconds)} s`);
    }
    const memory = memoryOf(stack);
    return {
      scenario: 'large',
      value: memory.peakRssMiB,
      unit: 'MiB of the largest process',
      limit: gibibyte,
      limitUnit: 'MiB at most',
      ratio: rounded(memory.peakRssMiB / gibibyte),
      count,
      seconds,
      ...memory,
    };
  });
}

/** Until V8 has collected the garbage of the start: once, when a process has had little to do for 100 s and more. */
const settleTime = 180_000;
const idleTime = 60_000;

interface Traffic {
  transactions: number;
  /** Of these, heartbeats of processes. */
  heartbeats: number;
}

async function traffic(stack: Stack): Promise<Traffic> {
  const [row] = await stack.database.query<Traffic>(
    `select database.xact_commit + database.xact_rollback as transactions, processes.n_tup_upd as heartbeats
     from pg_stat_database database, pg_stat_user_tables processes
     where database.datname = current_database() and processes.relname = 'processes'`,
  );
  return row ?? { transactions: 0, heartbeats: 0 };
}

/** What a manager that has nothing to do costs: of the processor, and in transactions beside the heartbeats. */
export async function benchIdle(log: (line: string) => void): Promise<BenchmarkResult> {
  return withStack({}, async (stack) => {
    await delay(settleTime);
    const [before, used] = [await traffic(stack), stack.processorSeconds()];
    await delay(idleTime);
    const after = await traffic(stack);
    const seconds = idleTime / 1000;
    const heartbeats = after.heartbeats - before.heartbeats;
    // looking is a transaction, too
    const others = Math.max(0, after.transactions - before.transactions - heartbeats - 1);
    const percent = Object.fromEntries(
      Object.entries(processorUse(used, stack.processorSeconds())).map(([name, share]) => [
        name,
        rounded((share * 100) / seconds),
      ]),
    );
    const ours = Object.entries(percent).filter(([name]) => /-\d+$/.test(name));
    const value = rounded(ours.reduce((sum, [, share]) => sum + share, 0));
    const limit = 1;
    const perSecond = { heartbeats: rounded(heartbeats / seconds), others: rounded(others / seconds) };
    log(
      `idle: ${value} % of a processor in all processes, ${perSecond.heartbeats} heartbeats/s, ` +
        `${perSecond.others} other transactions/s`,
    );
    return {
      scenario: 'idle',
      value,
      unit: '% of a processor',
      limit,
      limitUnit: '% at most',
      ratio: rounded(value / limit),
      perSecond,
      percentByProcess: percent,
      ...memoryOf(stack),
    };
  });
}
