import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded } from '../../src/client/follow.ts';
import type { GantryClient } from '../../src/client/client.ts';
import type { StartOptions } from '../../src/client/resources/executions.ts';
import { startExecution } from '../../src/cli/commands/executions.ts';

const pollInterval = 20;

/**
 * Waits until an execution has ended, by asking for its status alone: reading all its events meanwhile would measure
 * the reader.
 * @throws Error unless it terminated
 */
export async function untilTerminated(client: GantryClient, executionId: string): Promise<void> {
  for (;;) {
    const execution = await client.executions.get(executionId);
    if (execution.status === 'terminated') {
      return;
    }
    if (hasEnded(execution)) {
      throw new Error(`${execution.workflow_id} ended ${execution.status}: ${execution.error ?? ''}`);
    }
    await delay(pollInterval);
  }
}

/** Runs a workflow that has to succeed; the time counts from the request to the status `terminated`. */
export async function timeWorkflow(
  client: GantryClient,
  deploymentId: string,
  workflow: string,
  options: StartOptions = {},
): Promise<{ executionId: string; seconds: number }> {
  const signal = new AbortController().signal;
  const started = performance.now();
  const { id } = await startExecution(client, deploymentId, workflow, options, signal);
  await untilTerminated(client, id);
  return { executionId: id, seconds: (performance.now() - started) / 1000 };
}
