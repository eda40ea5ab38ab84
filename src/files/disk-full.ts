import { GantryError } from '../domain/errors.ts';

/** Codes of a disk without room: the operating system's, that of a user's quota there, and the database's. */
const codes = ['ENOSPC', 'EDQUOT', '53100'];

/** Whether something failed since there was no room left on a disk. */
export function isDiskFull(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** What people are told when something could not be stored for want of room. */
export function diskFull(cause: Error): GantryError {
  const text = 'The manager has no room left on its disk; make room there and try again';
  return new GantryError('no_space_error', text, { cause });
}
