/** When a schedule fires: iCalendar rules as texts, or the short form `{recurrence, count, weekdays}`. All times UTC. */
import rruleModule from 'rrule';
import type { Frequency as RuleFrequency, Options } from 'rrule';
import { GantryError } from './errors.ts';

const { RRule, rrulestr } = rruleModule;

export interface RecurrenceRule {
  rrule?: string | null;
  /** `<n> sec|min|h|d|w|mo|y` with the usual longer names. */
  recurrence?: string | null;
  count?: number | null;
  /** MO to SU; with a prefix 1- to 4 or L- (`1MO`, `L-FR`) the first ... last one of a month or year. */
  weekdays?: readonly string[] | null;
}

export interface RecurrenceSpan {
  /** First possible occurrence. */
  readonly since: Date;
  readonly until?: Date | undefined;
}

const recurrencePattern = /^(\d+)\s*(sec|second|min|minute|h|hour|d|day|w|week|mo|month|y|year)s?$/i;
const weekdayPattern = /^(?:([1-4])|L-)?(MO|TU|WE|TH|FR|SA|SU)$/i;

const frequencies: Readonly<Record<string, RuleFrequency>> = {
  sec: RRule.SECONDLY,
  second: RRule.SECONDLY,
  min: RRule.MINUTELY,
  minute: RRule.MINUTELY,
  h: RRule.HOURLY,
  hour: RRule.HOURLY,
  d: RRule.DAILY,
  day: RRule.DAILY,
  w: RRule.WEEKLY,
  week: RRule.WEEKLY,
  mo: RRule.MONTHLY,
  month: RRule.MONTHLY,
  y: RRule.YEARLY,
  year: RRule.YEARLY,
};
/** Milliseconds of the periods that are all equally long. */
const periods = new Map<RuleFrequency, number>([
  [RRule.SECONDLY, 1000],
  [RRule.MINUTELY, 60_000],
  [RRule.HOURLY, 3_600_000],
  [RRule.DAILY, 86_400_000],
  [RRule.WEEKLY, 7 * 86_400_000],
]);

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

interface Frequency {
  freq: RuleFrequency;
  interval: number;
}

function readRecurrence(text: string): Frequency {
  const match = recurrencePattern.exec(text.trim());
  const interval = Number(match?.[1] ?? 0);
  const freq = frequencies[match?.[2]?.toLowerCase() ?? ''];
  return freq === undefined || interval === 0
    ? refuse(
        `\`${text}\` is not a legal recurrence expression. Supported format is: <number> seconds|minutes|hours|days|weeks|months|years`,
      )
    : { freq, interval };
}

/** Options of the rule of one weekday. */
function readWeekday(text: string, { freq }: Frequency): Partial<Options> {
  const match = weekdayPattern.exec(text.trim());
  const name = match?.[2]?.toUpperCase() as 'MO' | 'TU' | 'WE' | 'TH' | 'FR' | 'SA' | 'SU' | undefined;
  if (!match || !name) {
    return refuse(`\`${text}\` is not a legal weekday expression. Supported formats are MO to SU, 1MO to 4MO, L-MO`);
  }
  const hasPrefix = match[0].length > 2;
  if (hasPrefix && freq !== RRule.MONTHLY && freq !== RRule.YEARLY) {
    return refuse(`The weekday \`${text}\` needs a recurrence in months or years`);
  }
  return { byweekday: [RRule[name]], ...(hasPrefix ? { bysetpos: [match[1] ? Number(match[1]) : -1] } : {}) };
}

function readText(text: string, span: RecurrenceSpan): Partial<Options> {
  try {
    const { origOptions } = rrulestr(text, { dtstart: span.since }) as InstanceType<typeof RRule>;
    return { ...origOptions, dtstart: span.since, until: origOptions.until ?? span.until ?? null };
  } catch (error) {
    throw new GantryError('bad_parameters_error', `\`${text}\` is not a legal recurrence rule`, { cause: error });
  }
}

interface ReadRule {
  /** The union of these fires. */
  readonly options: readonly Partial<Options>[];
  /** Occurrences of the union at most. */
  readonly count: number | undefined;
}

function read(rule: RecurrenceRule, span: RecurrenceSpan): ReadRule {
  if (rule.rrule) {
    return { options: [readText(rule.rrule, span)], count: undefined };
  }
  if (!rule.recurrence) {
    return rule.count === 1
      ? { options: [{ freq: RRule.DAILY, dtstart: span.since, count: 1, until: span.until ?? null }], count: 1 }
      : refuse('recurrence must be specified for execution count larger than 1');
  }
  const frequency = readRecurrence(rule.recurrence);
  const base: Partial<Options> = { ...frequency, dtstart: span.since, until: span.until ?? null };
  const weekdays = rule.weekdays ?? [];
  const options =
    weekdays.length > 0 ? weekdays.map((weekday) => ({ ...base, ...readWeekday(weekday, frequency) })) : [base];
  return { options, count: rule.count ?? undefined };
}

/**
 * Begins a rule later where that changes none of its later occurrences, so that it need not be followed through years
 * of seconds.
 */
function beginNear(options: Partial<Options>, after: Date): Partial<Options> {
  const period = (options.freq === undefined ? 0 : (periods.get(options.freq) ?? 0)) * (options.interval ?? 1);
  const start = options.dtstart;
  if (period === 0 || !start || options.count || start >= after) {
    return options;
  }
  const passed = Math.max(0, Math.floor((after.getTime() - start.getTime()) / period) - 1);
  return { ...options, dtstart: new Date(start.getTime() + passed * period) };
}

/**
 * The first occurrence after a time.
 * @returns undefined when there is none any more
 * @throws GantryError bad_parameters_error for a rule that cannot be read
 */
export function nextOccurrence(rule: RecurrenceRule, span: RecurrenceSpan, after: Date): Date | undefined {
  const { options, count } = read(rule, span);
  if (count === undefined) {
    const next = options.flatMap((entry) => new RRule(beginNear(entry, after)).after(after) ?? []);
    return next.sort(byTime)[0];
  }
  return firstOccurrences(options, count).find((date) => date > after);
}

/**
 * Occurrences from the beginning.
 * @param limit most of them
 * @throws GantryError bad_parameters_error for a rule that cannot be read
 */
export function listOccurrences(rule: RecurrenceRule, span: RecurrenceSpan, limit: number): Date[] {
  const { options, count } = read(rule, span);
  return firstOccurrences(options, Math.min(count ?? limit, limit));
}

function byTime(left: Date, right: Date): number {
  return left.getTime() - right.getTime();
}

/** The first occurrences of all rules together. */
function firstOccurrences(options: readonly Partial<Options>[], limit: number): Date[] {
  const all = options.flatMap((entry) => {
    const found: Date[] = [];
    new RRule(entry).all((date) => {
      found.push(date);
      return found.length < limit;
    });
    return found;
  });
  const times = new Set(all.map((date) => date.getTime()));
  return [...times]
    .sort((left, right) => left - right)
    .map((time) => new Date(time))
    .slice(0, limit);
}
