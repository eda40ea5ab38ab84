import type { DeploymentPlan, Json, JsonObject, PlanOperation } from '../../../domain/plan.ts';
import type { DeploymentUpdateStep } from '../../../domain/resources.ts';
import { findResumableOperations, replaceOperationParameters } from '../../../store/operations.ts';
import type { Session } from '../../../store/session.ts';
import { asObject } from './documents.ts';

/** An operation whose declaration has changed, by where it runs. */
interface ChangedOperation {
  readonly nodeName: string;
  readonly operationName: string;
  /** Node at the other end, for operations of relationships. */
  readonly relatedNode: string | undefined;
  /** Whether the other end is the target. */
  readonly isRelatedTarget: boolean;
  readonly inputs: JsonObject;
  readonly hasFunctions: boolean;
}

/**
 * Gives operations that broke off, and would run when their execution is resumed, the inputs they are declared with
 * now.
 */
export async function refreshStoredOperations(
  session: Session,
  deploymentStorageId: number,
  steps: readonly DeploymentUpdateStep[],
  plan: DeploymentPlan,
): Promise<void> {
  const changed = steps.flatMap((step) => changedOperation(step, plan) ?? []);
  if (changed.length === 0) {
    return;
  }
  const stored = await findResumableOperations(
    session,
    deploymentStorageId,
    changed.map(({ nodeName }) => nodeName),
    changed.map(({ operationName }) => operationName),
  );
  const changes = stored.flatMap(({ id, parameters }) => {
    const task = asObject(parameters['task_kwargs']);
    const kwargs = asObject(task['kwargs']);
    const context = asObject(kwargs['__cloudify_context']);
    const operation = changed.find((candidate) => isMeant(candidate, context));
    if (!operation) {
      return [];
    }
    const __cloudify_context = { ...context, has_intrinsic_functions: operation.hasFunctions };
    const refreshed = { ...kwargs, ...operation.inputs, __cloudify_context };
    return [{ id, parameters: { ...parameters, task_kwargs: { ...task, kwargs: refreshed } } }];
  });
  if (changes.length > 0) {
    await replaceOperationParameters(session, changes);
  }
}

/** The operation of a step as the plan declares it; undefined for steps about something else. */
function changedOperation(step: DeploymentUpdateStep, plan: DeploymentPlan): ChangedOperation | undefined {
  const [, nodeName = '', member, ...rest] = step.entityId;
  if (step.entityType !== 'operation' || step.action === 'remove') {
    return undefined;
  }
  const node = plan.nodes.find(({ id }) => id === nodeName);
  if (member === 'operations') {
    const [operationName = ''] = rest;
    return describe(node?.operations[operationName], { nodeName, operationName });
  }
  const [index, side, operationName = ''] = rest;
  const relationship = node?.relationships[Number(index)];
  if (!relationship) {
    return undefined;
  }
  const isSource = side === 'source_operations';
  const target = relationship.target_id;
  return describe((isSource ? relationship.source_operations : relationship.target_operations)[operationName], {
    nodeName: isSource ? nodeName : target,
    operationName,
    relatedNode: isSource ? target : nodeName,
    isRelatedTarget: isSource,
  });
}

function describe(
  operation: PlanOperation | undefined,
  where: { nodeName: string; operationName: string; relatedNode?: string; isRelatedTarget?: boolean },
): ChangedOperation | undefined {
  return operation
    ? {
        relatedNode: undefined,
        isRelatedTarget: false,
        ...where,
        inputs: operation.inputs,
        hasFunctions: operation.has_intrinsic_functions,
      }
    : undefined;
}

function isMeant(operation: ChangedOperation, context: JsonObject): boolean {
  const related: Json | undefined = context['related'];
  return (
    context['node_name'] === operation.nodeName &&
    asObject(context['operation'])['name'] === operation.operationName &&
    asObject(related)['node_name'] === operation.relatedNode &&
    (operation.relatedNode === undefined || asObject(related)['is_target'] === operation.isRelatedTarget)
  );
}
