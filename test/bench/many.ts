import { noopBlueprint, uploadBlueprint, writeBlueprint } from '../kit/blueprints.ts';
import { until } from '../kit/until.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { eachOf, memoryOf, withStack } from './stack-use.ts';
import type { Stack } from './stack.ts';
import { timeWorkflow } from './workflow-time.ts';

const inFlight = 32;

async function upload(stack: Stack, id: string, blueprint: object): Promise<void> {
  const written = await writeBlueprint(blueprint);
  try {
    await uploadBlueprint(stack.cluster.client, id, written.path);
  } finally {
    await written.dispose();
  }
}

async function countExecutions(stack: Stack, workflow: string, status: string): Promise<number> {
  const [row] = await stack.database.query<{ count: number }>(
    'select count(*) as count from executions where workflow_id = $1 and status = $2',
    [workflow, status],
  );
  return row?.count ?? 0;
}

/** Deployments per second that a busy manager should take. */
const aimedAt = 50;

/** Creates and installs many deployments of one node each, as fast as clients that wait for each other's turn can. */
export async function benchDeployments(count: number, log: (line: string) => void): Promise<BenchmarkResult> {
  return withStack({}, async (stack) => {
    const { client } = stack.cluster;
    await upload(stack, 'small', noopBlueprint(1));
    const started = performance.now();
    await eachOf(count, inFlight, async (index) => {
      await client.deployments.create(`small-${index}`, 'small', { inputs: {} });
      await timeWorkflow(stack, `small-${index}`, 'install');
    });
    const seconds = (performance.now() - started) / 1000;
    const installed = await countExecutions(stack, 'install', 'terminated');
    if (installed !== count) {
      throw new Error(`${installed} of ${count} deployments are installed`);
    }
    const value = rounded(count / seconds);
    log(`${count} deployments created and installed in ${rounded(seconds)} s`);
    return {
      scenario: 'deployments',
      value,
      unit: 'deployments/s',
      limit: aimedAt,
      limitUnit: 'deployments/s aimed at',
      ratio: rounded(value / aimedAt),
      count,
      seconds: rounded(seconds),
      ...memoryOf(stack),
    };
  });
}

/** Memory of the executor while many executions wait for one slow operation each. */
export async function benchConcurrent(count: number, log: (line: string) => void): Promise<BenchmarkResult> {
  const environment = { GANTRY_MAX_OPERATIONS: String(count) };
  return withStack({ environment }, async (stack) => {
    const { client } = stack.cluster;
    await upload(stack, 'slow', slowBlueprint);
    await eachOf(count, inFlight, async (index) => {
      await client.deployments.create(`slow-${index}`, 'slow', { inputs: {} });
    });
    await until(
      'all deployments',
      async () => (await countExecutions(stack, 'create_deployment_environment', 'terminated')) === count,
      600,
    );
    await eachOf(count, inFlight, async (index) => {
      await client.executions.start(`slow-${index}`, 'install');
    });
    const runs = async (): Promise<number> => {
      const [row] = await stack.database.query<{ count: number }>(
        `select count(*) as count from operations where type = 'RemoteWorkflowTask' and state = 'started'`,
      );
      return row?.count ?? 0;
    };
    await until('all executions to wait', async () => (await runs()) === count, 600);
    const memory = memoryOf(stack);
    const executors = Object.entries(memory.peakRssByProcessMiB).filter(([name]) => name.startsWith('executor'));
    const value = Math.max(...executors.map(([, used]) => used));
    const limit = 300;
    log(`${count} executions wait at once; the executor's peak is ${value} MiB`);
    return {
      scenario: 'concurrent',
      value,
      unit: 'MiB of the executor',
      limit,
      limitUnit: 'MiB at most',
      ratio: rounded(value / limit),
      count,
      ...memory,
    };
  });
}

const slowBlueprint = {
  ...noopBlueprint(1),
  node_templates: {
    worker: {
      type: 'cloudify.nodes.Root',
      interfaces: {
        'cloudify.interfaces.lifecycle': { create: { implementation: 'gantry.sleep', inputs: { seconds: 3600 } } },
      },
    },
  },
};
