import type { Blueprint } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject, Plan } from '../domain/plan.ts';
import type { BlueprintState, Visibility } from '../domain/states.ts';
import { isForeignKeyViolation } from './database-errors.ts';
import { attachLabels, embeddedLabels } from './labels.ts';
import type { ReadOptions } from './entity-rows.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { boolean, heavy, json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import { createResource, deleteResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { jsonChange } from './values.ts';

/** undefined = leave as it is, null = clear. */
export interface BlueprintUpdate {
  mainFileName?: string | undefined;
  description?: string | null | undefined;
  visibility?: Visibility | undefined;
  isHidden?: boolean | undefined;
  error?: string | null | undefined;
  errorTraceback?: string | null | undefined;
  plan?: Plan | undefined;
  requirements?: JsonObject | undefined;
  creatorId?: number | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  uploadExecutionStorageId?: number | null | undefined;
}

export interface NewBlueprint extends BlueprintUpdate {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  state: BlueprintState;
}

export const blueprintResource: Resource<Blueprint> = {
  kind: 'Blueprint',
  table: 'blueprints',
  alias: 'blueprint',
  from: `blueprints blueprint ${resourceJoins('blueprint')} left join executions upload on upload.storage_id = blueprint.upload_execution_id`,
  scope: scopeOf('blueprint'),
  fields: {
    ...resourceFields('blueprint'),
    createdAt: timestamp('blueprint.created_at'),
    updatedAt: timestamp('blueprint.updated_at'),
    mainFileName: text('blueprint.main_file_name'),
    description: text('blueprint.description'),
    isHidden: boolean('blueprint.is_hidden'),
    state: text('blueprint.state'),
    error: text('blueprint.error'),
    errorTraceback: text('blueprint.error_traceback'),
    plan: heavy(json('blueprint.plan')),
    requirements: heavy(json('blueprint.requirements')),
    uploadExecutionId: text('upload.id'),
  },
  defaultOrder: 'blueprint.created_at, blueprint.storage_id',
  labels: 'blueprints_labels',
  attributes: {
    id: 'blueprint.id',
    state: 'blueprint.state',
    created_by: 'creators.username',
    tenant_name: 'tenants.name',
  },
  defaults: { labels: [] },
  embedded: { labels: embeddedLabels('blueprints', 'blueprint') },
  attach: async (session, items, wants) => {
    if (wants('labels')) {
      await attachLabels(session, 'blueprints', items);
    }
  },
};

function columnsOf(update: BlueprintUpdate): Record<string, unknown> {
  return {
    main_file_name: update.mainFileName,
    description: update.description,
    visibility: update.visibility,
    is_hidden: update.isHidden,
    error: update.error,
    error_traceback: update.errorTraceback,
    plan: jsonChange(update.plan),
    requirements: jsonChange(update.requirements),
    creator_id: update.creatorId,
    created_at: update.createdAt,
    updated_at: update.updatedAt,
    upload_execution_id: update.uploadExecutionStorageId,
  };
}

/** What a plan uses, kept beside it so that nobody has to read plans to find out. */
async function storePlanUses(session: Session, storageId: number, plan: Plan): Promise<void> {
  const plugins = [
    ...plan.deployment_plugins_to_install,
    ...plan.workflow_plugins_to_install,
    ...plan.host_agent_plugins_to_install,
  ].filter((plugin) => plugin.package_name !== null);
  await session.prepared('delete from blueprints_plugins where blueprint_id = $1', [storageId]);
  await session.prepared(
    `insert into blueprints_plugins (blueprint_id, package_name, package_version)
     select $1, package_name, package_version from unnest($2::text[], $3::text[]) as plugin (package_name, package_version)
     on conflict do nothing`,
    [storageId, plugins.map((plugin) => plugin.package_name), plugins.map((plugin) => plugin.package_version ?? '')],
  );
  await session.prepared('delete from blueprints_imports where blueprint_id = $1', [storageId]);
  await session.prepared(
    `insert into blueprints_imports (blueprint_id, imported_id) select $1, unnest($2::text[]) on conflict do nothing`,
    [storageId, plan.imported_blueprints],
  );
}

