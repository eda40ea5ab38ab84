import { workflowMessage } from '../amqp/workflow-message.ts';
import type { ArchiveStatus, StoredArchive } from '../domain/cluster.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { arrivalLimit, withStorage } from '../executor/storage-quota.ts';
import type { ReceivedArchive, StoredFile } from '../files/file-store.ts';
import type { ByteLimit } from '../files/limit-bytes.ts';
import { fetchRemote } from '../files/remote.ts';
import { createExecutionToken } from '../security/tokens.ts';
import {
  createArchive,
  deleteArchive,
  findArchiveOf,
  getArchive,
  listArchives,
  setArchiveStatus,
} from '../store/archives.ts';
import type { ArchiveKind } from '../store/archives.ts';
import { findBlockingExecutions, lockQueue } from '../store/execution-queue.ts';
import { createExecutions } from '../store/executions.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session, Transaction } from '../store/session.ts';
import { findContents } from '../store/snapshot/adopt.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';

/** What differs between snapshots and log bundles. */
interface Kind {
  readonly what: string;
  readonly permission: 'snapshot_list' | 'log_bundle_list';
  readonly parameter: string;
  readonly workflow: string;
  readonly refusal: ErrorCode;
  /** Whether nothing else may run; a snapshot reads everything as of one moment and needs no exclusiveness. */
  readonly isAlone: boolean;
}

const kinds: Readonly<Record<ArchiveKind, Kind>> = {
  snapshots: {
    what: 'snapshot',
    permission: 'snapshot_list',
    parameter: 'snapshot_id',
    workflow: 'create_snapshot',
    refusal: 'snapshot_action_error',
    isAlone: false,
  },
  log_bundles: {
    what: 'log bundle',
    permission: 'log_bundle_list',
    parameter: 'log_bundle_id',
    workflow: 'create_log_bundle',
    refusal: 'log_bundle_action_error',
    isAlone: false,
  },
};

const downloadTimeout = 30_000;

export interface ArchiveService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<StoredArchive>>;
  /** @throws GantryError not_found_error */
  get(caller: TenantCaller, id: string): Promise<StoredArchive>;
  /**
   * Starts to make an archive.
   * @param queue waits behind another system workflow instead of being refused
   * @throws GantryError conflict_error for an id that exists, existing_running_execution_error
   */
  create(caller: TenantCaller, id: string, parameters: JsonObject, queue: boolean): Promise<Execution>;
  setStatus(caller: TenantCaller, id: string, status: ArchiveStatus, error: string | undefined): Promise<StoredArchive>;
  /** @throws GantryError snapshot_action_error or log_bundle_action_error while it is being made */
  remove(caller: TenantCaller, id: string): Promise<StoredArchive>;
  /** The archive as a file. @throws GantryError not_found_error, snapshot_action_error */
  file(caller: TenantCaller, id: string): Promise<StoredFile>;
  /** Keeps an archive that was received; one with this id is replaced, unless it is being made. */
  upload(caller: TenantCaller, id: string, received: ReceivedArchive): Promise<StoredArchive>;
  /** How much an upload may bring now: only administrators upload archives, so the disk is the limit, or the quota. */
  room(caller: TenantCaller, id: string): Promise<ByteLimit>;
  /** Fetches the archive of an upload that names a URL. @throws GantryError bad_parameters_error */
  fetch(caller: TenantCaller, id: string, url: string, signal: AbortSignal): Promise<ReceivedArchive>;
  /**
   * Starts to make everything what it was when the snapshot was made.
   * @throws GantryError snapshot_action_error when the manager is not empty and `force` was not asked for,
   *   existing_running_execution_error
   */
  restore(caller: TenantCaller, id: string, options: { force: boolean; timeout: number }): Promise<Execution>;
}

/**
 * Whether a system workflow has to wait.
 * @param isAlone whether it may run beside nothing at all, or only not beside its like
 * @throws GantryError existing_running_execution_error when it would have to and may not
 */
async function mustWait(session: Session, queue: boolean, isAlone: boolean): Promise<boolean> {
  await lockQueue(session);
  const others = await findBlockingExecutions(
    session,
    isAlone ? { withQueued: true } : { isSystemWorkflow: true, withQueued: true },
  );
  if (others.length === 0) {
    return false;
  }
  if (queue) {
    return true;
  }
  const shown = others
    .slice(0, 5)
    .map(({ id, workflowId, status }) => `${id} (${workflowId}, ${status})`)
    .join(', ');
  throw new GantryError(
    'existing_running_execution_error',
    `Cannot start execution because there are other executions running e.g.: ${shown}`,
  );
}

