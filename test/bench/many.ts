import { noopBlueprint, uploadBlueprint, writeBlueprint } from '../kit/blueprints.ts';
import { until } from '../kit/until.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { describeUse, eachOf, memoryOf, processorUse, withStack } from './stack-use.ts';
import type { Stack } from './stack.ts';

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
const creation = 'create_deployment_environment';
const warmUps = 50;

/** Executions of the group that may run at once. */
const concurrency = 20;

/** Waits until that many executions of a workflow have terminated. @throws Error when one failed instead */
async function untilAllTerminated(stack: Stack, workflow: string, count: number): Promise<void> {
  await until(
    `${count} executions of ${workflow}`,
    async () => {
      const failed = await countExecutions(stack, workflow, 'failed');
      if (failed > 0) {
        throw new Error(`${failed} executions of ${workflow} failed`);
      }
      return (await countExecutions(stack, workflow, 'terminated')) === count;
    },
    600,
  );
}

/** Creates a group of deployments of one node each and installs it; time counts from the request to the last install. */
async function measureGroup(stack: Stack, id: string, count: number): Promise<{ create: number; install: number }> {
  const { client } = stack.cluster;
  const terminated = async (workflow: string): Promise<number> => countExecutions(stack, workflow, 'terminated');
  const before = { create: await terminated(creation), install: await terminated('install') };
  const started = performance.now();
  const newDeployments = Array.from({ length: count }, (_, index) => ({ id: `${id}-${index}` }));
  await client.deploymentGroups.put(id, { blueprintId: 'small', newDeployments });
  await untilAllTerminated(stack, creation, before.create + count);
  const created = performance.now();
  await client.executionGroups.start(id, 'install', { concurrency });
  await untilAllTerminated(stack, 'install', before.install + count);
  return { create: (created - started) / 1000, install: (performance.now() - created) / 1000 };
}

/** Creates and installs many deployments of one node each as a group. */
export async function benchDeployments(count: number, log: (line: string) => void): Promise<BenchmarkResult> {
  return withStack({}, async (stack) => {
    await upload(stack, 'small', noopBlueprint(1));
    await measureGroup(stack, 'warm-up', warmUps);
    const before = stack.processorSeconds();
    const seconds = await measureGroup(stack, 'small', count);
    const used = processorUse(before, stack.processorSeconds());
    const value = rounded(count / (seconds.create + seconds.install));
    log(
      `${count} deployments created in ${rounded(seconds.create)} s, installed in ${rounded(seconds.install)} s; ` +
        `processor milliseconds of each: ${describeUse(used, count)}`,
    );
    return {
      scenario: 'deployments',
      value,
      unit: 'deployments/s',
      limit: aimedAt,
      limitUnit: 'deployments/s aimed at',
      ratio: rounded(value / aimedAt),
      count,
      seconds: { create: rounded(seconds.create), install: rounded(seconds.install) },
      processorSeconds: used,
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
    await until('all deployments', async () => (await countExecutions(stack, creation, 'terminated')) === count, 600);
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
