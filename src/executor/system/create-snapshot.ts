import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listTree } from '../../files/tree-swap.ts';
import { ZipWriter } from '../../files/zip-writer.ts';
import type { Transaction } from '../../store/session.ts';
import { dumpTable, listAppliedMigrations } from '../../store/snapshot/dump.ts';
import { listDumpTables } from '../../store/snapshot/tables.ts';
import type { DumpOptions } from '../../store/snapshot/tables.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { finishArchive } from './archive-status.ts';
import type { SystemDependencies } from './dependencies.ts';
import { manifestName, snapshotFormat, snapshotVersion } from './snapshot-manifest.ts';
import type { FileEntry, SnapshotManifest, TableEntry } from './snapshot-manifest.ts';

function optionsOf(parameters: SystemWorkflowContext['execution']['parameters']): DumpOptions {
  return {
    includeCredentials: parameters['include_credentials'] !== false,
    includeEvents: parameters['include_events'] !== false,
    includeLogs: parameters['include_logs'] !== false,
  };
}

async function writeTables(
  zip: ZipWriter,
  transaction: Transaction,
  options: DumpOptions,
  signal: AbortSignal,
): Promise<TableEntry[]> {
  const entries: TableEntry[] = [];
  for (const table of await listDumpTables(transaction, 'public')) {
    let rows = 0;
    const lines = async function* (): AsyncGenerator<string> {
      for await (const packet of dumpTable(transaction, table, options)) {
        signal.throwIfAborted();
        rows += packet.rows;
        yield packet.text;
      }
    };
    const written = await zip.add(`tables/${table.name}.ndjson`, lines());
    entries.push({ name: table.name, columns: table.columns, rows, ...written });
  }
  return entries;
}

async function writeFiles(
  zip: ZipWriter,
  root: string,
  context: SystemWorkflowContext,
): Promise<{ files: FileEntry[]; directories: string[] }> {
  const files: FileEntry[] = [];
  const directories: string[] = [];
  for await (const { name, path } of listTree(root)) {
    context.signal.throwIfAborted();
    if (name.endsWith('/')) {
      directories.push(name);
      continue;
    }
    try {
      files.push({ name, ...(await zip.addFile(`files/${name}`, path)) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        throw error;
      }
      context.log('warning', `${name} was deleted while the snapshot was made; it is left out`);
    }
  }
  return { files, directories };
}

/** Puts everything that is managed, as it is at one moment, into an archive; nothing is held in memory. */
export function createSnapshot({ files, clock }: SystemDependencies): SystemWorkflow {
  return (context) =>
    finishArchive(context, 'snapshots', async (id) => {
      const { execution, database, signal } = context;
      const options = optionsOf(execution.parameters);
      const directory = await files.temporaryDirectory();
      const path = join(directory, `${id}.zip`);
      const zip = new ZipWriter(path);
      const createdAt = new Date(clock.now()).toISOString();
      try {
        const { migrations, tables } = await database.readConsistently(async (transaction) => ({
          migrations: await listAppliedMigrations(transaction),
          tables: await writeTables(zip, transaction, options, signal),
        }));
        const tree = await writeFiles(zip, files.root, context);
        const manifest: SnapshotManifest = {
          format: snapshotFormat,
          version: snapshotVersion,
          created_at: createdAt,
          snapshot_id: id,
          execution_id: execution.id,
          migrations,
          includes: {
            credentials: options.includeCredentials,
            events: options.includeEvents,
            logs: options.includeLogs,
          },
          tables,
          ...tree,
        };
        await zip.add(manifestName, oneText(JSON.stringify(manifest)));
        await zip.end();
        await files.keepArchive('snapshots', id, path);
        const rows = tables.reduce((sum, table) => sum + table.rows, 0);
        context.log(
          'info',
          `Snapshot ${id} has ${rows} rows of ${tables.length} tables and ${tree.files.length} files`,
        );
      } finally {
        await zip.abort();
        await rm(directory, { recursive: true, force: true });
      }
    });
}

async function* oneText(text: string): AsyncGenerator<string> {
  yield text;
}
