import type { WorkflowContext } from './context.ts';
import { reinstallInstances, selectionOf } from './lifecycle/graphs.ts';
import { booleanParameter, filterInstances, filterParameters } from './parameters.ts';

/** Uninstalls all chosen node instances, then installs them again. */
export async function reinstall(context: WorkflowContext): Promise<undefined> {
  const chosen = filterInstances(context, filterParameters(context.parameters));
  await reinstallInstances(context, selectionOf(context, chosen), {
    isFailureIgnored: booleanParameter(context.parameters, 'ignore_failure', false),
  });
}
