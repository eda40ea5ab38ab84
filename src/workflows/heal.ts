import type { NodeInstance } from '../domain/topology.ts';
import { runStatusChecks } from './check-status.ts';
import type { WorkflowContext } from './context.ts';
import { isWorkflowFailure, WorkflowRefused } from './errors.ts';
import { findHealthy, planHealing, takeMarked } from './health.ts';
import { healInstances, refreshed, reinstallInstances, selectionOf } from './lifecycle/graphs.ts';
import { booleanParameter } from './parameters.ts';
import { viewOf } from './topology-view.ts';

/** How many instances an error names. */
const namedInstances = 5;

/** Heals what does not pass its status check, or reinstalls it where healing is not possible or fails. */
export async function heal(context: WorkflowContext): Promise<undefined> {
  const { parameters } = context;
  const isFailureIgnored = booleanParameter(parameters, 'ignore_failure', true);
  const isReinstallAllowed = booleanParameter(parameters, 'allow_reinstall', true);
  const failing = parameters['node_instance_id'];
  const failingId = typeof failing === 'string' && failing !== '' ? failing : undefined;
  announce(context, failingId);
  const targets = findTargets(context, failingId);
  if (booleanParameter(parameters, 'force_reinstall', false)) {
    await reinstallInstances(context, selectionOf(context, targets), { isFailureIgnored });
    return;
  }
  if (booleanParameter(parameters, 'check_status', true)) {
    await runStatusChecks(context, { instances: targets, isOrdered: false, isFailureIgnored: true });
    await context.refresh();
  }
  const toReinstall = await healOrChoose(
    context,
    present(context, targets),
    failingId !== undefined,
    isReinstallAllowed,
  );
  assertReinstallAllowed(toReinstall, isReinstallAllowed);
  if (toReinstall.length > 0) {
    await reinstallInstances(context, selectionOf(context, toReinstall), { isFailureIgnored });
  }
}

function announce(context: WorkflowContext, failingId: string | undefined): void {
  const diagnosis = context.parameters['diagnose_value'] ?? 'Not provided';
  const what = failingId ?? `'${context.execution.deploymentId}' deployment`;
  const reason = typeof diagnosis === 'string' ? diagnosis : JSON.stringify(diagnosis);
  context.log('info', `Starting 'heal' workflow ${failingId ? 'on' : 'for'} ${what}, Diagnosis: ${reason}`);
}

/** The failing instance with everything on its host, or all instances. */
function findTargets(context: WorkflowContext, failingId: string | undefined): NodeInstance[] {
  const view = viewOf(context.topology);
  const roots = failingId === undefined ? view.instances : [view.instance(failingId)];
  const targets = new Set<NodeInstance>();
  for (const instance of roots) {
    if (!targets.has(instance)) {
      const host = instance.hostId === undefined ? undefined : context.topology.instances.get(instance.hostId);
      view.containedSubtree(host ?? instance).forEach((member) => targets.add(member));
    }
  }
  return [...targets];
}

/** Heals what can be healed; answers with what has to be reinstalled. */
async function healOrChoose(
  context: WorkflowContext,
  targets: readonly NodeInstance[],
  isTargeted: boolean,
  isReinstallAllowed: boolean,
): Promise<NodeInstance[]> {
  const { toHeal, toReinstall } = planHealing(context, targets, findHealthy(targets, isTargeted));
  assertReinstallAllowed(toReinstall, isReinstallAllowed);
  if (toHeal.length === 0) {
    return [...toReinstall];
  }
  try {
    await healInstances(context, selectionOf(context, toHeal));
  } catch (error) {
    if (!isWorkflowFailure(error) || context.signal.aborted) {
      throw error;
    }
    context.log('error', `Error running heal: ${error.message}`);
  }
  await context.refresh();
  const failed = await takeMarked(context, present(context, toHeal), 'heal_failed');
  const known = new Set(toReinstall.map((instance) => instance.id));
  return [...present(context, toReinstall), ...failed.filter((instance) => !known.has(instance.id))];
}

function present(context: WorkflowContext, instances: readonly NodeInstance[]): readonly NodeInstance[] {
  return refreshed(context, { processed: instances, intact: [] }).processed;
}

function assertReinstallAllowed(toReinstall: readonly NodeInstance[], isAllowed: boolean): void {
  if (toReinstall.length === 0 || isAllowed) {
    return;
  }
  const names = toReinstall
    .slice(0, namedInstances)
    .map((instance) => instance.id)
    .join(', ');
  const more = toReinstall.length > namedInstances ? ` (and ${toReinstall.length - namedInstances} more)` : '';
  throw new WorkflowRefused(`allow_reinstall is false, but would need to reinstall instances: ${names}${more}`);
}
