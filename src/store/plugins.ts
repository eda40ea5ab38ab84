import type { PluginInstallationState, PluginState } from '../domain/cluster.ts';
import type { Plugin } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { Visibility } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { json, resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import { deleteResource, requireResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';
import { insertUnique } from './unique-ids.ts';
import { jsonChange, groupRows } from './values.ts';

export interface PluginUpdate {
  creatorId?: number | undefined;
  visibility?: Visibility | undefined;
  title?: string | undefined;
  blueprintLabels?: JsonObject | undefined;
  labels?: JsonObject | undefined;
  resourceTags?: JsonObject | undefined;
}

export interface NewPlugin extends PluginUpdate {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  archiveName: string;
  packageName: string;
  packageVersion?: string | undefined;
  packageSource?: string | undefined;
  supportedPlatform?: Json | undefined;
  distribution?: string | undefined;
  distributionRelease?: string | undefined;
  distributionVersion?: string | undefined;
  supportedPyVersions?: readonly string[] | undefined;
  wheels?: readonly string[] | undefined;
  excludedWheels?: readonly string[] | undefined;
  uploadedAt?: Date | undefined;
}

async function attachStates(session: Session, items: Plugin[]): Promise<void> {
  const rows = await session.prepared<PluginState & { pluginId: number }>(
    `select plugins_states.plugin_id as "pluginId", plugins_states.state, plugins_states.error,
       managers.hostname as manager, agents.name as agent
     from plugins_states left join managers on managers.id = plugins_states.manager_id
     left join agents on agents.storage_id = plugins_states.agent_id
     where plugins_states.plugin_id = any($1) order by plugins_states.storage_id`,
    [items.map(({ storageId }) => storageId)],
  );
  const states = groupRows(rows, ({ pluginId }) => pluginId);
  for (const item of items) {
    item.states = (states.get(item.storageId) ?? []).map(({ state, error, manager, agent }) => ({
      state,
      error: error ?? undefined,
      manager: manager ?? undefined,
      agent: agent ?? undefined,
    }));
  }
}

const pluginResource: Resource<Plugin> = {
  kind: 'Plugin',
  table: 'plugins',
  alias: 'plugin',
  from: `plugins plugin ${resourceJoins('plugin')}`,
  scope: scopeOf('plugin'),
  fields: {
    ...resourceFields('plugin'),
    archiveName: text('plugin.archive_name'),
    packageName: text('plugin.package_name'),
    packageVersion: text('plugin.package_version'),
    packageSource: text('plugin.package_source'),
    supportedPlatform: json('plugin.supported_platform'),
    distribution: text('plugin.distribution'),
    distributionRelease: text('plugin.distribution_release'),
    distributionVersion: text('plugin.distribution_version'),
    supportedPyVersions: json(`coalesce(plugin.supported_py_versions, '[]')`),
    wheels: json(`coalesce(plugin.wheels, '[]')`),
    excludedWheels: json(`coalesce(plugin.excluded_wheels, '[]')`),
    uploadedAt: timestamp('plugin.uploaded_at'),
    title: text('plugin.title'),
    blueprintLabels: json('plugin.blueprint_labels'),
    labels: json('plugin.labels'),
    resourceTags: json('plugin.resource_tags'),
  },
  defaultOrder: 'plugin.uploaded_at, plugin.storage_id',
  defaults: { states: [] },
  attach: async (session, items, wants) => {
    if (wants('states')) {
      await attachStates(session, items);
    }
  },
};

function columnsOf(update: PluginUpdate): Record<string, unknown> {
  return {
    creator_id: update.creatorId,
    visibility: update.visibility,
    title: update.title,
    blueprint_labels: jsonChange(update.blueprintLabels),
    labels: jsonChange(update.labels),
    resource_tags: jsonChange(update.resourceTags),
  };
}

/** What keeps a package from being there twice. */
const packageConstraints = ['plugins_package', 'plugins_global_alone'];

/** The refusal of an archive that is there already. */
function duplicate(plugin: NewPlugin, cause?: unknown): GantryError {
  const version = plugin.packageVersion === undefined ? '' : ` ${plugin.packageVersion}`;
  return new GantryError(
    'conflict_error',
    `Plugin ${plugin.packageName}${version} (${plugin.archiveName}) already exists in this tenant or with global visibility`,
    cause === undefined ? {} : { cause },
  );
}

/** A plugin with the same archive in the tenant or globally; in any tenant, for one that is to be global. */
async function findSamePlugin(
  session: Session,
  plugin: Pick<NewPlugin, 'packageName' | 'archiveName' | 'tenantId' | 'visibility'>,
): Promise<Plugin | undefined> {
  const [found] = await findResources(
    session,
    pluginResource,
    (parameters) =>
      `plugin.package_name = ${parameters.add(plugin.packageName)} and plugin.archive_name = ${parameters.add(plugin.archiveName)}
       and (plugin.tenant_id = ${parameters.add(plugin.tenantId)} or plugin.visibility = 'global'
         or ${parameters.add(plugin.visibility === 'global')}::boolean)`,
    { limit: 1 },
  );
  return found;
}

/** @throws GantryError conflict_error when the package is there already */
export async function createPlugin(session: Session, plugin: NewPlugin): Promise<Plugin> {
  return session.transaction(async (transaction) => {
    if (await findSamePlugin(transaction, plugin)) {
      throw duplicate(plugin);
    }
    try {
      const storageId = await insertUnique(transaction, 'plugins', 'plugin', plugin, {
        ...columnsOf(plugin),
        id: plugin.id,
        tenant_id: plugin.tenantId,
        archive_name: plugin.archiveName,
        package_name: plugin.packageName,
        package_version: plugin.packageVersion,
        package_source: plugin.packageSource,
        supported_platform: jsonChange(plugin.supportedPlatform),
        distribution: plugin.distribution,
        distribution_release: plugin.distributionRelease,
        distribution_version: plugin.distributionVersion,
        supported_py_versions: jsonChange(plugin.supportedPyVersions),
        wheels: jsonChange(plugin.wheels),
        excluded_wheels: jsonChange(plugin.excludedWheels),
        uploaded_at: plugin.uploadedAt,
      });
      return await requireResource(transaction, pluginResource, storageId);
    } catch (error) {
      const isSame =
        error instanceof GantryError &&
        packageConstraints.some((constraint) => isUniqueViolation(error.cause, constraint));
      throw isSame ? duplicate(plugin, error) : error;
    }
  });
}

/** A plugin by its id, whatever its tenant. */
export async function findPlugin(session: Session, id: string): Promise<Plugin | undefined> {
  const [found] = await findResources(session, pluginResource, (parameters) => `plugin.id = ${parameters.add(id)}`);
  return found;
}

/** @throws GantryError not_found_error */
export async function getPlugin(session: Session, scope: Scope, id: string): Promise<Plugin> {
  return getResource(session, pluginResource, scope, { id });
}

export async function listPlugins(session: Session, scope: Scope, query: ListQuery): Promise<Page<Plugin>> {
  return listResources(session, pluginResource, scope, query);
}

/** Versions of a package that `tenantId` sees, its own before global ones. */
export async function findPluginVersions(session: Session, tenantId: number, packageName: string): Promise<Plugin[]> {
  return findResources(
    session,
    pluginResource,
    (parameters) => `plugin.package_name = ${parameters.add(packageName)}
      and (plugin.tenant_id = ${parameters.add(tenantId)} or plugin.visibility = 'global')`,
  );
}

/** @throws GantryError not_found_error */
export async function updatePlugin(session: Session, storageId: number, update: PluginUpdate): Promise<Plugin> {
  return updateResource(session, pluginResource, storageId, columnsOf(update));
}

/** @returns whether it was there */
export async function deletePlugin(session: Session, storageId: number): Promise<boolean> {
  return deleteResource(session, pluginResource, storageId);
}

/** Where plugins are installed or being installed. */
export interface PluginPlace {
  managers: readonly string[];
  /** Names of agents in the tenant of the plugin. */
  agents: readonly string[];
}

/**
 * Sets the state of a plugin on managers and on agents of a tenant in one statement.
 * @returns names of those that exist
 */
export async function setPluginState(
  session: Session,
  plugin: Pick<Plugin, 'storageId' | 'tenantId'>,
  place: PluginPlace,
  state: PluginInstallationState,
  error?: string,
): Promise<{ managers: string[]; agents: string[] }> {
  const rows = await session.prepared<{ manager: string | null; agent: string | null }>(
    `with places as (
       select id as manager_id, null::bigint as agent_id, hostname as manager, null as agent from managers
       where hostname = any($2)
       union all
       select null, storage_id, null, name from agents where name = any($3) and tenant_id = $4
     ), stored as (
       insert into plugins_states (plugin_id, manager_id, agent_id, state, error)
       select $1, manager_id, agent_id, $5, $6 from places
       on conflict on constraint plugins_states_place do update set state = excluded.state, error = excluded.error
     )
     select manager, agent from places`,
    [plugin.storageId, [...place.managers], [...place.agents], plugin.tenantId, state, error ?? null],
  );
  return {
    managers: rows.flatMap(({ manager }) => manager ?? []),
    agents: rows.flatMap(({ agent }) => agent ?? []),
  };
}
