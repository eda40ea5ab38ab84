import { workflowMessage } from '../amqp/workflow-message.ts';
import type { Blueprint, Execution } from '../domain/entities.ts';
import { GantryError, ifFound } from '../domain/errors.ts';
import { arrivalLimit, withStorage } from '../executor/storage-quota.ts';
import type { Book } from '../executor/storage-quota.ts';
import type { JsonObject } from '../domain/plan.ts';
import { failedBlueprintStates } from '../domain/states.ts';
import type { BlueprintState, Visibility } from '../domain/states.ts';
import type { ByteLimit } from '../files/limit-bytes.ts';
import type { ReceivedArchive, SetAside, StoredArchive } from '../files/file-store.ts';
import {
  createBlueprint,
  deleteBlueprint,
  findImportingBlueprints,
  getBlueprint,
  listBlueprints,
  updateBlueprint,
} from '../store/blueprints.ts';
import { findDeploymentsOfBlueprint } from '../store/deployments.ts';
import { isSystemWorkflowUnfinished } from '../store/execution-queue.ts';
import { createExecutions, findExecution, findExecutions } from '../store/executions.ts';
import { addLabels } from '../store/labels.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session, Transaction } from '../store/session.ts';
import { changeBlueprint } from './blueprint-update.ts';
import type { BlueprintChange } from './blueprint-update.ts';
import { listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { createExecutionToken } from '../security/tokens.ts';
import { checkIdentifier, everywhere, requireFreeGlobally, requireOwnTenant, widerVisibility } from './identifiers.ts';
import { labelsToStore } from './labels.ts';
import type { NewLabel } from './labels.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';
import { sendAfterCommit } from './outbox.ts';

/** A blueprint with the execution that uploaded it. */
export interface BlueprintWithUpload extends Blueprint {
  readonly uploadExecution: Execution | undefined;
}

export interface BlueprintUpload {
  readonly id: string;
  readonly mainFileName: string | undefined;
  readonly visibility: Visibility;
  readonly labels: readonly NewLabel[] | undefined;
  /** The archive, or where the upload execution finds it. */
  readonly archive: ReceivedArchive | { readonly url: string };
  readonly origin: Origin;
  /** Only parses it; nothing stays. */
  readonly isValidation: boolean;
  /** Only keeps it: who restores a blueprint tells plan and state afterwards. */
  readonly isKeptOnly: boolean;
  /** Undefined = the one its upload begins with. */
  readonly state: BlueprintState | undefined;
}

export interface BlueprintService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<BlueprintWithUpload>>;
  get(caller: TenantCaller, id: string, fields?: readonly string[]): Promise<BlueprintWithUpload>;
  /** Refuses early what would be refused later, before a large archive is read. @throws GantryError conflict_error */
  requireFreeId(caller: TenantCaller, id: string): Promise<void>;
  /** Stores the upload and starts its execution. @throws GantryError conflict_error */
  upload(caller: TenantCaller, upload: BlueprintUpload): Promise<BlueprintWithUpload>;
  /** Waits for the upload to end. @throws GantryError invalid_blueprint_error when the blueprint was refused */
  waitForUpload(
    caller: TenantCaller,
    blueprint: BlueprintWithUpload,
    signal: AbortSignal,
  ): Promise<BlueprintWithUpload>;
  /** @throws GantryError invalid_blueprint_error, blueprint_in_use, dependent_exists_error, illegal_action_error */
  remove(caller: TenantCaller, id: string, isForced: boolean): Promise<void>;
  /** @throws GantryError conflict_error, not_found_error */
  change(caller: TenantCaller, id: string, change: BlueprintChange): Promise<BlueprintWithUpload>;
  /** Replaces the picture of a blueprint, or removes it; the archive follows. */
  setIcon(caller: TenantCaller, id: string, icon: Buffer): Promise<BlueprintWithUpload>;
  /** How much an upload may bring now. */
  room(caller: TenantCaller): Promise<ByteLimit>;
  /** Stores the archive of an upload that is under way. @throws GantryError illegal_action_error afterwards */
  replaceArchive(caller: TenantCaller, id: string, archive: ReceivedArchive): Promise<void>;
  setVisibility(caller: TenantCaller, id: string, visibility: unknown): Promise<BlueprintWithUpload>;
  /** @throws GantryError not_found_error */
  archive(caller: TenantCaller, id: string): Promise<StoredArchive>;
}

