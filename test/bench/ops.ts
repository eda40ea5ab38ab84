import type { GantryClient } from '../../src/client/client.ts';
import { deploy, noopBlueprint } from '../kit/blueprints.ts';
import { measureRoundTrips } from './raw-round-trip.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { describeUse, processorUse } from './stack-use.ts';
import { startStack } from './stack.ts';
import type { Stack } from './stack.ts';
import { timeWorkflow } from './workflow-time.ts';

const operationsPerInstance = 3;
/** Instances of the installations before the measured ones: code is compiled and caches are filled then. */
const warmUpInstances = 300;
const warmUps = 15;
/** Rounds through all sizes; the median by time counts. */
const rounds = 3;
/** Instances a round installs of a size at least: a short installation is soon disturbed, so it is made more often. */
const instancesPerRound = 500;

export interface InstallFigures {
  instances: number;
  operations: number;
  seconds: number;
  operationsPerSecond: number;
  /** Milliseconds of the whole time per instance. */
  perInstance: number;
  processorSeconds: Record<string, number>;
}

/** Checks that nothing of an installation is missing in the store. @throws Error naming what is */
async function verifyInstalled(client: GantryClient, deploymentId: string, executionId: string, instances: number) {
  const operations = instances * operationsPerInstance;
  const started = await client.deployments.nodeInstances({
    filters: { deployment_id: deploymentId, state: 'started' },
    size: 1,
  });
  if (started.metadata.pagination.total !== instances) {
    throw new Error(`${started.metadata.pagination.total} of ${instances} instances are started`);
  }
  const execution = await client.executions.get(executionId);
  if (execution.finished_operations !== execution.total_operations || execution.total_operations < operations) {
    throw new Error(`${execution.finished_operations} of ${execution.total_operations} operations are finished`);
  }
  for (const type of ['sending_task', 'task_started', 'task_succeeded']) {
    const events = await client.executions.events({
      filters: { execution_id: executionId, event_type: type },
      withLogs: false,
      size: 1,
    });
    // subgraphs have events of their own, besides those of the operations
    if (events.metadata.pagination.total < operations) {
      throw new Error(`${events.metadata.pagination.total} events ${type} tell of ${operations} operations`);
    }
  }
}

/** Installs one node template with `instances` instances, three operations each, and checks what is stored. */
async function measureInstall(stack: Stack, instances: number, name: string): Promise<InstallFigures> {
  const { client } = stack.cluster;
  await deploy(client, name, noopBlueprint(instances));
  const before = stack.processorSeconds();
  const { executionId, seconds } = await timeWorkflow(stack, name, 'install');
  const after = stack.processorSeconds();
  await verifyInstalled(client, name, executionId, instances);
  const operations = instances * operationsPerInstance;
  return {
    instances,
    operations,
    seconds: rounded(seconds),
    operationsPerSecond: rounded(operations / seconds),
    perInstance: rounded((seconds * 1000) / instances),
    processorSeconds: processorUse(before, after),
  };
}

function describe({ instances, seconds, operationsPerSecond, processorSeconds }: InstallFigures): string {
  return (
    `${instances} instances: ${seconds} s, ${operationsPerSecond} operations/s; ` +
    `processor milliseconds per instance: ${describeUse(processorSeconds, instances)}`
  );
}

async function measureSizes(
  stack: Stack,
  sizes: readonly number[],
  log: (line: string) => void,
): Promise<InstallFigures[]> {
  for (let run = 1; run <= warmUps; run += 1) {
    await measureInstall(stack, warmUpInstances, `warm-up-${run}`);
  }
  const measured = new Map<number, InstallFigures[]>(sizes.map((size) => [size, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [size, figures] of measured) {
      for (let run = 1; run <= Math.ceil(instancesPerRound / size); run += 1) {
        const figure = await measureInstall(stack, size, `install-${size}-${round}-${run}`);
        figures.push(figure);
        log(describe(figure));
      }
    }
  }
  return [...measured.values()].map(median);
}

function median(figures: readonly InstallFigures[]): InstallFigures {
  const sorted = figures.toSorted((left, right) => left.seconds - right.seconds);
  return sorted[Math.floor(sorted.length / 2)] as InstallFigures;
}

/**
 * No-op operations per second through the whole stack: REST, broker, executor, task broker, database; every result and
 * event stored. Roles are separate processes.
 * @param instances sizes to measure one after the other; the first is the one that counts
 */
export async function benchOperations(
  instances: readonly number[],
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const stack = await startStack();
  try {
    const limit = await measureRoundTrips(await stack.rabbitmq.createVhost('bench'));
    log(`broker alone: ${limit.perSecond} round trips/s with 100 in flight`);
    const figures = await measureSizes(stack, instances, log);
    const [main] = figures;
    if (!main) {
      throw new Error('No size to measure');
    }
    const peaks = stack.peaks();
    return {
      scenario: 'ops',
      value: main.operationsPerSecond,
      unit: 'operations/s',
      limit: limit.perSecond,
      limitUnit: 'broker round trips/s, 100 in flight, persistent',
      ratio: rounded(main.operationsPerSecond / limit.perSecond),
      seconds: main.seconds,
      instances: main.instances,
      operations: main.operations,
      peakRssMiB: peaks.largest,
      peakRssByProcessMiB: peaks.byProcess,
      sizes: figures,
    };
  } finally {
    await stack.stop();
  }
}

/**
 * Whether the cost per instance stays the same however many there are.
 * @param instances sizes to compare; the figure is the cost per instance of the dearest over that of the cheapest
 */
export async function benchFlatness(
  instances: readonly number[],
  log: (line: string) => void,
): Promise<BenchmarkResult> {
  const stack = await startStack();
  try {
    const figures = await measureSizes(stack, instances, log);
    const costs = figures.map((figure) => figure.perInstance);
    const peaks = stack.peaks();
    const value = rounded(Math.max(...costs) / Math.min(...costs));
    const limit = 1.5;
    return {
      scenario: 'ops-flat',
      value,
      unit: 'cost per instance, dearest size / cheapest size',
      limit,
      limitUnit: 'at most',
      ratio: rounded(value / limit),
      peakRssMiB: peaks.largest,
      peakRssByProcessMiB: peaks.byProcess,
      sizes: figures,
    };
  } finally {
    await stack.stop();
  }
}