async function start(
  { newId, outbox }: ServiceDependencies,
  transaction: Transaction,
  caller: TenantCaller,
  request: { workflowId: string; parameters: JsonObject; isQueued: boolean },
): Promise<Execution> {
  const { token, tokenHash } = createExecutionToken();
  const [execution] = await createExecutions(transaction, [
    {
      id: newId(),
      tenantId: caller.tenant.id,
      creatorId: caller.user.id,
      visibility: 'tenant',
      workflowId: request.workflowId,
      status: request.isQueued ? 'queued' : 'pending',
      parameters: request.parameters,
      isSystemWorkflow: true,
      allowCustomParameters: true,
      tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  if (!request.isQueued) {
    await sendAfterCommit(transaction, outbox, [workflowMessage(execution, { executionToken: token })]);
  }
  return execution;
}

/** Makes the use cases of snapshots, or of log bundles. */
export function createArchiveService(dependencies: ServiceDependencies, kind: ArchiveKind): ArchiveService {
  const { database, files, config } = dependencies;
  const { what, permission, parameter, workflow, refusal, isAlone } = kinds[kind];
  const isBeingMade = ({ status }: StoredArchive): boolean => status === 'creating';

  const refuseTaken = async (session: Session, id: string): Promise<void> => {
    // an id names a file, so it is given once in all tenants
    if (await findArchiveOf(session, kind, id)) {
      throw new GantryError('conflict_error', `A ${what} with ID \`${id}\` already exists`);
    }
  };

  const room = async ({ tenant }: TenantCaller, id: string): Promise<ByteLimit> => {
    const replaced = (await files.findArchive(kind, id))?.bytes;
    return arrivalLimit(database, files, tenant, Number.MAX_SAFE_INTEGER, replaced);
  };

  return {
    list: (caller, query, isAllTenants) =>
      listArchives(database, kind, listScopeOf(caller, isAllTenants, permission), query),

    get: (caller, id) => getArchive(database, kind, scopeOf(caller), id),

    create(caller, id, parameters, queue) {
      checkIdentifier(parameter, id, { mayStartWithDigit: true });
      const session = database.actingAs(actorOf(caller));
      return withStorage({ session, files }, caller.tenant, async (transaction, book) => {
        const isQueued = await mustWait(transaction, queue, isAlone);
        await refuseTaken(transaction, id);
        // how large it gets is known at the end only; where there is no room at all it is not begun
        await book(1);
        await createArchive(transaction, kind, {
          id,
          tenantId: caller.tenant.id,
          creatorId: caller.user.id,
          status: 'creating',
        });
        return start(dependencies, transaction, caller, {
          workflowId: workflow,
          parameters: { ...parameters, [parameter]: id },
          isQueued,
        });
      });
    },

    async setStatus(caller, id, status, error) {
      const archive = await getArchive(database, kind, scopeOf(caller), id);
      return setArchiveStatus(database, kind, archive.storageId, { status, error });
    },

    async remove(caller, id) {
      const removed = await database.transactionAs(actorOf(caller), async (transaction) => {
        const archive = await getArchive(transaction, kind, scopeOf(caller), id);
        const running = await findBlockingExecutions(transaction, { isSystemWorkflow: true, withQueued: true });
        const maker = running.find(({ parameters }) => parameters[parameter] === id);
        if (maker) {
          throw new GantryError(
            refusal,
            `Cannot delete ${what} \`${id}\` which has an active \`${maker.workflowId}\` execution`,
          );
        }
        await deleteArchive(transaction, kind, archive.storageId);
        return archive;
      });
      await files.removeArchive(kind, id);
      return removed;
    },

    async file(caller, id) {
      const archive = await getArchive(database, kind, scopeOf(caller), id);
      if (archive.status === 'failed') {
        throw new GantryError(refusal, `Failed ${what} cannot be downloaded`);
      }
      const file = await files.findArchive(kind, id);
      if (!file) {
        throw new GantryError(
          isBeingMade(archive) ? refusal : 'not_found_error',
          isBeingMade(archive)
            ? `The ${what} \`${id}\` is still being made`
            : `The archive of ${what} \`${id}\` was not found`,
        );
      }
      return file;
    },

    upload(caller, id, received) {
      checkIdentifier(parameter, id, { mayStartWithDigit: true });
      const session = database.actingAs(actorOf(caller));
      return withStorage({ session, files }, caller.tenant, async (transaction, book) => {
        const present = await findArchiveOf(transaction, kind, id);
        if (present && (isBeingMade(present) || present.tenantId !== caller.tenant.id)) {
          throw new GantryError('conflict_error', `A ${what} with ID \`${id}\` already exists`);
        }
        const archive = present
          ? await setArchiveStatus(transaction, kind, present.storageId, { status: 'uploaded', error: null })
          : await createArchive(transaction, kind, {
              id,
              tenantId: caller.tenant.id,
              creatorId: caller.user.id,
              status: 'uploaded',
            });
        const replaced = (await files.findArchive(kind, id))?.bytes ?? 0;
        await book(received.bytes - replaced);
        // the row is there or nothing is: the file comes last, the commit follows
        await files.keepArchive(kind, id, received.path);
        return archive;
      });
    },

    room,

    async fetch(caller, id, url, signal) {
      const { maxUploadBytes } = config.http;
      const limits = { maxBytes: maxUploadBytes, timeout: downloadTimeout, signal };
      const remote = await fetchRemote(url, config.imports, limits);
      return files.receiveArchive(remote.body, await room(caller, id), 'Snapshot');
    },

    async restore(caller, id, { force, timeout }) {
      const archive = await getArchive(database, kind, scopeOf(caller), id);
      if (archive.status === 'failed' || isBeingMade(archive)) {
        throw new GantryError(refusal, `The ${what} \`${id}\` is ${archive.status}: it cannot be restored`);
      }
      const contents = force ? [] : await findContents(database);
      if (contents.length > 0) {
        throw new GantryError(
          refusal,
          `This manager is not empty (${contents.join(', ')}); a restore replaces everything. Restore with force to do that.`,
        );
      }
      return database.transactionAs(actorOf(caller), async (transaction) => {
        await mustWait(transaction, false, true);
        const parameters = { snapshot_id: id, force, timeout };
        return start(dependencies, transaction, caller, {
          workflowId: 'restore_snapshot',
          parameters,
          isQueued: false,
        });
      });
    },
  };
}
