import type { StartOptions } from '../../src/client/resources/executions.ts';
import { startExecution } from '../../src/cli/commands/executions.ts';
import type { Stack } from './stack.ts';

const longestExecution = 600_000;

/**
 * Waits until an execution has ended, told by the database: a client that follows its events, or asks all the time,
 * would be measured too.
 * @throws Error unless it terminated
 */
async function untilTerminated(stack: Stack, executionId: string): Promise<void> {
  const execution = await stack.waiter.waitUntilEnded(executionId, longestExecution);
  if (execution?.status !== 'terminated') {
    const { status = 'gone', workflowId = '', error = '' } = execution ?? {};
    throw new Error(`${workflowId} ${executionId} is ${status}: ${error}`);
  }
}

/** Runs a workflow that has to succeed; the time counts from the request to the status `terminated`. */
export async function timeWorkflow(
  stack: Stack,
  deploymentId: string,
  workflow: string,
  options: StartOptions = {},
): Promise<{ executionId: string; seconds: number }> {
  const signal = new AbortController().signal;
  const started = performance.now();
  const { id } = await startExecution(stack.cluster.client, deploymentId, workflow, options, signal);
  await untilTerminated(stack, id);
  return { executionId: id, seconds: (performance.now() - started) / 1000 };
}
