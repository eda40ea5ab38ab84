/** Which rows of the database a snapshot holds. */
import type { Session } from '../session.ts';

/** A table as it is read for a snapshot and written by a restore. */
export interface DumpTable {
  readonly name: string;
  readonly columns: readonly string[];
  /** Types of the columns, as a cast names them. */
  readonly types: readonly string[];
}

/** What belongs to this installation and not to what is managed: a restore leaves it as it is. */
const ownTables: readonly string[] = [
  'processes',
  'outbox',
  'snapshots',
  'log_bundles',
  'maintenance_mode',
  'managers',
  'brokers',
  'db_nodes',
  'certificates',
  'restores',
  'access_version',
  'done_requests',
  'used_logins',
];

/** Of the schema itself. */
const schemaTables = ['schema_marks', 'knex_migrations', 'knex_migrations_lock'];

/** Ids of transactions mean nothing in another database: rows get those of the transaction that writes them. */
const volatileColumns = ['transaction_id'];

/** Columns with texts that the key file encrypts. */
export const encryptedColumns: readonly { table: string; column: string; key: string }[] = [
  { table: 'secrets', column: 'value', key: 'storage_id' },
  { table: 'secrets', column: 'provider_options', key: 'storage_id' },
  { table: 'secrets_providers', column: 'connection_parameters', key: 'storage_id' },
  { table: 'tenants', column: 'rabbitmq_password', key: 'id' },
  { table: 'agents', column: 'rabbitmq_password', key: 'storage_id' },
];

/** What lets somebody in, besides what is encrypted. */
const credentialColumns = [...encryptedColumns, { table: 'users', column: 'password_hash' }];

export interface DumpOptions {
  /** Secret values, passwords, tokens. */
  readonly includeCredentials: boolean;
  readonly includeEvents: boolean;
  readonly includeLogs: boolean;
}

/** Every table of a schema with its columns, those of the schema itself apart. */
export async function listTables(session: Session, schema: string): Promise<DumpTable[]> {
  return session.query<DumpTable & { columns: string[]; types: string[] }>(
    `select class.relname::text as name, array_agg(attribute.attname::text order by attribute.attnum) as columns,
       array_agg(format_type(attribute.atttypid, attribute.atttypmod) order by attribute.attnum) as types
     from pg_class class
     join pg_attribute attribute on attribute.attrelid = class.oid and attribute.attnum > 0
       and not attribute.attisdropped and attribute.attgenerated = ''
     where class.relnamespace = $1::regnamespace and class.relkind in ('r', 'p') and not class.relispartition
       and class.relname <> all($2) and attribute.attname <> all($3)
     group by class.relname order by class.relname`,
    [schema, schemaTables, volatileColumns],
  );
}

/** The tables a snapshot holds: all but those of the installation. */
export async function listDumpTables(session: Session, schema: string): Promise<DumpTable[]> {
  return (await listTables(session, schema)).filter(({ name }) => !ownTables.includes(name));
}

/**
 * The expression for a column in a snapshot: the database's own text of it, which alone tells a JSON null from none at
 * all and brings every type back as it was.
 */
export function dumpedColumn(table: string, column: string, { includeCredentials }: DumpOptions): string {
  const isCredential = credentialColumns.some((entry) => entry.table === table && entry.column === column);
  // tokens of executions are of no use once those have ended, and they have ended when this is restored
  const isLeftOut = (isCredential && !includeCredentials) || (table === 'executions' && column === 'token_hash');
  return isLeftOut ? `null as "${column}"` : `"${column}"::text as "${column}"`;
}

/** The condition for rows of a table that a snapshot holds. */
export function dumpedRows(table: string, options: DumpOptions): string {
  switch (table) {
    case 'events': {
      const kinds = [...(options.includeEvents ? [`'event'`] : []), ...(options.includeLogs ? [`'log'`] : [])];
      return kinds.length > 0 ? `kind in (${kinds.join(', ')})` : 'false';
    }
    case 'tokens':
      return options.includeCredentials ? 'execution_id is null' : 'false';
    case 'plugins_states':
      // what is installed on this manager says nothing about another one
      return 'manager_id is null';
    default:
      return 'true';
  }
}
