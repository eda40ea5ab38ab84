import { GantryError } from '../../domain/errors.ts';
import type { FileStore } from '../../files/file-store.ts';
import { TreeSwap } from '../../files/tree-swap.ts';
import { ZipReader } from '../../files/zip-reader.ts';
import type { Logger } from '../../log/logger.ts';
import { findArchiveOf } from '../../store/archives.ts';
import type { Database } from '../../store/database.ts';
import type { Transaction } from '../../store/session.ts';
import { adopt, encryptAnew, findContents, isRestored, lockRestore, replaceRows } from '../../store/snapshot/adopt.ts';
import type { Adoption, Encryption } from '../../store/snapshot/adopt.ts';
import {
  completeStaging,
  createStaging,
  isCurrentSchema,
  listStagedTables,
  loadRows,
  stagingSchema,
  withoutReferences,
} from '../../store/snapshot/staging.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { archiveId } from './archive-status.ts';
import type { SystemDependencies } from './dependencies.ts';
import { readManifest } from './snapshot-manifest.ts';
import type { SnapshotManifest, TableEntry } from './snapshot-manifest.ts';

/** Bytes and rows stored by one statement. */
const packetBytes = 4 * 1024 * 1024;
const packetRows = 5000;

/** @throws GantryError snapshot_action_error */
function refuseContents(contents: readonly string[]): void {
  if (contents.length > 0) {
    throw new GantryError(
      'snapshot_action_error',
      `This manager is not empty (${contents.join(', ')}); a restore replaces everything. Restore with force to do that.`,
    );
  }
}

/** Lines of a table, collected into packets. */
async function* packetsOf(zip: ZipReader, entry: TableEntry): AsyncGenerator<string[], void, undefined> {
  let lines: string[] = [];
  let bytes = 0;
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of zip.content(`tables/${entry.name}.ndjson`, entry)) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines.push(line);
      bytes += line.length;
      if (bytes >= packetBytes || lines.length >= packetRows) {
        yield lines;
        lines = [];
        bytes = 0;
      }
    }
  }
  if (lines.length > 0) {
    yield lines;
  }
}

async function loadTables(
  transaction: Transaction,
  zip: ZipReader,
  manifest: SnapshotManifest,
  signal: AbortSignal,
): Promise<void> {
  const staged = await listStagedTables(transaction);
  for (const entry of manifest.tables) {
    const table = staged.get(entry.name);
    if (!table || entry.columns.some((column) => !table.columns.includes(column))) {
      throw new GantryError('snapshot_action_error', `The snapshot has a table that it should not have: ${entry.name}`);
    }
    let rows = 0;
    for await (const lines of packetsOf(zip, entry)) {
      signal.throwIfAborted();
      await loadRows(transaction, table, entry.columns, lines);
      rows += lines.length;
    }
    if (rows !== entry.rows) {
      throw new GantryError('snapshot_action_error', `The snapshot has ${rows} of ${entry.rows} rows of ${entry.name}`);
    }
  }
}

async function stageFiles(
  swap: TreeSwap,
  zip: ZipReader,
  manifest: SnapshotManifest,
  signal: AbortSignal,
): Promise<void> {
  await swap.prepare();
  for (const name of manifest.directories) {
    await swap.add(name.replace(/\/$/, ''));
  }
  for (const file of manifest.files) {
    signal.throwIfAborted();
    await swap.add(file.name, zip.content(`files/${file.name}`, file));
  }
}

/** Puts the rows of a snapshot together beside the real ones. */
async function stageRows(
  transaction: Transaction,
  zip: ZipReader,
  manifest: SnapshotManifest,
  work: { signal: AbortSignal; adoption: Adoption; encryption: Encryption },
): Promise<void> {
  const { signal, adoption, encryption } = work;
  await createStaging(transaction, manifest.migrations);
  const makeOurs = async (): Promise<void> => {
    await encryptAnew(transaction, encryption);
    await adopt(transaction, adoption);
  };
  const isCurrent = isCurrentSchema(manifest.migrations);
  await withoutReferences(transaction, stagingSchema, async () => {
    await loadTables(transaction, zip, manifest, signal);
    if (isCurrent) {
      await makeOurs();
    }
  });
  if (!isCurrent) {
    await completeStaging(transaction, manifest.migrations);
    await withoutReferences(transaction, stagingSchema, makeOurs);
  }
}

/**
 * Completes or takes back what a process left half-done that died while it exchanged the files of a restore.
 * @returns the execution that had been interrupted, if there was one
 */
export async function recoverRestore(database: Database, files: FileStore, log: Logger): Promise<string | undefined> {
  const swap = new TreeSwap(files.root);
  if ((await swap.owner()) === undefined) {
    return undefined;
  }
  return database.transaction(async (transaction) => {
    if (!(await lockRestore(transaction))) {
      return undefined;
    }
    const owner = await swap.owner();
    if (owner === undefined) {
      return undefined;
    }
    const isDone = await isRestored(transaction, owner);
    await (isDone ? swap.complete() : swap.undo());
    log.warn(isDone ? 'The files of a restored snapshot were completed' : 'A restore that broke off was taken back', {
      execution: owner,
    });
    return owner;
  });
}

async function restore(
  { files, encryption }: SystemDependencies,
  context: SystemWorkflowContext,
  zip: ZipReader,
): Promise<void> {
  const { execution, database, signal } = context;
  const swap = new TreeSwap(files.root);
  const manifest = await readManifest(zip);
  const snapshotId = archiveId(context, 'snapshots');
  context.log('info', `The snapshot was made at ${manifest.created_at} and has ${manifest.files.length} files`);
  await stageFiles(swap, zip, manifest, signal);
  context.log('info', 'The files were unpacked');
  const adoption = { executionId: execution.id, snapshotId, creationId: manifest.execution_id };
  try {
    await database.transaction(async (transaction) => {
      if (!(await lockRestore(transaction))) {
        throw new GantryError('snapshot_action_error', 'Another snapshot is being restored');
      }
      await transaction.query('set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0');
      await stageRows(transaction, zip, manifest, { signal, adoption, encryption });
      signal.throwIfAborted();
      await replaceRows(transaction, adoption);
      await swap.swap(execution.id);
    });
  } catch (error) {
    // the commit may have arrived although its answer did not: only the database knows
    if (!(await isRestored(database, execution.id))) {
      await swap.undo();
      throw error;
    }
  }
  await swap.complete();
}

/**
 * Makes everything that is managed what it was when a snapshot was made. Rows are put together in a schema and files in
 * a directory of their own; then both take their places in one transaction. Whatever fails before leaves all as it was.
 */
export function restoreSnapshot(dependencies: SystemDependencies): SystemWorkflow {
  return async (context) => {
    const { execution, database, logger } = context;
    const { files } = dependencies;
    await recoverRestore(database, files, logger);
    if (await isRestored(database, execution.id)) {
      return undefined;
    }
    const id = archiveId(context, 'snapshots');
    if (execution.parameters['force'] !== true) {
      refuseContents(await findContents(database));
    }
    const [row, file] = [await findArchiveOf(database, 'snapshots', id), await files.findArchive('snapshots', id)];
    if (!row || !file) {
      throw new GantryError('not_found_error', `The archive of snapshot \`${id}\` was not found`);
    }
    const zip = await ZipReader.open(file.path);
    try {
      await restore(dependencies, context, zip);
    } finally {
      zip.close();
    }
    context.log('info', `Snapshot ${id} is restored`);
    return undefined;
  };
}
