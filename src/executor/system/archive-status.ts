import { coerceError, GantryError } from '../../domain/errors.ts';
import { findArchiveOf, setArchiveStatus } from '../../store/archives.ts';
import type { ArchiveKind } from '../../store/archives.ts';
import { isReleased } from '../system-workflow.ts';
import type { SystemWorkflowContext, SystemWorkflowResult } from '../system-workflow.ts';

const parameterOf: Readonly<Record<ArchiveKind, string>> = { snapshots: 'snapshot_id', log_bundles: 'log_bundle_id' };

/** The archive an execution is about. @throws GantryError bad_parameters_error, not_found_error */
export function archiveId({ execution }: SystemWorkflowContext, kind: ArchiveKind): string {
  const id = execution.parameters[parameterOf[kind]];
  if (typeof id !== 'string') {
    throw new GantryError('bad_parameters_error', `The execution needs the parameter ${parameterOf[kind]}`);
  }
  return id;
}

/**
 * Makes an archive and notes how that ended.
 * @param make writes the archive with the given id into the file store
 */
export async function finishArchive(
  context: SystemWorkflowContext,
  kind: ArchiveKind,
  make: (id: string) => Promise<void>,
): Promise<SystemWorkflowResult> {
  const { database, signal } = context;
  const id = archiveId(context, kind);
  const archive = await findArchiveOf(database, kind, id);
  if (!archive) {
    throw new GantryError('not_found_error', `There is no archive ${id} to fill`);
  }
  try {
    await make(id);
  } catch (error) {
    if (isReleased(signal)) {
      throw error;
    }
    const reason = signal.aborted ? 'The execution was cancelled' : coerceError(error).message;
    await setArchiveStatus(database, kind, archive.storageId, { status: 'failed', error: reason });
    throw error;
  }
  return {
    atEnd: async (transaction) => {
      await setArchiveStatus(transaction, kind, archive.storageId, { status: 'created', error: null });
    },
  };
}
