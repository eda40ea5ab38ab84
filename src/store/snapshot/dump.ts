import type { Session } from '../session.ts';
import { dumpedColumn, dumpedRows } from './tables.ts';
import type { DumpOptions, DumpTable } from './tables.ts';

/** Bytes read at once; rows of some tables are documents of megabytes, of others a hundred bytes. */
const wantedBytes = 4 * 1024 * 1024;
const mostRows = 5000;
const firstRows = 20;

/** Names of the migrations the schema was made by, in their order. */
export async function listAppliedMigrations(session: Session): Promise<string[]> {
  const rows = await session.query<{ name: string }>('select name from schema_marks order by name');
  return rows.map(({ name }) => name);
}

/**
 * The rows of a table, one JSON document a line, in packets of some megabytes.
 * @param session a transaction that sees everything at one moment; one table after the other
 */
export async function* dumpTable(
  session: Session,
  { name, columns }: DumpTable,
  options: DumpOptions,
): AsyncGenerator<{ text: string; rows: number }, void, undefined> {
  const selection = columns.map((column) => dumpedColumn(name, column, options)).join(', ');
  await session.query(
    `declare gantry_dump no scroll cursor for select row_to_json(dumped)::text as line
     from (select ${selection} from "${name}" where ${dumpedRows(name, options)}) as dumped`,
  );
  let count = firstRows;
  for (;;) {
    const rows = await session.query<{ line: string }>(`fetch forward ${count} from gantry_dump`);
    if (rows.length === 0) {
      break;
    }
    const text = rows.map(({ line }) => `${line}\n`).join('');
    yield { text, rows: rows.length };
    count = Math.max(1, Math.min(mostRows, Math.floor((wantedBytes / text.length) * rows.length)));
  }
  await session.query('close gantry_dump');
}
