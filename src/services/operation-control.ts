import type { OperationAction, OperationDecision } from '../domain/control.ts';
import type { EventInput, Execution, OperationRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { operationError } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { isExecutionEnded, isOperationTerminal } from '../domain/states.ts';
import { insertEvents } from '../store/events.ts';
import { lockQueue } from '../store/execution-queue.ts';
import { getExecution } from '../store/executions.ts';
import {
  announceControl,
  changeByDecision,
  decide,
  findContainers,
  findNextAttempt,
  lockExecution,
  reopenContainers,
  replaceParameters,
} from '../store/operation-control.ts';
import { addOperations, getOperation } from '../store/operations.ts';
import type { Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { controlEvent } from './control-event.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { resumeExecution } from './execution-actions.ts';
import { requireOwnTenant } from './identifiers.ts';

export interface OperationDecisionRequest {
  readonly action: OperationAction;
  /** Inputs to replace, of `edit` and `retry`. */
  readonly inputs: JsonObject | undefined;
  /** Of `done`. */
  readonly result: Json | undefined;
  readonly reason: string | undefined;
  /** Whether an execution that has ended goes on afterwards. */
  readonly isResumed: boolean;
}

const remoteType = 'RemoteWorkflowTask';
const verbs: Readonly<Record<OperationAction, string>> = {
  retry: 'to be tried again',
  skip: 'left out',
  done: 'taken as done',
  edit: 'given other inputs',
  step: 'let through',
};

/** One decision about one operation, within the transaction that stores it. */
interface Case {
  readonly dependencies: ServiceDependencies;
  readonly transaction: Transaction;
  readonly operation: OperationRow;
  readonly request: OperationDecisionRequest;
  readonly decision: OperationDecision;
}

/**
 * Decides about one operation of an execution, whether it runs, is held or has ended. The execution is locked against
 * its driver meanwhile; a driver is told once the decision is stored, and a later one finds it.
 * @returns the operation afterwards; of `retry` the new attempt
 * @throws GantryError not_found_error; illegal_action_error when the state of the operation does not allow it
 */
export async function decideOperation(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  target: { executionId: string; operationId: string },
  request: OperationDecisionRequest,
): Promise<OperationRow> {
  const { database, clock } = dependencies;
  return database.transactionAs(actorOf(caller), async (transaction) => {
    const execution = await getExecution(transaction, scopeOf(caller), target.executionId);
    requireOwnTenant(caller, execution);
    if (request.isResumed) {
      await lockQueue(transaction);
    }
    await lockExecution(transaction, execution.id);
    const operation = await getOperation(transaction, scopeOf(caller), target.operationId);
    if (operation.executionId !== execution.id || operation.type !== remoteType) {
      throw new GantryError('illegal_action_error', `${operation.id} is no operation of execution ${execution.id}`);
    }
    const decision: OperationDecision = {
      action: request.action,
      by: caller.user.username,
      at: new Date(clock.now()).toISOString(),
      ...(request.reason === undefined ? {} : { reason: request.reason }),
      ...(request.action === 'done' ? { result: request.result ?? null } : {}),
    };
    const id = await carryOut({ dependencies, transaction, operation, request, decision });
    await insertEvents(transaction, [eventOf(execution, operation, decision, clock.now())]);
    await announceControl(transaction, execution.id);
    const { status } = await getExecution(transaction, scopeOf(caller), execution.id);
    if (request.isResumed && request.action !== 'edit' && request.action !== 'step' && isExecutionEnded(status)) {
      await resumeExecution(dependencies, transaction, { ...execution, status }, false, true);
    }
    return getOperation(transaction, scopeOf(caller), id);
  });
}

async function carryOut(given: Case): Promise<string> {
  await requireLast(given);
  switch (given.request.action) {
    case 'retry':
      return retry(given);
    case 'skip':
    case 'done':
      return conclude(given);
    case 'edit':
      return edit(given);
    case 'step':
      return step(given);
  }
}

/** @throws GantryError illegal_action_error when a later attempt, of it or of a subgraph around it, counts instead */
async function requireLast({ transaction, operation }: Case): Promise<void> {
  const next = await findNextAttempt(transaction, operation.tasksGraphId, operation.id);
  if (next !== undefined) {
    throw refusal(operation, `it was tried again as ${next}: decide about that one`);
  }
  for (const container of await findContainers(transaction, operation.id)) {
    if ((await findNextAttempt(transaction, operation.tasksGraphId, container.id)) !== undefined) {
      throw refusal(operation, 'everything around it was tried again: decide about the operation of the later attempt');
    }
  }
}

/** Another attempt, as a row of its own so that this one stays to be looked at. */
async function retry(given: Case): Promise<string> {
  const { dependencies, transaction, operation, decision } = given;
  if (operation.state === 'succeeded') {
    throw refusal(operation, 'it has succeeded');
  }
  if (operation.state === 'pending') {
    if (numberOf(operation.parameters['current_retries']) === 0) {
      throw refusal(operation, 'it has not run yet');
    }
    // it waits for its next attempt already, which need not wait any longer
    await decide(transaction, operation.id, decision);
    return operation.id;
  }
  if (!isOperationTerminal(operation.state)) {
    const message = `Given up by ${decision.by}${decision.reason === undefined ? '' : `: ${decision.reason}`}`;
    const error = operationError({ kind: 'RecoverableError', message });
    const from = ['sending', 'sent', 'started', 'response-sent'] as const;
    if (!(await changeByDecision(transaction, operation.id, { from, to: 'failed', decision, error }))) {
      throw changedMeanwhile(operation);
    }
  }
  const id = dependencies.newId();
  const parameters: JsonObject = {
    ...withInputs(operation.parameters, given.request.inputs, id),
    retried_task: operation.id,
    current_retries: numberOf(operation.parameters['current_retries']) + 1,
  };
  const { name, type, dependencies: before } = operation;
  await addOperations(transaction, [
    { tasksGraphId: operation.tasksGraphId, operation: { id, name, type, dependencies: before, parameters } },
  ]);
  await decide(transaction, id, decision);
  await reopen(given);
  return id;
}

/** The operation counts as succeeded from now on: at once when it has failed, when its turn comes otherwise. */
async function conclude(given: Case): Promise<string> {
  const { transaction, operation, decision } = given;
  if (operation.state === 'succeeded') {
    throw refusal(operation, 'it has succeeded');
  }
  if (!isOperationTerminal(operation.state)) {
    await decide(transaction, operation.id, decision);
    return operation.id;
  }
  const from = ['failed', 'rescheduled'] as const;
  if (!(await changeByDecision(transaction, operation.id, { from, to: 'succeeded', decision }))) {
    throw changedMeanwhile(operation);
  }
  await reopen(given);
  return operation.id;
}

async function edit({ transaction, operation, request, decision }: Case): Promise<string> {
  if (operation.state !== 'pending') {
    throw refusal(operation, `its inputs are given away already: it is ${operation.state}`);
  }
  const parameters = withInputs(operation.parameters, request.inputs ?? {}, operation.id);
  if (!(await replaceParameters(transaction, operation.id, parameters, decision))) {
    throw changedMeanwhile(operation);
  }
  return operation.id;
}

async function step({ transaction, operation, decision }: Case): Promise<string> {
  if (operation.state !== 'pending') {
    throw refusal(operation, `it is not held back: it is ${operation.state}`);
  }
  await decide(transaction, operation.id, decision);
  return operation.id;
}

/** What failed because of the operation is open again. */
async function reopen({ transaction, operation }: Case): Promise<void> {
  const containers = await findContainers(transaction, operation.id);
  const failed = containers.filter(({ state }) => state === 'failed').map(({ id }) => id);
  if (failed.length > 0) {
    await reopenContainers(transaction, operation.executionId, failed);
  }
}

/** The stored parameters with other inputs; the context of the operation names its own id. */
function withInputs(parameters: JsonObject, inputs: JsonObject | undefined, id: string): JsonObject {
  const task = objectOf(parameters['task_kwargs']);
  const kwargs = objectOf(task['kwargs']);
  const { __cloudify_context: context, ...before } = kwargs;
  if (inputs && Object.hasOwn(inputs, '__cloudify_context')) {
    throw new GantryError('bad_parameters_error', '__cloudify_context is no input of an operation');
  }
  const kept = { ...objectOf(context), task_id: id };
  return {
    ...parameters,
    task_kwargs: { ...task, kwargs: { ...before, ...inputs, __cloudify_context: kept } },
  };
}

function eventOf(execution: Execution, operation: OperationRow, decision: OperationDecision, now: number): EventInput {
  const context = objectOf(objectOf(objectOf(operation.parameters['task_kwargs'])['kwargs'])['__cloudify_context']);
  const { name: full } = objectOf(context['operation']);
  const name = typeof full === 'string' ? full : (operation.name ?? '');
  const instance = context['node_id'];
  const reason = decision.reason === undefined ? '' : `: ${decision.reason}`;
  const where = typeof instance === 'string' ? ` of ${instance}` : '';
  const message = `Operation ${name}${where} is ${verbs[decision.action]}, says ${decision.by}${reason}`;
  return {
    ...controlEvent(execution, message, now),
    operation: name,
    ...(typeof instance === 'string' ? { nodeInstanceId: instance } : {}),
  };
}

function refusal(operation: OperationRow, why: string): GantryError {
  return new GantryError('illegal_action_error', `Operation ${operation.id} cannot be changed: ${why}`);
}

function changedMeanwhile(operation: OperationRow): GantryError {
  return new GantryError('conflict_error', `Operation ${operation.id} has changed meanwhile; look at it again`);
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function numberOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0;
}
