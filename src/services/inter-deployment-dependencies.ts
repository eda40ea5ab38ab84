import { GantryError, notFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { InterDeploymentDependency } from '../domain/resources.ts';
import type { Visibility } from '../domain/states.ts';
import { addConsumers, removeConsumers } from '../store/consumers.ts';
import { findTargets } from '../store/deployment-links.ts';
import { getDeployment } from '../store/deployments.ts';
import {
  createInterDeploymentDependencies,
  deleteInterDeploymentDependencies,
  findByKey,
  findBySource,
  findCircularTargets,
} from '../store/inter-deployment-dependencies.ts';
import type { NewInterDeploymentDependency } from '../store/inter-deployment-dependencies.ts';
import type { Session, Transaction } from '../store/session.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';
import { creationTime, ownerIds } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** How one deployment uses another. */
export interface DependencyRequest {
  /** Dotted, e.g. `component.<node instance>`. */
  readonly creator: string;
  /** Id of the deployment that is used; undefined while only a function tells, or when it is elsewhere. */
  readonly target: string | undefined;
  readonly targetFunction: JsonObject | undefined;
  /** A deployment of another manager. */
  readonly externalSource: JsonObject | undefined;
  readonly externalTarget: JsonObject | undefined;
  readonly id: string | undefined;
  readonly origin: Origin;
}

export interface SingleDependencyRequest extends DependencyRequest {
  readonly source: string;
  readonly visibility: Visibility | undefined;
}

export type DependencyKeyRequest = Pick<
  SingleDependencyRequest,
  'creator' | 'source' | 'target' | 'externalSource' | 'externalTarget'
>;

export interface InterDeploymentDependencyService {
  /** @throws GantryError not_found_error; conflict_error when the target depends on the source itself */
  create(caller: TenantCaller, request: SingleDependencyRequest): Promise<InterDeploymentDependency>;
  /** Adds dependencies of one source; those whose target is unknown have none. @throws GantryError */
  createMany(
    caller: TenantCaller,
    source: string,
    requests: readonly DependencyRequest[],
  ): Promise<InterDeploymentDependency[]>;
  /** Makes these the only dependencies of the source. @throws GantryError */
  replace(
    caller: TenantCaller,
    source: string,
    requests: readonly DependencyRequest[],
  ): Promise<InterDeploymentDependency[]>;
  /** Whether any dependency has the key. */
  isKnown(caller: TenantCaller, key: DependencyKeyRequest): Promise<boolean>;
  /** @throws GantryError not_found_error; ambiguous_name when several have the key */
  remove(caller: TenantCaller, key: DependencyKeyRequest): Promise<void>;
}

/** A deployment that depends on others. */
interface Source {
  readonly storageId: number;
  readonly id: string;
  readonly visibility: Visibility;
}

async function lockSource(transaction: Transaction, caller: TenantCaller, id: string): Promise<Source> {
  try {
    const source = await getDeployment(transaction, scopeOf(caller), id, { fields: [], lock: true });
    requireOwnTenant(caller, source);
    return source;
  } catch (error) {
    if (error instanceof GantryError && error.code === 'not_found_error') {
      throw new GantryError('not_found_error', `Given source deployment with ID \`${id}\` does not exist.`);
    }
    throw error;
  }
}

/** @throws GantryError conflict_error naming a deployment that depends on the source itself */
async function refuseCircles(
  transaction: Transaction,
  source: Source,
  targets: ReadonlyMap<string, number>,
): Promise<void> {
  const circular = new Set(await findCircularTargets(transaction, source.storageId, [...targets.values()]));
  const first = [...targets].find(([, storageId]) => circular.has(storageId));
  if (first) {
    throw new GantryError('conflict_error', `cyclic dependency between deployments ${source.id} and ${first[0]}`);
  }
}

/** Whether the target is labelled with those who use it. A component's owner is no consumer of it. */
function isConsuming({ creator }: DependencyRequest): boolean {
  return !creator.startsWith('component.');
}

async function store(
  dependencies: ServiceDependencies,
  transaction: Transaction,
  caller: TenantCaller,
  source: Source | undefined,
  requests: readonly (DependencyRequest & { visibility?: Visibility | undefined })[],
): Promise<InterDeploymentDependency[]> {
  const owners = await ownerIds(
    transaction,
    caller,
    requests.map(({ origin }) => origin.creator),
  );
  const named = requests.flatMap(({ target, externalTarget }) =>
    target === undefined || externalTarget !== undefined ? [] : [target],
  );
  const targets = await findTargets(transaction, caller.tenant.id, named);
  if (source) {
    await refuseCircles(transaction, source, targets);
  }
  const rows = requests.map((request): NewInterDeploymentDependency => {
    const target = targets.get(request.target ?? '');
    return {
      id: request.id ?? dependencies.newId(),
      tenantId: caller.tenant.id,
      creatorId: owners.get(request.origin.creator ?? '') ?? caller.user.id,
      visibility: request.visibility ?? source?.visibility ?? 'tenant',
      createdAt: creationTime(caller, request.origin.createdAt),
      dependencyCreator: request.creator,
      sourceDeploymentStorageId: request.externalSource ? undefined : source?.storageId,
      targetDeploymentStorageId: request.externalTarget ? undefined : target,
      targetDeploymentFunction: request.targetFunction,
      externalSource: request.externalSource,
      externalTarget: request.externalTarget,
    };
  });
  const stored = await createInterDeploymentDependencies(transaction, rows);
  if (source) {
    const consumed = requests.filter(isConsuming).flatMap(({ target }) => targets.get(target ?? '') ?? []);
    await addConsumers(
      transaction,
      consumed.map((parentId) => ({ childId: source.storageId, parentId })),
    );
  }
  return stored;
}

/** Removes dependencies, and the label on targets that the source does not use in another way. */
async function removeAll(
  transaction: Transaction,
  source: number | undefined,
  gone: readonly InterDeploymentDependency[],
): Promise<void> {
  await deleteInterDeploymentDependencies(
    transaction,
    gone.map(({ storageId }) => storageId),
  );
  if (source === undefined) {
    return;
  }
  const edges = gone.flatMap(({ targetDeploymentStorageId: parentId }) =>
    parentId === undefined ? [] : [{ childId: source, parentId }],
  );
  await removeConsumers(transaction, edges);
}

async function requireTarget(
  transaction: Transaction,
  caller: TenantCaller,
  request: SingleDependencyRequest,
): Promise<void> {
  const { target, targetFunction, externalSource, externalTarget } = request;
  const isElsewhere = externalSource !== undefined || externalTarget !== undefined || targetFunction !== undefined;
  if (isElsewhere || (target !== undefined && (await findTargets(transaction, caller.tenant.id, [target])).size > 0)) {
    return;
  }
  throw new GantryError(
    'not_found_error',
    `Given target deployment with ID \`${target ?? 'None'}\` does not exist.  Also the target deployment function has not been provided`,
  );
}

async function findOwn(
  session: Session,
  caller: TenantCaller,
  source: Source | undefined,
  request: DependencyKeyRequest,
): Promise<InterDeploymentDependency[]> {
  const named = request.target === undefined ? [] : [request.target];
  const targets = await findTargets(session, caller.tenant.id, named);
  const found = await findByKey(session, {
    dependencyCreator: request.creator,
    sourceDeploymentStorageId: source?.storageId,
    targetDeploymentStorageId: targets.get(request.target ?? ''),
    externalSource: request.externalSource,
    externalTarget: request.externalTarget,
  });
  return found.filter(({ tenantId }) => tenantId === caller.tenant.id);
}

async function removeByKey(
  transaction: Transaction,
  caller: TenantCaller,
  request: DependencyKeyRequest,
): Promise<void> {
  const source = request.externalSource ? undefined : await lockSource(transaction, caller, request.source);
  const found = await findOwn(transaction, caller, source, request);
  const [only, another] = found;
  if (!only) {
    throw notFound('InterDeploymentDependencies', keyText(request));
  }
  if (another) {
    throw new GantryError(
      'ambiguous_name',
      `Several dependencies have the key ${keyText(request)}; name the target too`,
    );
  }
  await removeAll(transaction, source?.storageId, [only]);
}

function keyText({ creator, source, target }: DependencyKeyRequest): string {
  const key: Json = { dependency_creator: creator, source_deployment: source, target_deployment: target ?? null };
  return JSON.stringify(key);
}

/** Makes the use cases that change on which deployments others depend. */
export function createInterDeploymentDependencyService(
  dependencies: ServiceDependencies,
): InterDeploymentDependencyService {
  const { database } = dependencies;
  return {
    create: (caller, request) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const source = request.externalSource ? undefined : await lockSource(transaction, caller, request.source);
        await requireTarget(transaction, caller, request);
        const [stored] = await store(dependencies, transaction, caller, source, [request]);
        if (!stored) {
          throw new Error('The new dependency was not stored');
        }
        return stored;
      }),

    createMany: (caller, sourceId, requests) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const source = await lockSource(transaction, caller, sourceId);
        return store(dependencies, transaction, caller, source, requests);
      }),

    replace: (caller, sourceId, requests) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const source = await lockSource(transaction, caller, sourceId);
        await removeAll(transaction, source.storageId, await findBySource(transaction, source.storageId));
        return store(dependencies, transaction, caller, source, requests);
      }),

    async isKnown(caller, key) {
      const source = key.externalSource
        ? undefined
        : await getDeployment(database, scopeOf(caller), key.source, { fields: [] });
      return (await findOwn(database, caller, source, key)).length > 0;
    },

    remove: (caller, key) =>
      database.transactionAs(actorOf(caller), (transaction) => removeByKey(transaction, caller, key)),
  };
}