/** Milliseconds a synchronous upload may take. */
const uploadTimeout = 120_000;

function tenantOf({ tenantId, tenantName }: Blueprint): { id: number; name: string } {
  return { id: tenantId, name: tenantName };
}

function isFailed(state: BlueprintState): boolean {
  return failedBlueprintStates.includes(state);
}

function alreadyExists(caller: TenantCaller, id: string): GantryError {
  return new GantryError(
    'conflict_error',
    `blueprint with id=${id} already exists on tenant ${caller.tenant.name} or with global visibility`,
  );
}

/** The blueprint of that id if there is one that a new upload may not replace, or the failed one that it may. */
async function findSameId(session: Session, caller: TenantCaller, id: string): Promise<Blueprint | undefined> {
  try {
    // without a viewer: private blueprints of others take an id too
    return await ifFound(getBlueprint(session, { tenantId: caller.tenant.id }, id, { fields: ['id', 'state'] }));
  } catch (error) {
    throw error instanceof GantryError && error.code === 'ambiguous_name' ? alreadyExists(caller, id) : error;
  }
}

async function removeFailed(transaction: Transaction, caller: TenantCaller, id: string): Promise<void> {
  const present = await findSameId(transaction, caller, id);
  if (!present) {
    return;
  }
  if (!isFailed(present.state) || present.tenantId !== caller.tenant.id) {
    throw alreadyExists(caller, id);
  }
  await deleteBlueprint(transaction, present.storageId);
}

async function storeUpload(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  upload: BlueprintUpload,
  transaction: Transaction,
  book: Book,
): Promise<Blueprint> {
  await removeFailed(transaction, caller, upload.id);
  const { archive } = upload;
  const blueprint = await createBlueprint(transaction, {
    id: upload.id,
    tenantId: caller.tenant.id,
    creatorId: await ownerId(transaction, caller, upload.origin.creator),
    createdAt: creationTime(caller, upload.origin.createdAt),
    visibility: upload.visibility,
    state: upload.isValidation ? 'validating' : (upload.state ?? ('url' in archive ? 'pending' : 'uploading')),
    mainFileName: upload.mainFileName,
  });
  // those an upload sets itself tell nothing; what is there already it leaves as it is
  const told = (upload.labels ?? []).filter(({ origin }) => upload.isKeptOnly || origin !== undefined);
  const labels = await labelsToStore(transaction, caller, told);
  await addLabels(transaction, 'blueprints', [blueprint.storageId], labels);
  const stored = upload.isKeptOnly
    ? await getBlueprint(transaction, scopeOf(caller), upload.id)
    : await startUpload(dependencies, caller, upload, blueprint, transaction);
  if (!('url' in archive)) {
    await book(archive.bytes);
    await dependencies.files.keepBlueprintArchive(caller.tenant.name, upload.id, archive);
  }
  return stored;
}

async function startUpload(
  dependencies: ServiceDependencies,
  caller: TenantCaller,
  upload: BlueprintUpload,
  blueprint: Blueprint,
  transaction: Transaction,
): Promise<Blueprint> {
  const isQueued = await isSystemWorkflowUnfinished(transaction);
  const { token, tokenHash } = createExecutionToken();
  const parameters: JsonObject = {
    blueprint_id: upload.id,
    app_file_name: upload.mainFileName ?? null,
    url: 'url' in upload.archive ? upload.archive.url : null,
    validate_only: upload.isValidation,
    labels: upload.labels ? upload.labels.map(({ key, value }) => ({ key, value })) : null,
  };
  const [execution] = await createExecutions(transaction, [
    {
      id: dependencies.newId(),
      tenantId: caller.tenant.id,
      creatorId: caller.user.id,
      visibility: upload.visibility,
      workflowId: 'upload_blueprint',
      status: isQueued ? 'queued' : 'pending',
      parameters,
      blueprintId: upload.id,
      tokenHash,
    },
  ]);
  if (!execution) {
    throw new Error('The new execution was not stored');
  }
  const stored = await updateBlueprint(transaction, blueprint.storageId, {
    uploadExecutionStorageId: execution.storageId,
  });
  if (!isQueued) {
    await sendAfterCommit(transaction, dependencies.outbox, [workflowMessage(execution, { executionToken: token })]);
  }
  return stored;
}

