/** When wrong passwords lock an account. */
export interface LockRule {
  /** Failures in a row that are still allowed. */
  failures: number;
  /** Minutes an account stays locked after the last failure; not positive = accounts are never locked. */
  period: number;
}

export interface LoginRecord {
  failedLoginsCounter: number;
  lastFailedLoginAt: Date | undefined;
}

/** Milliseconds since the epoch until which the account is locked; undefined when it is not. */
export function lockedUntil(record: LoginRecord, rule: LockRule, now: number): number | undefined {
  if (rule.period <= 0 || record.lastFailedLoginAt === undefined || record.failedLoginsCounter <= rule.failures) {
    return undefined;
  }
  const until = record.lastFailedLoginAt.getTime() + rule.period * 60_000;
  return until > now ? until : undefined;
}

/** Whether the account is locked now. To be asked before the password is looked at. */
export function isLocked(record: LoginRecord, rule: LockRule, now: number): boolean {
  return lockedUntil(record, rule, now) !== undefined;
}
