import type { WorkflowContext } from './context.ts';
import { installInstances, selectionOf } from './lifecycle/graphs.ts';
import { filterInstances, filterParameters } from './parameters.ts';

/** Installs the chosen node instances. */
export async function install(context: WorkflowContext): Promise<undefined> {
  const chosen = filterInstances(context, filterParameters(context.parameters));
  await installInstances(context, selectionOf(context, chosen));
}
