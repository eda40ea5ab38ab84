/** Everything that is stored encrypted with the keys of the key file. */
import type { Session } from './session.ts';

interface EncryptedColumn {
  readonly table: string;
  readonly column: string;
  /** Column that tells rows apart, and its type. */
  readonly key: readonly [name: string, type: 'bigint' | 'integer' | 'text'];
}

/** Columns whose text is `<key id>.<ciphertext>`; a new one is added here so that key rotation finds it. */
const encryptedColumns: readonly EncryptedColumn[] = [
  { table: 'secrets', column: 'value', key: ['storage_id', 'bigint'] },
  { table: 'secrets', column: 'provider_options', key: ['storage_id', 'bigint'] },
  { table: 'secrets_providers', column: 'connection_parameters', key: ['storage_id', 'bigint'] },
  { table: 'tenants', column: 'rabbitmq_password', key: ['id', 'integer'] },
  { table: 'agents', column: 'rabbitmq_password', key: ['storage_id', 'bigint'] },
  { table: 'brokers', column: 'password', key: ['name', 'text'] },
  { table: 'config', column: 'secret', key: ['name', 'text'] },
];

interface EncryptedRow {
  readonly key: string | number;
  readonly value: string;
}

/** How many texts are encrypted with which key. */
export async function countByKey(session: Session): Promise<Map<string, number>> {
  const parts = encryptedColumns.map(
    ({ table, column }) => `select split_part(${column}, '.', 1) as id from ${table} where ${column} is not null`,
  );
  const rows = await session.query<{ id: string; count: number }>(
    `select id, count(*) as count from (${parts.join(' union all ')}) texts group by id`,
  );
  return new Map(rows.map(({ id, count }) => [id, count]));
}

/**
 * Writes every text anew that is not encrypted with the current key, some at a time. What somebody else changes
 * meanwhile is left as it is then.
 * @param currentId id of the current key
 * @param rewrite gives the new text for an old one
 * @returns how many were written
 * @throws Error naming table and row of a text that cannot be read
 */
export async function rewriteEncrypted(
  session: Session,
  currentId: string,
  rewrite: (stored: string) => string,
  batchSize = 500,
): Promise<number> {
  let count = 0;
  for (const { table, column, key } of encryptedColumns) {
    const [keyName, keyType] = key;
    for (;;) {
      const rows = await session.query<EncryptedRow>(
        `select ${keyName} as key, ${column} as value from ${table} where ${column} not like $1 || '.%'
         order by ${keyName} limit $2`,
        [currentId, batchSize],
      );
      if (rows.length === 0) {
        break;
      }
      const changed = rows.map((row) => rewriteRow(row, rewrite, `${table}.${column}`));
      await session.query(
        `update ${table} set ${column} = change.after
         from unnest($1::${keyType}[], $2::text[], $3::text[]) as change (key, before, after)
         where ${table}.${keyName} = change.key and ${table}.${column} = change.before`,
        [rows.map((row) => row.key), rows.map(({ value }) => value), changed],
      );
      count += rows.length;
    }
  }
  return count;
}

function rewriteRow({ key, value }: EncryptedRow, rewrite: (stored: string) => string, place: string): string {
  try {
    return rewrite(value);
  } catch (error) {
    throw new Error(`${place} of ${key} cannot be encrypted anew: ${String(error)}`, { cause: error });
  }
}
