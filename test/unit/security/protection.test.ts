import { expect } from 'chai';
import { isLocked, lockedUntil } from '../../../src/security/lockout.ts';

describe('account lock', () => {
  const minute = 60_000;
  const now = 100 * minute;
  const failedAt = (minutesAgo: number): Date => new Date(now - minutesAgo * minute);

  for (const [name, failures, minutesAgo, rule, expected] of [
    ['is off by default', 100, 0, { failures: 4, period: -1 }, undefined],
    ['is off without a period', 100, 0, { failures: 4, period: 0 }, undefined],
    ['leaves the allowed failures', 4, 1, { failures: 4, period: 10 }, undefined],
    ['begins with the next failure', 5, 1, { failures: 4, period: 10 }, now + 9 * minute],
    ['ends after the period', 5, 10, { failures: 4, period: 10 }, undefined],
  ] as const) {
    it(name, () => {
      const record = { failedLoginsCounter: failures, lastFailedLoginAt: failedAt(minutesAgo) };
      expect(lockedUntil(record, rule, now)).to.equal(expected);
      expect(isLocked(record, rule, now)).to.equal(expected !== undefined);
    });
  }

  it('needs a failure', () => {
    const record = { failedLoginsCounter: 9, lastFailedLoginAt: undefined };
    expect(isLocked(record, { failures: 4, period: 10 }, now)).to.equal(false);
  });
});
