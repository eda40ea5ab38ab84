import type { WorkflowContext } from './context.ts';
import { rollbackInstances, selectionOf, uninstallInstances } from './lifecycle/graphs.ts';
import { unresolvedStates } from './lifecycle/rollback.ts';
import { booleanParameter, filterInstances, filterParameters } from './parameters.ts';
import { viewOf } from './topology-view.ts';

/**
 * Brings the chosen instances whose installation broke off back to their last settled state; with `full_rollback`,
 * uninstalls everything afterwards.
 */
export async function rollback(context: WorkflowContext): Promise<undefined> {
  const chosen = filterInstances(context, filterParameters(context.parameters));
  const unresolved = chosen.filter((instance) => unresolvedStates.has(instance.state));
  await rollbackInstances(context, selectionOf(context, unresolved));
  if (booleanParameter(context.parameters, 'full_rollback', false)) {
    await context.refresh();
    const all = viewOf(context.topology).instances;
    await uninstallInstances(context, { processed: all, intact: [] }, { prefix: 'uninstall-a' });
  }
}
