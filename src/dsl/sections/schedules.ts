import type { Json, JsonObject } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { Path } from '../errors.ts';
import type { Problems } from '../problems.ts';
import { checkTimeDelta } from '../schema/schedules.ts';
import type { Raw } from '../types/schemas.ts';
import { setOwn } from '../yaml/marks.ts';

/** What times of day mean where the blueprint is parsed. */
export interface LocalTime {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Time zone of times that name none; default UTC. */
  readonly timeZone?: string | undefined;
}

/** Reads the section `deployment_settings`: absolute times of schedules become UTC, relative ones stay. */
export function readDeploymentSettings(section: unknown, local: LocalTime | undefined, problems: Problems): JsonObject {
  if (section === undefined || section === null) {
    return {};
  }
  const raw = section as Raw;
  const schedules: JsonObject = {};
  for (const [name, schedule] of Object.entries((raw['default_schedules'] ?? {}) as Record<string, Raw>)) {
    const path = ['deployment_settings', 'default_schedules', name];
    problems.attempt(path, () => {
      setOwn(schedules, name, readSchedule(schedule, path, local, problems));
    });
  }
  return { ...(raw as JsonObject), default_schedules: schedules };
}

function readSchedule(raw: Raw, path: Path, local: LocalTime | undefined, problems: Problems): JsonObject {
  const { timezone, ...schedule } = raw as Record<string, Json>;
  const zone = (timezone as string | null | undefined) ?? undefined;
  const at = (key: 'since' | 'until', text: string): string =>
    problems.attempt([...path, key], () => utcText(text, zone, [...path, key], local)) ?? text;
  const since = at('since', raw['since'] as string);
  const until = raw['until'] as string | null | undefined;
  return { ...schedule, since, ...(until ? { until: at('until', until) } : {}) };
}

const dateAndTime = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2})$/;
const timeOnly = /^(\d{1,2}):(\d{1,2})$/;

/**
 * Turns a time of a schedule into UTC, `YYYY-MM-DD HH:MM:SS`. Times relative to the creation of a deployment
 * (`+4 hours`) are checked and kept.
 *
 * @throws DslError NonRecoverableError
 */
function utcText(text: string, zone: string | undefined, path: Path, local: LocalTime | undefined): string {
  if (text.startsWith('+')) {
    for (const delta of text.match(/\+\d+ ?[a-z]+ ?/g) ?? []) {
      checkTimeDelta(delta.slice(1), { path });
    }
    return text;
  }
  const timeZone = zone ?? local?.timeZone ?? 'UTC';
  const wallClock = wallClockOf(text, timeZone, path, local);
  const utc = new Date(wallClock - offsetOf(wallClock, timeZone, path));
  return utc.toISOString().slice(0, 19).replace('T', ' ');
}

function wallClockOf(text: string, timeZone: string, path: Path, local: LocalTime | undefined): number {
  const full = dateAndTime.exec(text);
  const short = timeOnly.exec(text);
  const illegal = (): DslError =>
    new DslError(
      'NonRecoverableError',
      `${text} is not a legal time format. accepted formats are YYYY-MM-DD HH:MM | HH:MM`,
      { path },
    );
  if (full) {
    const [year, month, day, hour, minute] = full.slice(1).map(Number) as [number, number, number, number, number];
    const time = Date.UTC(year, month - 1, day, hour, minute);
    const back = new Date(time);
    const isReal = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && hour < 24 && minute < 60;
    if (!isReal) {
      throw illegal();
    }
    return time;
  }
  const [hour, minute] = (short?.slice(1).map(Number) ?? []) as [number?, number?];
  if (hour === undefined || minute === undefined || hour > 23 || minute > 59 || !local) {
    throw illegal();
  }
  const today = wallClockAt(local.now(), formatOf(timeZone, path));
  return today - (today % 86_400_000) + (hour * 60 + minute) * 60_000;
}

/** How far ahead of UTC a zone is at a wall clock time; where two offsets fit, or none, the standard one. */
function offsetOf(wallClock: number, timeZone: string, path: Path): number {
  const format = formatOf(timeZone, path);
  const offsetAt = (instant: number): number => wallClockAt(instant, format) - instant;
  const day = 86_400_000;
  const candidates = [offsetAt(wallClock - day), offsetAt(wallClock + day)].sort((a, b) => a - b);
  return candidates.find((offset) => offsetAt(wallClock - offset) === offset) ?? (candidates[0] as number);
}

function wallClockAt(instant: number, format: Intl.DateTimeFormat): number {
  const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

function formatOf(timeZone: string, path: Path): Intl.DateTimeFormat {
  try {
    if (/^[+-]/.test(timeZone)) {
      throw new RangeError('not a name');
    }
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new DslError('NonRecoverableError', `${timeZone} is not a recognized timezone`, { path });
  }
}
