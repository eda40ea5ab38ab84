import type { Session } from '../store/session.ts';
import { getAccount } from '../store/users.ts';
import { requirePermission } from './caller.ts';
import type { Caller } from './caller.ts';

/** Who made a resource and when, as somebody who restores it tells; undefined = the caller, now. */
export interface Origin {
  readonly creator?: string | undefined;
  readonly createdAt?: Date | undefined;
}

/**
 * The id of the user a resource is to belong to.
 * @param creator name of the user; undefined = the caller
 * @throws GantryError forbidden_error without the permission set_owner, not_found_error for an unknown user
 */
export async function ownerId(session: Session, caller: Caller, creator: string | undefined): Promise<number> {
  if (creator === undefined || creator === caller.user.username) {
    return caller.user.id;
  }
  requirePermission(caller, 'set_owner');
  return (await getAccount(session, creator)).user.id;
}

/**
 * The ids of the users that several things are to belong to, each looked up once.
 * @param creators names of users
 * @throws GantryError see `ownerId`
 */
export async function ownerIds(
  session: Session,
  caller: Caller,
  creators: Iterable<string | undefined>,
): Promise<ReadonlyMap<string, number>> {
  const owners = new Map<string, number>();
  for (const creator of new Set(creators)) {
    if (creator !== undefined) {
      owners.set(creator, await ownerId(session, caller, creator));
    }
  }
  return owners;
}

/**
 * The new owner of a resource that is handed on.
 * @returns undefined when there is none named
 * @throws GantryError forbidden_error without the permission set_owner, not_found_error for an unknown user
 */
export async function newOwnerId(
  session: Session,
  caller: Caller,
  creator: string | undefined,
): Promise<number | undefined> {
  if (creator === undefined) {
    return undefined;
  }
  requirePermission(caller, 'set_owner');
  return (await getAccount(session, creator)).user.id;
}

/** The time a resource is said to be from. @throws GantryError forbidden_error without the permission set_timestamp */
export function creationTime(caller: Caller, createdAt: Date | undefined): Date | undefined {
  if (createdAt !== undefined) {
    requirePermission(caller, 'set_timestamp');
  }
  return createdAt;
}
