import { GantryError, ifFound } from '../../domain/errors.ts';
import type { Deployment } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { nextOccurrence } from '../../domain/recurrence.ts';
import { addGroupMembers, createDeploymentGroup, getDeploymentGroup } from '../../store/deployment-groups.ts';
import {
  createExecutionSchedule,
  listExecutionSchedules,
  updateExecutionSchedule,
} from '../../store/execution-schedules.ts';
import type { NewExecutionSchedule } from '../../store/execution-schedules.ts';
import type { Session } from '../../store/session.ts';

/** For whom groups and schedules are made. */
export interface SettingsOwner {
  readonly deployment: Deployment;
  readonly creatorId: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Makes a deployment a member of the groups its blueprint names; a group that is not there is made. */
export async function joinDefaultGroups(session: Session, owner: SettingsOwner, groups: Json): Promise<void> {
  const names = Array.isArray(groups) ? groups.filter((name) => typeof name === 'string') : [];
  const { storageId, tenantId, visibility } = owner.deployment;
  for (const id of new Set(names)) {
    const group =
      (await ifFound(getDeploymentGroup(session, { tenantId }, id, { fields: ['id'] }))) ??
      (await createDeploymentGroup(session, { id, tenantId, creatorId: owner.creatorId, visibility }));
    await addGroupMembers(session, group.storageId, [storageId]);
  }
}

/** Makes the schedules a blueprint brings. Times that begin with `+` count from now. */
export async function addDefaultSchedules(session: Session, owner: SettingsOwner, schedules: Json): Promise<void> {
  for (const [id, schedule] of Object.entries(asObject(schedules))) {
    await addSchedule(session, owner, id, asObject(schedule));
  }
}

/** Like `addDefaultSchedules`; schedules the deployment has already under these ids are changed. */
export async function putDefaultSchedules(session: Session, owner: SettingsOwner, schedules: Json): Promise<void> {
  const wanted = Object.entries(asObject(schedules));
  if (wanted.length === 0) {
    return;
  }
  const { deployment } = owner;
  const { items } = await listExecutionSchedules(
    session,
    { tenantId: deployment.tenantId },
    { all: true, filters: { deploymentId: [deployment.id] } },
  );
  const known = new Map(
    items.filter((item) => item.deploymentStorageId === deployment.storageId).map((item) => [item.id, item]),
  );
  for (const [id, schedule] of wanted) {
    const stored = known.get(id);
    if (stored) {
      await updateExecutionSchedule(session, stored.storageId, scheduleOf(owner, id, asObject(schedule)));
    } else {
      await addSchedule(session, owner, id, asObject(schedule));
    }
  }
}

async function addSchedule(session: Session, owner: SettingsOwner, id: string, written: JsonObject): Promise<void> {
  const { deployment, creatorId } = owner;
  const { tenantId, visibility, storageId: deploymentStorageId } = deployment;
  const schedule = scheduleOf(owner, id, written);
  await createExecutionSchedule(session, { id, tenantId, creatorId, visibility, deploymentStorageId, ...schedule });
}

/** What a blueprint says of a schedule, with its times counted from now. */
function scheduleOf(
  { now }: SettingsOwner,
  id: string,
  written: JsonObject,
): Omit<NewExecutionSchedule, 'id' | 'tenantId' | 'creatorId' | 'visibility' | 'deploymentStorageId'> {
  const since = timeOf(id, written['since'], now) ?? new Date(now);
  const until = timeOf(id, written['until'], now);
  const { recurrence = null, count = null, weekdays = null } = written;
  const rule = { recurrence, count, weekdays };
  const next = nextOccurrence(rule as Parameters<typeof nextOccurrence>[0], { since, until }, new Date(now));
  return {
    workflowId: textOf(written['workflow']),
    rule,
    since,
    until,
    nextOccurrence: next ?? null,
    slip: typeof written['slip'] === 'number' ? written['slip'] : 0,
    parameters: asObject(written['workflow_parameters']),
    executionArguments: asObject(written['execution_arguments']),
    stopOnFail: written['stop_after_fail'] === true,
    isEnabled: written['default_enabled'] !== false,
  };
}

const relativePart = /(\d+)\s*(minutes?|min|hours?|h|days?|d|weeks?|w|months?|mo|years?|y)\s*/gy;

/** Absolute times are UTC, `YYYY-MM-DD HH:MM[:SS]`; relative ones like `+1y+2 hours`. */
function timeOf(schedule: string, written: Json | undefined, now: number): Date | undefined {
  if (typeof written !== 'string' || written === '') {
    return undefined;
  }
  const time = written.startsWith('+') ? later(written, now) : Date.parse(`${written.replace(' ', 'T')}Z`);
  if (time === undefined || Number.isNaN(time)) {
    throw new GantryError('bad_parameters_error', `Schedule ${schedule} of the blueprint: ${written} is not a time`);
  }
  return new Date(time);
}

function later(written: string, now: number): number | undefined {
  const date = new Date(now);
  date.setUTCSeconds(0, 0);
  const parts = written.split('+').filter((part) => part.trim() !== '');
  for (const part of parts) {
    relativePart.lastIndex = 0;
    const text = part.trim();
    const match = relativePart.exec(text);
    if (!match || relativePart.lastIndex !== text.length) {
      return undefined;
    }
    addTo(date, Number(match[1]), match[2] ?? '');
  }
  return date.getTime();
}

function addTo(date: Date, amount: number, unit: string): void {
  if (unit.startsWith('min')) {
    date.setUTCMinutes(date.getUTCMinutes() + amount);
  } else if (unit.startsWith('h')) {
    date.setUTCHours(date.getUTCHours() + amount);
  } else if (unit.startsWith('d')) {
    date.setUTCDate(date.getUTCDate() + amount);
  } else if (unit.startsWith('w')) {
    date.setUTCDate(date.getUTCDate() + 7 * amount);
  } else if (unit.startsWith('mo')) {
    date.setUTCMonth(date.getUTCMonth() + amount);
  } else {
    date.setUTCFullYear(date.getUTCFullYear() + amount);
  }
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
