import type { JsonObject } from '../domain/plan.ts';
import type { WorkflowContext } from './context.ts';
import { selectionOf, uninstallInstances } from './lifecycle/graphs.ts';
import { booleanParameter, filterInstances, filterParameters } from './parameters.ts';

/** Uninstalls the chosen node instances; with `recursive`, the services of the deployment before. */
export async function uninstall(context: WorkflowContext): Promise<undefined> {
  const { parameters } = context;
  const isFailureIgnored = booleanParameter(parameters, 'ignore_failure', false);
  if (booleanParameter(parameters, 'recursive', false)) {
    context.log('info', 'Uninstalling service deployments recursively');
    await context.runOnServices(context.execution.workflowId, servicesParameters(parameters, isFailureIgnored));
    context.log('info', 'Service deployments uninstalled');
  }
  const chosen = filterInstances(context, filterParameters(parameters));
  await uninstallInstances(context, selectionOf(context, chosen), { isFailureIgnored });
}

function servicesParameters(parameters: JsonObject, isFailureIgnored: boolean): JsonObject {
  return { ...parameters, ignore_failure: isFailureIgnored, recursive: true };
}
