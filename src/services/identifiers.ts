import { GantryError } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import { holds } from './caller.ts';
import type { Caller } from './caller.ts';
import type { ListQuery, Page, Scope } from '../store/scope.ts';

const longestIdentifier = 256;

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/**
 * Checks an id that a client chose.
 * @param name of the parameter, for messages
 * @throws GantryError bad_parameters_error
 */
export function checkIdentifier(name: string, value: string, options: { mayStartWithDigit?: boolean } = {}): void {
  if (value === '') {
    refuse(`The \`${name}\` argument is empty`);
  }
  if (value.length > longestIdentifier) {
    refuse(`The \`${name}\` argument is too long. Maximum allowed length is ${longestIdentifier} characters`);
  }
  if (!/^[A-Za-z0-9._~-]+$/.test(value) || value === '.' || value === '..') {
    refuse(
      `The \`${name}\` argument contains illegal characters. Only letters, digits and the characters "-", "." and "_" are allowed`,
    );
  }
  if (!options.mayStartWithDigit && !/^[A-Za-z]/.test(value)) {
    refuse(`The \`${name}\` argument must begin with a letter`);
  }
}

const visibilities: readonly Visibility[] = ['private', 'tenant', 'global'];

/** Whether a text names a visibility. */
export function isVisibility(value: string): value is Visibility {
  return visibilities.some((known) => known === value);
}

/**
 * The visibility a new resource gets.
 * @throws GantryError bad_parameters_error, forbidden_error when the caller may not make global resources
 */
export function visibilityFor(
  caller: Caller,
  given: { visibility?: string | null | undefined; privateResource?: boolean | undefined },
): Visibility {
  const { visibility, privateResource } = given;
  if (visibility !== undefined && visibility !== null && privateResource !== undefined) {
    refuse('The `private_resource` and `visibility` parameters cannot be used together');
  }
  if (visibility === undefined || visibility === null) {
    return privateResource === true ? 'private' : 'tenant';
  }
  if (!isVisibility(visibility)) {
    return refuse(
      `Invalid visibility: \`${visibility}\`. Valid visibility's values are: ['private', 'tenant', 'global']`,
    );
  }
  if (visibility === 'global') {
    requireGlobalResources(caller);
  }
  return visibility;
}

/** @throws GantryError forbidden_error */
function requireGlobalResources(caller: Caller): void {
  if (!holds(caller, 'create_global_resource')) {
    throw new GantryError(
      'forbidden_error',
      `User \`${caller.user.username}\` is not permitted to set or create a global resource`,
    );
  }
}

/**
 * Checks a wish to widen a visibility.
 * @throws GantryError bad_parameters_error, illegal_action_error when it would become narrower, forbidden_error
 */
export function widerVisibility(
  caller: Caller,
  resource: { id: string; visibility: Visibility },
  wanted: unknown,
): Visibility {
  if (wanted !== 'tenant' && wanted !== 'global') {
    return refuse(`Invalid visibility: \`${String(wanted)}\`. Valid visibility's values are: ['tenant', 'global']`);
  }
  if (visibilities.indexOf(wanted) < visibilities.indexOf(resource.visibility)) {
    throw new GantryError(
      'illegal_action_error',
      `Can't set the visibility of \`${resource.id}\` to ${wanted} because it already has wider visibility`,
    );
  }
  if (wanted === 'global') {
    requireGlobalResources(caller);
  }
  return wanted;
}

/**
 * A global resource is changed only from its own tenant.
 * @throws GantryError illegal_action_error
 */
export function requireOwnTenant(caller: Caller, resource: { id: string; tenantId: number; tenantName: string }): void {
  if (resource.tenantId !== caller.tenant?.id) {
    throw new GantryError(
      'illegal_action_error',
      `Can't modify the global resource \`${resource.id}\` from outside its tenant \`${resource.tenantName}\``,
    );
  }
}

/** Every row of every tenant. */
export const everywhere: Scope = { tenantId: -1, tenants: 'all' };

/**
 * What becomes global must not have its id in another tenant. For what comes at the same moment the database sees to it.
 * @param list finds resources of that kind
 * @param same what it shares with others that would be in its way
 * @throws GantryError conflict_error
 */
export async function requireFreeGlobally(
  visibility: Visibility,
  resource: { id: string; visibility: Visibility },
  list: (query: ListQuery) => Promise<Page<unknown>>,
  same: NonNullable<ListQuery['filters']> = { id: [resource.id] },
): Promise<void> {
  if (visibility !== 'global' || resource.visibility === 'global') {
    return;
  }
  const { total } = await list({ filters: same, fields: ['id'], all: true });
  if (total > 1) {
    throw new GantryError(
      'conflict_error',
      `Can't set or create the resource \`${resource.id}\`, its visibility can't be global because it also exists in other tenants`,
    );
  }
}
