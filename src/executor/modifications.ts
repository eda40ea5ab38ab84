import type { Deployment, Execution } from '../domain/entities.ts';
import { WorkflowRefused } from '../workflows/errors.ts';
import type { Modifications } from '../workflows/context.ts';
import type { RunDependencies } from './executor.ts';

/** Changes of the number of instances of a deployment, for its workflows. */
export function makeModifications(
  _dependencies: RunDependencies,
  _execution: Execution,
  _deployment: Deployment,
): Modifications {
  const refuse = async (): Promise<never> => {
    throw new WorkflowRefused('Scaling is not available');
  };
  return { listStarted: refuse, start: refuse, finish: refuse, rollback: refuse };
}
