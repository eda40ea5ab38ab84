import type { JsonObject } from '../domain/plan.ts';
import type { TasksGraph } from '../graph/tasks-graph.ts';
import type { Modification, WorkflowContext } from './context.ts';
import { isWorkflowFailure, WorkflowRefused } from './errors.ts';
import { installInstances, rollbackInstances, uninstallInstances } from './lifecycle/graphs.ts';
import type { Selection } from './lifecycle/graphs.ts';
import { unresolvedStates } from './lifecycle/rollback.ts';
import { booleanParameter, textParameter } from './parameters.ts';
import { planScale } from './scale-instances.ts';
import type { ScalePlan } from './scale-instances.ts';

interface ScaleOptions {
  readonly isFailureIgnored: boolean;
  readonly isRolledBack: boolean;
  readonly isAborting: boolean;
}

/** Changes the number of instances of a node or a scaling group. */
export async function scale(context: WorkflowContext): Promise<undefined> {
  const name = textParameter(context.parameters, 'scalable_entity_name');
  await scaleEntity(context, name, booleanParameter(context.parameters, 'scale_compute', false));
}

/** The form of `scale` old blueprints name: it takes a node only. */
export async function scaleNode(context: WorkflowContext): Promise<undefined> {
  const name = textParameter(context.parameters, 'node_id');
  await scaleEntity(context, name, booleanParameter(context.parameters, 'scale_compute', true));
}

async function scaleEntity(context: WorkflowContext, name: string, isComputeScaled: boolean): Promise<void> {
  const options = optionsOf(context.parameters);
  const { isResume, isDryRun } = context.execution;
  const started = isResume ? await context.modifications.listStarted() : [];
  const isUnderWay = isResume && (await wasStored(context, name));
  if (isUnderWay && started.length === 0) {
    await finishInterrupted(context, name);
    return;
  }
  // Before anything is stored, what is started may be what had to be aborted.
  const own = isUnderWay || !options.isAborting ? started : [];
  const plan = planScale(context, name, isComputeScaled);
  if (!plan) {
    context.log('info', 'delta parameter is 0, so no scaling will take place.');
    return;
  }
  if (isDryRun) {
    context.log('info', `Would scale ${name} to ${plan.plannedInstances} instances.`);
    return;
  }
  if (own.length === 0 && options.isAborting) {
    await abortStarted(context, options);
  }
  const modification = await beginOrResume(context, plan, own);
  await context.refresh();
  context.log('info', `Deployment modification started. [modification_id=${modification.id}]`);
  await carryOut(context, plan, modification, options);
}

function optionsOf(parameters: JsonObject): ScaleOptions {
  return {
    isFailureIgnored: booleanParameter(parameters, 'ignore_failure', false),
    isRolledBack: booleanParameter(parameters, 'rollback_if_failed', true),
    isAborting: booleanParameter(parameters, 'abort_started', false),
  };
}

async function beginOrResume(
  context: WorkflowContext,
  plan: ScalePlan,
  started: readonly Modification[],
): Promise<Modification> {
  if (started.length > 1) {
    throw new WorkflowRefused(
      'scale can only be resumed when there is only one started deployment modification, but found ' +
        `${started.length}`,
    );
  }
  return (
    started[0] ??
    context.modifications.start({
      [plan.scaledId]: {
        instances: plan.plannedInstances,
        removedIdsIncludeHint: plan.include,
        removedIdsExcludeHint: plan.exclude,
      },
    })
  );
}

async function carryOut(
  context: WorkflowContext,
  plan: ScalePlan,
  modification: Modification,
  options: ScaleOptions,
): Promise<void> {
  try {
    await (plan.delta > 0
      ? scaleOut(context, plan, modification, options)
      : uninstallInstances(context, removedBy(context, modification), {
          prefix: `${plan.entityName}_`,
          isFailureIgnored: options.isFailureIgnored,
        }));
  } catch (error) {
    if (options.isRolledBack && isFailure(context, error)) {
      await rollBack(context, modification);
    }
    throw error;
  }
  await settle(context, modification, 'finish');
}

