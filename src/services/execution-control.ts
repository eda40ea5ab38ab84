import type { Breakpoint } from '../domain/control.ts';
import type { Execution, OperationRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { isExecutionEnded } from '../domain/states.ts';
import { insertEvents } from '../store/events.ts';
import { applyExecutionStatus } from '../store/execution-effects.ts';
import { changeExecutionStatus, getExecution } from '../store/executions.ts';
import { announceControl, decideHeld, lockExecution, replaceBreakpoints } from '../store/operation-control.ts';
import { listOperations } from '../store/operations.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { controlEvent } from './control-event.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { planExecution } from './execution-plan.ts';
import type { ExecutionPlan, PlanRequest } from './execution-plan.ts';
import { requireOwnTenant } from './identifiers.ts';
import { decideOperation } from './operation-control.ts';
import type { OperationDecisionRequest } from './operation-control.ts';

/** Steering executions while they run, and looking at what their operations did. */
export interface ExecutionControlService {
  get(caller: TenantCaller, id: string): Promise<Execution>;
  /**
   * Replaces the breakpoints of an execution that has not ended.
   * @throws GantryError illegal_action_error, not_found_error
   */
  setBreakpoints(caller: TenantCaller, id: string, breakpoints: readonly Breakpoint[]): Promise<Execution>;
  /** Lets all operations through that are held back now. @returns how many */
  step(caller: TenantCaller, id: string): Promise<number>;
  /** See `decideOperation`. */
  decide(
    caller: TenantCaller,
    target: { executionId: string; operationId: string },
    request: OperationDecisionRequest,
  ): Promise<OperationRow>;
  /** See `planExecution`. */
  plan(caller: TenantCaller, request: PlanRequest): Promise<ExecutionPlan>;
  /** Operations of an execution with everything known about their attempts. */
  operations(caller: TenantCaller, id: string, query: ListQuery): Promise<Page<OperationRow>>;
}

const operationType = 'RemoteWorkflowTask';

/** Makes the use cases of steering executions. */
export function createExecutionControlService(dependencies: ServiceDependencies): ExecutionControlService {
  const { database, clock } = dependencies;
  const change = async <Result>(
    caller: TenantCaller,
    id: string,
    work: (transaction: Transaction, execution: Execution) => Promise<Result>,
  ): Promise<Result> =>
    database.transactionAs(actorOf(caller), async (transaction) => {
      const execution = await getExecution(transaction, scopeOf(caller), id);
      requireOwnTenant(caller, execution);
      const status = await lockExecution(transaction, id);
      if (status === undefined || isExecutionEnded(status)) {
        throw new GantryError('illegal_action_error', `Execution ${id} has ended: it cannot be controlled any more`);
      }
      return work(transaction, execution);
    });
  return {
    get: (caller, id) => getExecution(database, scopeOf(caller), id),

    setBreakpoints: (caller, id, breakpoints) =>
      change(caller, id, async (transaction, execution) => {
        await replaceBreakpoints(transaction, id, breakpoints);
        const what =
          breakpoints.length === 0
            ? 'Breakpoints removed'
            : `Breakpoints set: ${breakpoints.map(describeBreakpoint).join('; ')}`;
        await insertEvents(transaction, [controlEvent(execution, `${what}, by ${caller.user.username}`, clock.now())]);
        await announceControl(transaction, id);
        return getExecution(transaction, scopeOf(caller), id);
      }),

    step: (caller, id) =>
      change(caller, id, async (transaction, execution) => {
        const decision = { action: 'step', by: caller.user.username, at: new Date(clock.now()).toISOString() } as const;
        const count = await decideHeld(transaction, id, decision);
        if (count === 0) {
          throw new GantryError('illegal_action_error', `No operation of execution ${id} is held back`);
        }
        const message = `${count} operation${count === 1 ? '' : 's'} let through, by ${decision.by}`;
        await insertEvents(transaction, [controlEvent(execution, message, clock.now())]);
        await announceControl(transaction, id);
        return count;
      }),

    decide: (caller, target, request) => decideOperation(dependencies, caller, target, request),

    plan: (caller, request) => planExecution(dependencies, caller, request),

    async operations(caller, id, query) {
      await getExecution(database, scopeOf(caller), id);
      const filters = { ...query.filters, type: [operationType] };
      return listOperations(database, scopeOf(caller), { executionId: id }, { ...query, filters });
    },
  };
}

/**
 * Pauses an execution (what runs goes on, nothing new starts), or lets it go on.
 * @throws GantryError illegal_action_error when its status does not allow it
 */
export async function changePause(
  { clock }: ServiceDependencies,
  transaction: Transaction,
  execution: Execution,
  event: 'pause' | 'unpause',
  caller: TenantCaller,
): Promise<void> {
  const changed = await changeExecutionStatus(transaction, execution.id, { event });
  if (!changed) {
    const { id, status } = execution;
    throw new GantryError('illegal_action_error', `Can't ${event} execution ${id} because it's in status ${status}`);
  }
  await applyExecutionStatus(transaction, changed);
  const message = `Execution ${event}d by ${caller.user.username}`;
  await insertEvents(transaction, [controlEvent(changed, message, clock.now())]);
}

/** E.g. `operation start, node db`. */
function describeBreakpoint({ operation, nodeId, nodeInstanceId, type }: Breakpoint): string {
  const parts = [
    operation === undefined ? [] : [`operation ${operation}`],
    nodeId === undefined ? [] : [`node ${nodeId}`],
    nodeInstanceId === undefined ? [] : [`node instance ${nodeInstanceId}`],
    type === undefined ? [] : [`type ${type}`],
  ].flat();
  return parts.length === 0 ? 'every operation' : parts.join(', ');
}
