import { GantryError } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session } from './session.ts';
import { Parameters, onlyRow } from './values.ts';

/** The refusal of an id that is taken. */
export function duplicateId(kind: string, id: string, tenantName: string, cause?: unknown): GantryError {
  return new GantryError(
    'conflict_error',
    `${kind} with id=${id} already exists on tenant ${tenantName} or with global visibility`,
    cause === undefined ? {} : { cause },
  );
}

/** Name of a tenant for messages. */
export async function tenantNameOf(session: Session, tenantId: number): Promise<string> {
  const [tenant] = await session.prepared<{ name: string }>('select name from tenants where id = $1', [tenantId]);
  return tenant?.name ?? String(tenantId);
}

interface IdRow {
  id: string;
  tenantId: number;
  visibility: Visibility;
}

/**
 * Condition under which a row of the table has the id that another one is to get: an own row or a global one has it; a
 * new global row needs it free everywhere.
 */
function takesId(parameters: Parameters, row: IdRow, more: Readonly<Record<string, unknown>>): string {
  const id = parameters.add(row.id);
  const tenant = parameters.add(row.tenantId);
  const isGlobal = parameters.add(row.visibility === 'global');
  const conditions = Object.entries(more).map(([column, value]) => `and ${column} = ${parameters.add(value)}`);
  return `id = ${id} and (tenant_id = ${tenant} or visibility = 'global' or ${isGlobal}::boolean) ${conditions.join(' ')}`;
}

/** @returns name of the tenant, for refusals. @throws GantryError conflict_error when the id is taken */
async function requireFreeId(
  session: Session,
  table: string,
  label: string,
  row: IdRow,
  more: Readonly<Record<string, unknown>>,
): Promise<string> {
  const parameters = new Parameters();
  const condition = takesId(parameters, row, more);
  const [found] = await session.prepared<{ isTaken: boolean; tenantName: string | null }>(
    `select exists (select from ${table} where ${condition}) as "isTaken",
       (select name from tenants where id = ${parameters.add(row.tenantId)}) as "tenantName"`,
    parameters.values,
  );
  const tenantName = found?.tenantName ?? String(row.tenantId);
  if (found?.isTaken) {
    throw duplicateId(label, row.id, tenantName);
  }
  return tenantName;
}

/**
 * Inserts a tenant-scoped row whose id is unique in its tenant and among global ones; undefined columns take their
 * defaults.
 * @param label name of the thing at the start of the refusal, e.g. `blueprint`
 * @returns its storage id
 * @throws GantryError conflict_error when the id is taken
 */
export async function insertUnique(
  session: Session,
  table: string,
  label: string,
  row: IdRow,
  columns: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const tenantName = await requireFreeId(session, table, label, row, more);
  const parameters = new Parameters();
  const given = Object.entries({ ...columns, ...more }).filter(([, value]) => value !== undefined);
  const names = given.map(([column]) => column).join(', ');
  const places = given.map(([, value]) => parameters.add(value)).join(', ');
  try {
    const rows = await session.query<{ storageId: number }>(
      `insert into ${table} (${names}) values (${places}) returning storage_id as "storageId"`,
      parameters.values,
    );
    return onlyRow(rows).storageId;
  } catch (error) {
    // somebody was faster meanwhile
    throw isUniqueViolation(error) ? duplicateId(label, row.id, tenantName, error) : error;
  }
}