async function scaleOut(
  context: WorkflowContext,
  plan: ScalePlan,
  modification: Modification,
  options: ScaleOptions,
): Promise<void> {
  try {
    await installInstances(context, addedBy(context, modification), { prefix: `${plan.entityName}_` });
  } catch (error) {
    if (!isFailure(context, error)) {
      throw error;
    }
    if (!options.isRolledBack) {
      context.log('error', 'Scale out failed.');
      throw error;
    }
    context.log('error', 'Scale out failed, scaling back in.');
    await scaleBackIn(context, plan, modification, options);
    throw error;
  }
}

/** Undoes what a failed scale out has built, so that nothing is left running when the new instances are dropped. */
async function scaleBackIn(
  context: WorkflowContext,
  plan: ScalePlan,
  modification: Modification,
  options: ScaleOptions,
): Promise<void> {
  const prefix = `${plan.entityName}_`;
  const { isFailureIgnored } = options;
  try {
    await context.refresh();
    const { processed } = addedBy(context, modification);
    const broken = processed.filter((instance) => unresolvedStates.has(instance.state));
    await rollbackInstances(context, { processed: broken, intact: [] }, { prefix, isFailureIgnored });
    await context.refresh();
    await uninstallInstances(context, addedBy(context, modification), { prefix, isFailureIgnored });
  } catch (error) {
    if (!isFailure(context, error)) {
      throw error;
    }
    context.log('error', `Scaling back in failed: ${error.message}`);
  }
}

async function abortStarted(context: WorkflowContext, options: ScaleOptions): Promise<void> {
  for (const modification of await context.modifications.listStarted()) {
    context.log('info', `Rolling back deployment modification. [modification_id=${modification.id}]`);
    const added = addedBy(context, modification);
    if (added.processed.length > 0) {
      await uninstallInstances(context, added, {
        prefix: `abort_${modification.id}_`,
        isFailureIgnored: options.isFailureIgnored,
      });
    }
    await context.modifications.rollback(modification.id);
  }
}

async function rollBack(context: WorkflowContext, modification: Modification): Promise<void> {
  context.log('warning', `Rolling back deployment modification. [modification_id=${modification.id}]`);
  await settle(context, modification, 'rollback');
}

async function settle(context: WorkflowContext, modification: Modification, how: 'finish' | 'rollback'): Promise<void> {
  try {
    await context.modifications[how](modification.id);
  } catch (error) {
    context.log(
      'warning',
      `Deployment modification ${how} failed. The deployment model is most likely in some corrupted state. ` +
        `[modification_id=${modification.id}]`,
    );
    throw error;
  }
}

/** Whether the work itself failed; a cancelled scale keeps its modification, so that it can be resumed. */
function isFailure(context: WorkflowContext, error: unknown): error is Error {
  return isWorkflowFailure(error) && !context.signal.aborted;
}

function addedBy(context: WorkflowContext, modification: Modification): Selection {
  return select(context, modification.added);
}

function removedBy(context: WorkflowContext, modification: Modification): Selection {
  return select(context, modification.removed);
}

function select(context: WorkflowContext, part: Modification['added']): Selection {
  const find = (ids: readonly string[]): Selection['processed'] =>
    ids.flatMap((id) => context.topology.instances.get(id) ?? []);
  return { processed: find(part.instanceIds), intact: find(part.relatedIds) };
}

function graphNames(name: string): readonly string[] {
  return [`${name}_install`, `${name}_uninstall`];
}

async function wasStored(context: WorkflowContext, name: string): Promise<boolean> {
  for (const graphName of graphNames(name)) {
    if (await context.hasStoredGraph(graphName)) {
      return true;
    }
  }
  return false;
}

/**
 * Ends an execution that broke off after its modification had ended: with the outcome its graph had. Its operations
 * cannot run again, since a modification that ended has no instances to run them on.
 */
async function finishInterrupted(context: WorkflowContext, name: string): Promise<void> {
  const refuseToRun = (graph: TasksGraph): void => {
    const states = new Set([...graph.tasks.values()].map((task) => task.action.kind === 'remote' && task.state));
    if (states.has('pending') && !states.has('failed') && !states.has('rescheduled')) {
      throw new WorkflowRefused('scale cannot be resumed: its deployment modification was rolled back. Run it again');
    }
  };
  for (const graphName of graphNames(name)) {
    if (await context.hasStoredGraph(graphName)) {
      await context.runGraph(graphName, () => undefined, { onRestored: refuseToRun });
      return;
    }
  }
}
