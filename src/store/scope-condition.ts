import type { ResourceShape } from './resource.ts';
import type { Scope } from './scope.ts';
import { isOneOf } from './values.ts';
import type { Parameters } from './values.ts';

type ScopeColumns = ResourceShape['scope'];

/** A condition that adds its values to those of the statement. */
export type ScopePart = (parameters: Parameters) => string;

function tenantsOf(scope: Scope): readonly number[] {
  return scope.tenants === undefined || scope.tenants === 'all' ? [scope.tenantId] : scope.tenants;
}

/** The condition for what the viewer may see, beginning with `and`; empty when that is everything. */
function visibleToViewer({ tenant, creator, visibility }: ScopeColumns, scope: Scope, parameters: Parameters): string {
  if (!scope.viewer || scope.viewer.administers === 'all') {
    return '';
  }
  const user = parameters.add(scope.viewer.userId);
  const administered = parameters.add([...scope.viewer.administers]);
  return ` and (${visibility} <> 'private' or ${creator} = ${user} or ${tenant} = any(${administered}::integer[]))`;
}

/** The condition for rows that `scope` may see. */
export function scopeCondition(columns: ScopeColumns, scope: Scope, parameters: Parameters): string {
  const owned =
    scope.tenants === 'all'
      ? 'true'
      : `(${isOneOf(columns.tenant, tenantsOf(scope), 'integer', parameters)} or ${columns.visibility} = 'global')`;
  return `${owned}${visibleToViewer(columns, scope, parameters)}`;
}

/**
 * The same as conditions that no row fulfils two of: those of the tenants, and global ones of others. An index finds
 * the rows of each, and gives them in order; it does neither for the alternative.
 */
export function scopeParts(columns: ScopeColumns, scope: Scope): ScopePart[] {
  if (scope.tenants === 'all') {
    return [(parameters) => scopeCondition(columns, scope, parameters)];
  }
  const tenants = tenantsOf(scope);
  return [
    (parameters) =>
      `${isOneOf(columns.tenant, tenants, 'integer', parameters)}${visibleToViewer(columns, scope, parameters)}`,
    // who sees private rows is no question here
    (parameters) =>
      `${columns.visibility} = 'global' and ${columns.tenant} <> all(${parameters.add([...tenants])}::integer[])`,
  ];
}