async function requireRemovable(transaction: Transaction, blueprint: Blueprint, isForced: boolean): Promise<void> {
  if (blueprint.state !== 'uploaded' && !isForced) {
    throw new GantryError('invalid_blueprint_error', `Blueprint \`${blueprint.id}\` is still ${blueprint.state}.`);
  }
  if (!isForced) {
    const importers = await findImportingBlueprints(transaction, blueprint.tenantId, blueprint.id);
    if (importers.length > 0) {
      throw new GantryError(
        'blueprint_in_use',
        `Blueprint ${blueprint.id} is currently in use. You can "force" blueprint removal. It is imported by: ${importers.join(', ')}`,
      );
    }
  }
  const deployments = await findDeploymentsOfBlueprint(transaction, blueprint.storageId);
  if (deployments.length > 0) {
    throw new GantryError(
      'dependent_exists_error',
      `Can't delete blueprint ${blueprint.id} - There exist deployments for this blueprint; Deployments ids: ` +
        deployments.slice(0, 20).join(', '),
    );
  }
}

/** Makes the use cases of blueprints. */
export function createBlueprintService(dependencies: ServiceDependencies): BlueprintService {
  const { database, files, waiter } = dependencies;

  const withUpload = async (session: Session, blueprint: Blueprint): Promise<BlueprintWithUpload> => ({
    ...blueprint,
    uploadExecution:
      blueprint.uploadExecutionId === undefined ? undefined : await findExecution(session, blueprint.uploadExecutionId),
  });
  const get: BlueprintService['get'] = async (caller, id, fields) =>
    withUpload(database, await getBlueprint(database, scopeOf(caller), id, fields ? { fields } : {}));

  /** A blueprint that becomes `uploaded` by word of a client has the files of its archive. */
  const publishKept = async (caller: TenantCaller, id: string): Promise<void> => {
    const blueprint = await getBlueprint(database, scopeOf(caller), id, { fields: ['id', 'state'] });
    requireOwnTenant(caller, blueprint);
    const { tenantName, state } = blueprint;
    if (state !== 'uploaded' && (await files.blueprintArchive(tenantName, blueprint.id))) {
      const staged = await files.stageBlueprint(tenantName, blueprint.id);
      await staged.publish().finally(() => staged.discard());
    }
  };

  return {
    async list(caller, query, isAllTenants) {
      const page = await listBlueprints(database, listScopeOf(caller, isAllTenants, 'blueprint_list'), query);
      const ids = page.items.flatMap(({ uploadExecutionId }) => uploadExecutionId ?? []);
      const found = ids.length > 0 ? await findExecutions(database, ids) : [];
      const uploads = new Map(found.map((execution) => [execution.id, execution]));
      const items = page.items.map((item) => ({ ...item, uploadExecution: uploads.get(item.uploadExecutionId ?? '') }));
      return { ...page, items };
    },

    get,

    async requireFreeId(caller, id) {
      checkIdentifier('blueprint_id', id);
      const present = await findSameId(database, caller, id);
      if (present && (!isFailed(present.state) || present.tenantId !== caller.tenant.id)) {
        throw alreadyExists(caller, id);
      }
    },

    async upload(caller, upload) {
      const session = database.actingAs(actorOf(caller));
      const store = (transaction: Transaction, book: Book): Promise<Blueprint> =>
        storeUpload(dependencies, caller, upload, transaction, book);
      // what comes from a URL is fetched, and counted, by the execution
      const stored =
        'url' in upload.archive
          ? await session.transaction((transaction) => store(transaction, async () => undefined))
          : await withStorage({ session, files }, caller.tenant, store);
      return withUpload(database, stored);
    },

    async waitForUpload(caller, blueprint, signal) {
      if (blueprint.uploadExecutionId !== undefined) {
        await waiter.waitUntilEnded(blueprint.uploadExecutionId, uploadTimeout, signal);
      }
      const now = await get(caller, blueprint.id);
      if (isFailed(now.state)) {
        const verb = now.state === 'invalid' ? 'is invalid' : `has ${now.state.replaceAll('_', ' ')}`;
        throw new GantryError('invalid_blueprint_error', `Blueprint \`${now.id}\` ${verb}. Error: ${now.error ?? ''}`);
      }
      return now;
    },

    async remove(caller, id, isForced) {
      const taken: { aside?: SetAside } = {};
      const remove = async (transaction: Transaction): Promise<void> => {
        const blueprint = await getBlueprint(transaction, scopeOf(caller), id, { fields: ['id', 'state'], lock: true });
        requireOwnTenant(caller, blueprint);
        if (!isFailed(blueprint.state)) {
          await requireRemovable(transaction, blueprint, isForced);
        }
        await deleteBlueprint(transaction, blueprint.storageId);
        // the id is taken until the end of the transaction
        taken.aside = await files.setBlueprintAside(blueprint.tenantName, blueprint.id);
      };
      try {
        await database.transactionAs(actorOf(caller), remove);
      } catch (error) {
        await taken.aside?.putBack();
        throw error;
      }
      await taken.aside?.discard();
    },

    async change(caller, id, change) {
      if (change.state === 'uploaded') {
        await publishKept(caller, id);
      }
      const changed = await database.transactionAs(actorOf(caller), async (transaction) => {
        const { blueprint, isGone } = await changeBlueprint(transaction, caller, id, change);
        if (isGone) {
          // while the id is taken still
          await files.removeBlueprint(blueprint.tenantName, blueprint.id);
        }
        return blueprint;
      });
      return withUpload(database, changed);
    },

    async setIcon(caller, id, icon) {
      const blueprint = await getBlueprint(database, scopeOf(caller), id, { fields: ['id', 'state'] });
      requireOwnTenant(caller, blueprint);
      if (blueprint.state !== 'uploaded') {
        throw new GantryError('illegal_action_error', `Blueprint \`${id}\` is not uploaded but ${blueprint.state}`);
      }
      // it stands beside the files and in the archive; packing that takes too long for a transaction
      await withStorage({ session: database, files }, tenantOf(blueprint), (_transaction, book) =>
        book(2 * icon.length),
      );
      await files.setBlueprintIcon(blueprint.tenantName, blueprint.id, icon);
      return get(caller, id);
    },

    room: ({ tenant }) => arrivalLimit(database, files, tenant, dependencies.config.http.maxUploadBytes),

    async replaceArchive(caller, id, archive) {
      const blueprint = await getBlueprint(database, scopeOf(caller), id, { fields: ['id', 'state'] });
      requireOwnTenant(caller, blueprint);
      if (blueprint.state === 'uploaded') {
        throw new GantryError('illegal_action_error', `Blueprint \`${id}\` is uploaded: its archive stays as it is`);
      }
      await withStorage({ session: database, files }, tenantOf(blueprint), async (_transaction, book) => {
        const replaced = (await files.blueprintArchive(blueprint.tenantName, blueprint.id))?.bytes ?? 0;
        await book(archive.bytes - replaced);
        await files.keepBlueprintArchive(blueprint.tenantName, blueprint.id, archive);
      });
    },

    async setVisibility(caller, id, wanted) {
      const stored = await database.transactionAs(actorOf(caller), async (transaction) => {
        const blueprint = await getBlueprint(transaction, scopeOf(caller), id, { fields: ['id'], lock: true });
        requireOwnTenant(caller, blueprint);
        const visibility = widerVisibility(caller, blueprint, wanted);
        await requireFreeGlobally(visibility, blueprint, (query) => listBlueprints(transaction, everywhere, query));
        return updateBlueprint(transaction, blueprint.storageId, { visibility });
      });
      return withUpload(database, stored);
    },

    async archive(caller, id) {
      const blueprint = await getBlueprint(database, scopeOf(caller), id, { fields: ['id'] });
      const archive = await files.blueprintArchive(blueprint.tenantName, blueprint.id);
      if (!archive) {
        throw new GantryError('not_found_error', `The archive of blueprint \`${id}\` was not found`);
      }
      return archive;
    },
  };
}
