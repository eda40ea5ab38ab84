import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { nextOccurrence } from '../domain/recurrence.ts';
import type { RecurrenceRule } from '../domain/recurrence.ts';
import type { ExecutionSchedule } from '../domain/resources.ts';
import { getDeployment } from '../store/deployments.ts';
import {
  createExecutionSchedule,
  deleteExecutionSchedule,
  getExecutionSchedule,
  listExecutionSchedules,
  updateExecutionSchedule,
} from '../store/execution-schedules.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session } from '../store/session.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, requireOwnTenant } from './identifiers.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** What a client says of a schedule; undefined = as it is, or the default of a new one. */
export interface ScheduleRequest {
  readonly workflowId: string | undefined;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
  readonly rrule: string | undefined;
  readonly recurrence: string | undefined;
  readonly count: number | undefined;
  readonly weekdays: readonly string[] | undefined;
  /** Minutes. */
  readonly slip: number | undefined;
  readonly stopOnFail: boolean | undefined;
  readonly isEnabled: boolean | undefined;
  readonly parameters: JsonObject | undefined;
  readonly executionArguments: JsonObject | undefined;
  /** Of a new one. */
  readonly origin: Origin;
}

export interface ScheduleService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<ExecutionSchedule>>;
  get(caller: TenantCaller, deploymentId: string, id: string): Promise<ExecutionSchedule>;
  /** @throws GantryError nonexistent_workflow_error, conflict_error, bad_parameters_error */
  create(caller: TenantCaller, deploymentId: string, id: string, request: ScheduleRequest): Promise<ExecutionSchedule>;
  update(caller: TenantCaller, deploymentId: string, id: string, request: ScheduleRequest): Promise<ExecutionSchedule>;
  remove(caller: TenantCaller, deploymentId: string, id: string): Promise<void>;
  /** Occurrences that are still to come, `limit` at most. */
  occurrences(schedule: ExecutionSchedule, limit: number): Date[];
}

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** The rule a request makes of the stored one; a request without any part of a rule keeps it. */
function ruleOf(request: ScheduleRequest, stored: RecurrenceRule | undefined): RecurrenceRule {
  const { rrule, recurrence, count, weekdays } = request;
  const hasParts = recurrence !== undefined || count !== undefined || weekdays !== undefined;
  if (rrule !== undefined) {
    return hasParts ? refuse('`rrule` cannot be used together with `recurrence`, `weekdays` or `count`') : { rrule };
  }
  if (stored && !hasParts) {
    return stored;
  }
  const rule = {
    recurrence: recurrence ?? stored?.recurrence ?? null,
    count: count ?? stored?.count ?? null,
    weekdays: (weekdays ?? stored?.weekdays ?? null)?.map((day) => day.toUpperCase()) ?? null,
  };
  if (rule.recurrence === null && rule.count !== 1) {
    return refuse('recurrence must be specified for execution count larger than 1');
  }
  return rule;
}

/** The arguments executions are started with; others are dropped. */
function argumentsOf(given: JsonObject | undefined): JsonObject {
  const { allow_custom_parameters: custom, force, dry_run: dryRun, wait_after_fail: wait } = given ?? {};
  return {
    allow_custom_parameters: custom === true,
    force: force === true,
    is_dry_run: dryRun === true,
    wait_after_fail: typeof wait === 'number' ? wait : 600,
  };
}

/** Makes the use cases of schedules. */
export function createScheduleService({ database, clock }: ServiceDependencies): ScheduleService {
  const find = async (
    session: Session,
    caller: TenantCaller,
    deploymentId: string,
    id: string,
  ): Promise<ExecutionSchedule> => {
    const deployment = await getDeployment(session, scopeOf(caller), deploymentId, { fields: ['id'] });
    return getExecutionSchedule(session, scopeOf(caller), deployment.storageId, id);
  };
  const next = (rule: RecurrenceRule, since: Date, until: Date | undefined): Date | null =>
    nextOccurrence(rule, { since, until }, new Date(clock.now())) ?? null;
  return {
    list: (caller, query, isAllTenants) =>
      listExecutionSchedules(database, listScopeOf(caller, isAllTenants, 'execution_schedule_list'), query),

    get: (caller, deploymentId, id) => find(database, caller, deploymentId, id),

    async create(caller, deploymentId, id, request) {
      checkIdentifier('schedule_id', id);
      const { workflowId = refuse('Missing workflow_id'), since = refuse('Missing since') } = request;
      const rule = ruleOf(request, undefined);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const fields = ['id', 'workflows', 'visibility'];
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields });
        requireOwnTenant(caller, deployment);
        if (!deployment.workflows?.[workflowId]) {
          throw new GantryError(
            'nonexistent_workflow_error',
            `Workflow ${workflowId} does not exist in deployment ${deploymentId}`,
          );
        }
        return createExecutionSchedule(transaction, {
          id,
          tenantId: deployment.tenantId,
          creatorId: await ownerId(transaction, caller, request.origin.creator),
          createdAt: creationTime(caller, request.origin.createdAt),
          visibility: deployment.visibility,
          deploymentStorageId: deployment.storageId,
          workflowId,
          rule: rule as JsonObject,
          since,
          until: request.until,
          nextOccurrence: next(rule, since, request.until),
          slip: request.slip ?? 0,
          parameters: request.parameters ?? {},
          executionArguments: argumentsOf(request.executionArguments),
          stopOnFail: request.stopOnFail ?? false,
          isEnabled: request.isEnabled ?? true,
        });
      });
    },

    update: (caller, deploymentId, id, request) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const schedule = await find(transaction, caller, deploymentId, id);
        requireOwnTenant(caller, schedule);
        const rule = ruleOf(request, schedule.rule);
        const since = request.since ?? schedule.since ?? schedule.createdAt;
        const until = request.until ?? schedule.until;
        return updateExecutionSchedule(transaction, schedule.storageId, {
          rule: rule as JsonObject,
          since,
          until,
          nextOccurrence: next(rule, since, until),
          workflowId: request.workflowId,
          slip: request.slip,
          stopOnFail: request.stopOnFail,
          isEnabled: request.isEnabled,
          parameters: request.parameters,
        });
      }),

    remove: (caller, deploymentId, id) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const schedule = await find(transaction, caller, deploymentId, id);
        requireOwnTenant(caller, schedule);
        await deleteExecutionSchedule(transaction, schedule.storageId);
      }),

    occurrences({ rule, since, until, createdAt }, limit) {
      const span = { since: since ?? createdAt, until };
      const times: Date[] = [];
      let last = new Date(clock.now());
      while (times.length < limit) {
        const following = nextOccurrence(rule, span, last);
        if (!following) {
          break;
        }
        times.push(following);
        last = following;
      }
      return times;
    },
  };
}