/** @throws GantryError conflict_error when the id is taken in the tenant or by a global blueprint */
export async function createBlueprint(session: Session, blueprint: NewBlueprint): Promise<Blueprint> {
  return session.transaction(async (transaction) => {
    const columns = { ...columnsOf(blueprint), state: blueprint.state };
    const created = await createResource(transaction, blueprintResource, blueprint, columns);
    if (blueprint.plan) {
      await storePlanUses(transaction, created.storageId, blueprint.plan);
    }
    return created;
  });
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getBlueprint(
  session: Session,
  scope: Scope,
  id: string,
  options?: ReadOptions,
): Promise<Blueprint> {
  return getResource(session, blueprintResource, scope, { id }, options);
}

export async function listBlueprints(session: Session, scope: Scope, query: ListQuery): Promise<Page<Blueprint>> {
  return listResources(session, blueprintResource, scope, query);
}

/** The blueprint whatever its tenant; undefined when it is gone. */
export async function findBlueprint(
  session: Session,
  storageId: number,
  options?: ReadOptions,
): Promise<Blueprint | undefined> {
  const [blueprint] = await findResources(
    session,
    blueprintResource,
    (parameters) => `blueprint.storage_id = ${parameters.add(storageId)}`,
    options,
  );
  return blueprint;
}

/** @returns the blueprint after the change. @throws GantryError not_found_error */
export async function updateBlueprint(
  session: Session,
  storageId: number,
  update: BlueprintUpdate,
): Promise<Blueprint> {
  return session.transaction(async (transaction) => {
    const blueprint = await updateResource(transaction, blueprintResource, storageId, columnsOf(update));
    if (update.plan) {
      await storePlanUses(transaction, storageId, update.plan);
    }
    return blueprint;
  });
}

/**
 * Compare-and-set of the state; `from` undefined = whatever it is (restore, client's PATCH). Sets updated_at.
 * @returns the blueprint, or undefined when it was in another state
 */
export async function changeBlueprintState(
  session: Session,
  storageId: number,
  state: BlueprintState,
  options: { from?: readonly BlueprintState[]; error?: string | null; errorTraceback?: string | null } = {},
): Promise<Blueprint | undefined> {
  const rows = await session.prepared(
    `update blueprints set state = $2, error = $3, error_traceback = $4, updated_at = now()
     where storage_id = $1 and ($5::text[] is null or state = any($5)) returning storage_id`,
    [storageId, state, options.error ?? null, options.errorTraceback ?? null, options.from ? [...options.from] : null],
  );
  return rows.length > 0 ? findBlueprint(session, storageId) : undefined;
}

/**
 * @returns whether it was there
 * @throws GantryError dependent_exists_error while deployments use it
 */
export async function deleteBlueprint(session: Session, storageId: number): Promise<boolean> {
  try {
    return await deleteResource(session, blueprintResource, storageId);
  } catch (error) {
    if (isForeignKeyViolation(error)) {
      throw new GantryError('dependent_exists_error', 'The blueprint is used by deployments; delete those first', {
        cause: error,
      });
    }
    throw error;
  }
}

/** Ids of blueprints whose plan imports the blueprint `id`, as visible in its tenant. */
export async function findImportingBlueprints(session: Session, tenantId: number, id: string): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select blueprint.id from blueprints_imports import join blueprints blueprint on blueprint.storage_id = import.blueprint_id
     where import.imported_id = $2 and (blueprint.tenant_id = $1 or blueprint.visibility = 'global') order by blueprint.id`,
    [tenantId, id],
  );
  return rows.map((row) => row.id);
}

/** Ids of uploaded blueprints that use a plugin package, as visible in its tenant. */
export async function findBlueprintsUsingPlugin(
  session: Session,
  tenantId: number,
  packageName: string,
  packageVersion: string,
): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select blueprint.id from blueprints_plugins plugin join blueprints blueprint on blueprint.storage_id = plugin.blueprint_id
     where plugin.package_name = $2 and plugin.package_version = $3 and blueprint.state = 'uploaded'
       and (blueprint.tenant_id = $1 or blueprint.visibility = 'global') order by blueprint.id`,
    [tenantId, packageName, packageVersion],
  );
  return rows.map((row) => row.id);
}

/** Documents that a plan parser wants again: the plan of a blueprint by id, as visible in `scope`. */
export async function getPlan(session: Session, scope: Scope, id: string): Promise<Plan | undefined> {
  const blueprint = await getBlueprint(session, scope, id, { fields: ['plan'] });
  return blueprint.plan;
}
