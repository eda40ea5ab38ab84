import type { GantryClient } from '../../src/client/client.ts';
import { deploy, mustRun, noopBlueprint } from '../kit/blueprints.ts';
import { measureRoundTrips } from './raw-round-trip.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { startStack } from './stack.ts';

const operationsPerInstance = 3;

interface InstallFigures {
  instances: number;
  operations: number;
  seconds: number;
  operationsPerSecond: number;
}

/** Installs one node template with `instances` instances, three operations each, and checks what is stored. */
async function measureInstall(client: GantryClient, instances: number, name: string): Promise<InstallFigures> {
  await deploy(client, name, noopBlueprint(instances));
  const started = performance.now();
  const { execution } = await mustRun(client, name, 'install');
  const seconds = (performance.now() - started) / 1000;
  const operations = instances * operationsPerInstance;
  const { metadata } = await client.deployments.nodeInstances({
    filters: { deployment_id: name, state: 'started' },
    size: 1,
  });
  if (metadata.pagination.total !== instances) {
    throw new Error(`${metadata.pagination.total} of ${instances} instances are started`);
  }
  if (execution.finished_operations !== execution.total_operations || execution.total_operations < operations) {
    throw new Error(`${execution.finished_operations} of ${execution.total_operations} operations are finished`);
  }
  const { metadata: events } = await client.executions.events({
    filters: { execution_id: execution.id, event_type: 'task_succeeded' },
    withLogs: false,
    size: 1,
  });
  if (events.pagination.total < operations) {
    throw new Error(`${events.pagination.total} events tell of ${operations} operations`);
  }
  return { instances, operations, seconds: rounded(seconds), operationsPerSecond: rounded(operations / seconds) };
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
    const { client } = stack.cluster;
    const limit = await measureRoundTrips(await stack.rabbitmq.createVhost('bench'));
    log(`broker alone: ${limit.perSecond} round trips/s with 100 in flight`);
    // the first execution compiles code and fills caches; it is not what is measured
    await measureInstall(client, 20, 'warm-up');
    const figures: InstallFigures[] = [];
    for (const count of instances) {
      const processorBefore = stack.processorSeconds();
      const figure = await measureInstall(client, count, `install-${count}`);
      figures.push(figure);
      const processor = rounded(stack.processorSeconds() - processorBefore);
      log(`${count} instances: ${figure.seconds} s, ${figure.operationsPerSecond} operations/s, ${processor} CPU s`);
    }
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
      peakRssMiB: peaks.total,
      peakRssByProcessMiB: peaks.byProcess,
      sizes: figures,
    };
  } finally {
    await stack.stop();
  }
}
