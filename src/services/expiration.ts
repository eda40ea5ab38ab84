import { GantryError } from '../domain/errors.ts';

const minute = 60_000;
const day = 24 * 60 * minute;

/** Milliseconds of the units that have a fixed length. */
const units: Readonly<Record<string, number>> = {
  min: minute,
  minute,
  h: 60 * minute,
  hour: 60 * minute,
  d: day,
  day,
  w: 7 * day,
  week: 7 * day,
};

const months: Readonly<Record<string, number>> = { mo: 1, month: 1, y: 12, year: 12 };

function refuse(text: string): never {
  throw new GantryError(
    'bad_parameters_error',
    `Invalid expiration date ${JSON.stringify(text.slice(0, 100))}: use "YYYY-MM-DD HH:MM", "HH:MM" or "+10h", "+1day+30min" (UTC)`,
  );
}

function addMonths(time: number, count: number): number {
  const date = new Date(time);
  const dayOfMonth = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + count);
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(dayOfMonth, lastDay));
  return date.getTime();
}

function relative(text: string, now: number): number {
  let time = now;
  for (const part of text.split('+').slice(1)) {
    const [, amount = '', name = ''] = /^\s*(\d{1,6})\s*([a-z]+?)s?\s*$/i.exec(part) ?? [];
    const unit = name.toLowerCase();
    if (unit in units) {
      time += Number(amount) * (units[unit] ?? 0);
    } else if (unit in months) {
      time = addMonths(time, Number(amount) * (months[unit] ?? 0));
    } else {
      refuse(text);
    }
  }
  return time;
}

function absolute(text: string, now: number): number {
  const today = new Date(now).toISOString().slice(0, 10);
  const [, date = today, time = ''] = /^(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{1,2}:\d{2})$/.exec(text.trim()) ?? [];
  const parsed = Date.parse(`${date}T${time.padStart(5, '0')}:00Z`);
  return Number.isNaN(parsed) ? refuse(text) : parsed;
}

/**
 * Reads when a token expires: `YYYY-MM-DD HH:MM`, `HH:MM` of today, or relative such as `+1day+10min`; all UTC, cut to
 * the minute.
 * @param now milliseconds since the epoch
 * @throws GantryError bad_parameters_error also for a time that is over
 */
export function readExpiration(text: string, now: number): Date {
  const time = text.trim().startsWith('+') ? relative(text.trim(), now) : absolute(text, now);
  const cut = Math.floor(time / minute) * minute;
  if (!Number.isFinite(cut) || Number.isNaN(new Date(cut).getTime())) {
    return refuse(text);
  }
  if (cut <= now) {
    throw new GantryError('bad_parameters_error', 'Expiration date was in the past.');
  }
  return new Date(cut);
}
