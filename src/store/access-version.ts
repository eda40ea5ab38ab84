import type { Session } from './session.ts';
import { onlyRow } from './values.ts';

/**
 * A number that grows with every committed change of what decides who may do what: users, their passwords, roles and
 * failed logins, groups, tokens, tenants, permissions, maintenance mode. Triggers keep it.
 */
export async function readAccessVersion(session: Session): Promise<number> {
  return onlyRow(await session.lookUp<{ version: number }>('select version from access_version')).version;
}

/** Makes it grow, for changes that triggers do not see. */
export async function noteAccessChange(session: Session): Promise<void> {
  await session.prepared('update access_version set version = version + 1');
}
