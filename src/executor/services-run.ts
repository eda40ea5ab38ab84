import type { Deployment, Execution } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import { WorkflowRefused } from '../workflows/errors.ts';
import type { RunDependencies } from './executor.ts';

/** Runs a workflow on every deployment that is a service of the given one and waits until all have ended. */
export async function runOnServices(
  _dependencies: RunDependencies,
  _execution: Execution,
  _deployment: Deployment,
  request: { workflowId: string; parameters: JsonObject; signal: AbortSignal },
): Promise<void> {
  throw new WorkflowRefused(`Running ${request.workflowId} on services is not available`);
}
