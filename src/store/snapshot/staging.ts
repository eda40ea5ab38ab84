/** A schema beside the real one, in which a snapshot is put together before it takes the place of what is there. */
import { migrations } from '../../../migrations/index.ts';
import { GantryError } from '../../domain/errors.ts';
import type { Session } from '../session.ts';
import { listDumpTables, listTables } from './tables.ts';
import type { DumpTable } from './tables.ts';

export const stagingSchema = 'gantry_restore';

interface Reference {
  table: string;
  name: string;
  definition: string;
}

async function listReferences(session: Session, schema: string): Promise<Reference[]> {
  return session.query<Reference>(
    `select conrelid::regclass::text as "table", quote_ident(conname) as name, pg_get_constraintdef(oid) as definition
     from pg_constraint where connamespace = $1::regnamespace and contype = 'f' and conparentid = 0`,
    [schema],
  );
}

/**
 * Runs `work` while the tables of the schema in force refer to nothing and their triggers are off; afterwards every
 * row is checked.
 */
export async function withoutReferences<Result>(
  session: Session,
  schema: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const references = await listReferences(session, schema);
  for (const { table, name } of references) {
    await session.query(`alter table ${table} drop constraint ${name}`);
  }
  const tables = await listTables(session, schema);
  const switchTriggers = async (state: 'disable' | 'enable'): Promise<void> => {
    for (const { name } of tables) {
      await session.query(`alter table "${schema}"."${name}" ${state} trigger user`);
    }
  };
  await switchTriggers('disable');
  const result = await work();
  await switchTriggers('enable');
  for (const { table, name, definition } of references) {
    await session.query(`alter table ${table} add constraint ${name} ${definition}`);
  }
  return result;
}

/**
 * Makes the staging schema as it was when the snapshot was made, empty, and puts it in force for the transaction.
 * @param applied names of the migrations of the snapshot's schema
 * @throws GantryError snapshot_action_error when one of them is unknown here
 */
export async function createStaging(session: Session, applied: readonly string[]): Promise<void> {
  const unknown = applied.filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0) {
    throw new GantryError(
      'snapshot_action_error',
      `The snapshot was made by a newer version of this program (migration ${unknown.join(', ')}); restore it with that version or a later one`,
    );
  }
  await session.query(`drop schema if exists "${stagingSchema}" cascade; create schema "${stagingSchema}"`);
  await session.query(`set local search_path = "${stagingSchema}"`);
  for (const { up } of migrations.filter(({ name }) => applied.includes(name))) {
    await session.query(up);
  }
  const tables = await listTables(session, stagingSchema);
  // a migration may bring rows; those of the snapshot count
  await session.query(`truncate ${tables.map(({ name }) => `"${name}"`).join(', ')} cascade`);
}

function missingMigrations(applied: readonly string[]): typeof migrations {
  return migrations.filter(({ name }) => !applied.includes(name));
}

/** Whether a snapshot was made with the schema of today. */
export function isCurrentSchema(applied: readonly string[]): boolean {
  return missingMigrations(applied).length === 0;
}

/** Runs the migrations that came after the snapshot was made, on its rows. */
export async function completeStaging(session: Session, applied: readonly string[]): Promise<void> {
  for (const { up } of missingMigrations(applied)) {
    await session.query(up);
  }
}

/**
 * Stores lines of a snapshot, one JSON document of texts each.
 * @param columns those the snapshot has
 */
export async function loadRows(
  session: Session,
  table: DumpTable,
  columns: readonly string[],
  lines: readonly string[],
): Promise<void> {
  const typeOf = (column: string): string => table.types[table.columns.indexOf(column)] ?? 'text';
  const list = columns.map((column) => `"${column}"`).join(', ');
  const casts = columns.map((column) => `"${column}"::${typeOf(column)}`).join(', ');
  const texts = columns.map((column) => `"${column}" text`).join(', ');
  await session.query(
    `insert into "${table.name}" (${list}) select ${casts} from json_to_recordset($1::json) as line (${texts})`,
    [`[${lines.join(',')}]`],
  );
}

/** The tables that may be loaded, by name. */
export async function listStagedTables(session: Session): Promise<ReadonlyMap<string, DumpTable>> {
  const tables = await listDumpTables(session, stagingSchema);
  return new Map(tables.map((table) => [table.name, table]));
}
