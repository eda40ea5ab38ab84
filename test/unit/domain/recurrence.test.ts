import { expect } from 'chai';
import { listOccurrences, nextOccurrence } from '../../../src/domain/recurrence.ts';
import type { RecurrenceRule } from '../../../src/domain/recurrence.ts';

const since = new Date('2026-01-01T10:00:00Z');
const short = (dates: readonly Date[]): string[] => dates.map((date) => date.toISOString().slice(0, 16));

describe('recurrence', () => {
  const cases: [string, RecurrenceRule, string[]][] = [
    ['a single time', { count: 1 }, ['2026-01-01T10:00']],
    ['a count', { recurrence: '2 days', count: 3 }, ['2026-01-01T10:00', '2026-01-03T10:00', '2026-01-05T10:00']],
    ['short names', { recurrence: '1mo', count: 2 }, ['2026-01-01T10:00', '2026-02-01T10:00']],
    [
      'several weekdays, counted together',
      { recurrence: '1 week', count: 3, weekdays: ['mo', 'FR'] },
      ['2026-01-02T10:00', '2026-01-05T10:00', '2026-01-09T10:00'],
    ],
    [
      'the first and last weekday of a month',
      { recurrence: '1 month', count: 3, weekdays: ['1MO', 'L-FR'] },
      ['2026-01-05T10:00', '2026-01-30T10:00', '2026-02-02T10:00'],
    ],
    ['an iCalendar rule', { rrule: 'FREQ=WEEKLY;COUNT=2;BYDAY=SA' }, ['2026-01-03T10:00', '2026-01-10T10:00']],
  ];
  for (const [name, rule, expected] of cases) {
    it(`follows ${name}`, () => {
      expect(short(listOccurrences(rule, { since }, 10))).to.deep.equal(expected);
    });
  }

  it('ends with until', () => {
    const span = { since, until: new Date('2026-01-02T23:00:00Z') };
    expect(listOccurrences({ recurrence: '1 day' }, span, 10)).to.have.length(2);
    expect(listOccurrences({ rrule: 'FREQ=DAILY' }, span, 10)).to.have.length(2);
  });

  it('finds the next occurrence strictly after a time, however long ago it began', () => {
    const after = new Date('2036-07-01T10:00:00Z');
    expect(nextOccurrence({ recurrence: '1 sec' }, { since }, after)?.toISOString()).to.equal(
      '2036-07-01T10:00:01.000Z',
    );
    expect(nextOccurrence({ rrule: 'FREQ=HOURLY;INTERVAL=5' }, { since }, after)?.getTime()).to.be.within(
      after.getTime() + 1,
      after.getTime() + 5 * 3600 * 1000,
    );
    expect(nextOccurrence({ recurrence: '1 day', count: 3 }, { since }, after)).to.equal(undefined);
  });

  for (const rule of [
    { recurrence: '0 days' },
    { recurrence: 'daily' },
    { count: 2 },
    { rrule: 'FREQ=SOMETIMES' },
    { recurrence: '1 day', weekdays: ['1MO'] },
    { recurrence: '1 week', weekdays: ['XX'] },
  ]) {
    it(`refuses ${JSON.stringify(rule)}`, () => {
      expect(() => nextOccurrence(rule, { since }, since))
        .to.throw()
        .with.property('code', 'bad_parameters_error');
    });
  }
});
