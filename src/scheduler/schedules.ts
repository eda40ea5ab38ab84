import type { Clock, IdGenerator } from '../domain/clock.ts';
import { coerceError } from '../domain/errors.ts';
import type { Deployment } from '../domain/entities.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { nextOccurrence } from '../domain/recurrence.ts';
import type { ExecutionSchedule } from '../domain/resources.ts';
import { isExecutionEnded } from '../domain/states.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import { findDeployment } from '../store/deployments.ts';
import { nextScheduleTime, takeDueSchedules, updateExecutionSchedule } from '../store/execution-schedules.ts';
import type { ExecutionScheduleUpdate } from '../store/execution-schedules.ts';
import { createExecutions } from '../store/executions.ts';
import { readMaintenance } from '../store/maintenance.ts';
import type { Transaction } from '../store/session.ts';

const batchSize = 100;
const longestTimer = 24 * 3600 * 1000;
const maintenancePause = 60_000;
/** Milliseconds an occurrence may be late beside its slip. */
const tolerance = 60_000;

export interface ScheduleDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly log: Logger;
}

/**
 * Queues the executions of schedules that are due.
 *
 * Compatibility: Cloudify 7 schedules: an occurrence is left out while the previous execution still runs or when it is
 * too late; a schedule may end with the first failure.
 *
 * @returns milliseconds until the next one is due, undefined when none is
 */
export async function runDueSchedules(dependencies: ScheduleDependencies): Promise<number | undefined> {
  const { database, clock } = dependencies;
  if ((await readMaintenance(database))?.status === 'activated') {
    return maintenancePause;
  }
  const count = await database.transaction(async (transaction) => {
    const schedules = await takeDueSchedules(transaction, batchSize);
    for (const schedule of schedules) {
      await updateExecutionSchedule(transaction, schedule.storageId, {
        ...(await fire(transaction, dependencies, schedule)),
        nextOccurrence: following(dependencies, schedule),
      });
    }
    return schedules.length;
  });
  if (count === batchSize) {
    return 0;
  }
  const next = await nextScheduleTime(database);
  return next === undefined ? undefined : Math.min(longestTimer, Math.max(0, next.getTime() - clock.now()));
}

function following({ clock, log }: ScheduleDependencies, schedule: ExecutionSchedule): Date | null {
  const since = schedule.since ?? schedule.createdAt;
  try {
    const span = { since, until: schedule.until };
    return nextOccurrence(schedule.rule, span, new Date(clock.now())) ?? null;
  } catch (thrown) {
    log.warn('A schedule with an invalid recurrence rule was disabled', {
      schedule: schedule.id,
      deployment: schedule.deploymentId,
      reason: coerceError(thrown).message,
    });
    return null;
  }
}

/** Queues the execution of a schedule where nothing speaks against it. @returns what changes in the schedule */
async function fire(
  transaction: Transaction,
  { clock, newId, log }: ScheduleDependencies,
  schedule: ExecutionSchedule,
): Promise<ExecutionScheduleUpdate> {
  const details = { schedule: schedule.id, deployment: schedule.deploymentId };
  const { latestExecutionStatus } = schedule;
  const lateness = clock.now() - (schedule.nextOccurrence?.getTime() ?? 0);
  if (lateness > schedule.slip * 60_000 + tolerance) {
    log.warn('An occurrence of a schedule was skipped: it is later than its slip allows', details);
    return {};
  }
  if (latestExecutionStatus !== undefined && !isExecutionEnded(latestExecutionStatus)) {
    log.info('An occurrence of a schedule was skipped: its previous execution has not ended', details);
    return {};
  }
  if (schedule.stopOnFail && latestExecutionStatus === 'failed') {
    log.info('A schedule ends, since its previous execution failed', details);
    return { isEnabled: false };
  }
  const deployment = await findDeployment(transaction, schedule.deploymentStorageId);
  const workflow = deployment?.workflows?.[schedule.workflowId];
  if (!deployment || !workflow) {
    log.warn('A schedule names a workflow that its deployment does not have', {
      ...details,
      workflow: schedule.workflowId,
    });
    return {};
  }
  const [execution] = await createExecutions(transaction, [
    {
      id: newId(),
      tenantId: deployment.tenantId,
      creatorId: await creatorOf(transaction, schedule),
      visibility: deployment.visibility,
      workflowId: schedule.workflowId,
      status: 'queued',
      parameters: withDefaults(deployment, schedule),
      requestedParameters: schedule.parameters ?? {},
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
      ...argumentsOf(schedule.executionArguments),
    },
  ]);
  return execution ? { latestExecutionStorageId: execution.storageId } : {};
}

async function creatorOf(transaction: Transaction, schedule: ExecutionSchedule): Promise<number> {
  const [row] = await transaction.prepared<{ id: number }>(
    'select creator_id as id from execution_schedules where storage_id = $1',
    [schedule.storageId],
  );
  return row?.id ?? 0;
}

function withDefaults(deployment: Deployment, schedule: ExecutionSchedule): JsonObject {
  const declared = deployment.workflows?.[schedule.workflowId]?.parameters ?? {};
  const defaults = Object.entries(declared).flatMap(([name, { default: value }]): [string, Json][] =>
    value === undefined ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(defaults), ...schedule.parameters };
}

function argumentsOf(given: JsonObject): {
  allowCustomParameters: boolean;
  isForced: boolean;
  isDryRun: boolean;
  waitAfterFail?: number;
} {
  const waitAfterFail = given['wait_after_fail'];
  return {
    allowCustomParameters: given['allow_custom_parameters'] === true,
    isForced: given['force'] === true,
    isDryRun: given['is_dry_run'] === true || given['dry_run'] === true,
    ...(typeof waitAfterFail === 'number' ? { waitAfterFail } : {}),
  };
}
