import { compatibleVersion } from '../../domain/compatible-version.ts';
import { roles } from '../../domain/permissions.ts';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { holds } from '../../services/caller.ts';
import type { Caller } from '../../services/caller.ts';
import type { ProcessState, ManagerService } from '../../services/manager.ts';
import type { PermissionService } from '../../services/permissions.ts';
import type { Setting } from '../../store/settings.ts';
import { json, list, mapOf, record, textSchema } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import type { JsonSchema } from '../body.ts';
import { created, ok } from '../route.ts';
import type { Route } from '../route.ts';

const everybody = { tenant: 'optional' } as const;

const settingSchema = record('Setting', {
  name: 'text',
  value: 'json',
  schema: 'json',
  is_editable: 'boolean',
  admin_only: 'boolean',
  updated_at: 'timestamp',
  scope: 'text',
  updater_name: 'text',
});
const settingList: JsonSchema = {
  type: 'object',
  required: ['metadata', 'items'],
  properties: { metadata: { type: 'object' }, items: list(settingSchema), authorization: { type: 'object' } },
};
const versionSchema = record('Version', {
  edition: 'text',
  version: 'text',
  build: 'text',
  date: 'text',
  commit: 'text',
  distribution: 'text',
  distro_release: 'text',
});
const processSchema = record('Process', {
  name: 'text',
  roles: list(textSchema),
  status: 'text',
  started_at: 'timestamp',
  last_seen: 'timestamp',
  host: 'text',
});
const statusSchema: JsonSchema = {
  type: 'object',
  required: ['status', 'services'],
  properties: { status: { enum: ['OK', 'Fail'] }, services: mapOf({}), processes: list(processSchema) },
};

function shapeConfig(caller: Caller, item: Setting): JsonObject {
  const isHidden = item.adminOnly && !holds(caller, 'administrators');
  return {
    name: item.name,
    value: isHidden ? '********' : item.value,
    schema: item.schema ?? null,
    is_editable: item.isEditable,
    admin_only: item.adminOnly,
    updated_at: item.updatedAt?.toISOString() ?? null,
    scope: item.scope,
    updater_name: item.updaterName ?? null,
  };
}

function shapeProcess({ name, roles, isAlive, startedAt, lastSeen, host }: ProcessState): JsonObject {
  return {
    name,
    roles: [...roles],
    status: isAlive ? 'Active' : 'Inactive',
    started_at: startedAt.toISOString(),
    last_seen: lastSeen.toISOString(),
    host: host ?? null,
  };
}

function statusRoutes(manager: ManagerService, restoring: { readonly isRestoring: boolean }): Route[] {
  return [
    {
      method: 'get',
      path: '/ok',
      summary: 'Whether the service can answer',
      access: 'open',
      isMaintenance: true,
      answer: json(textSchema),
      handle: async () => ((await manager.isHealthy()) ? ok('OK') : { status: 500, body: 'FAIL' }),
    },
    {
      method: 'get',
      path: '/version',
      summary: 'Version of the manager',
      access: { ...everybody, permission: 'version_get' },
      isMaintenance: true,
      answer: json(versionSchema),
      handle: () =>
        ok({
          edition: 'premium',
          version: compatibleVersion,
          build: null,
          date: null,
          commit: null,
          distribution: null,
          distro_release: null,
        }),
    },
    {
      method: 'get',
      path: '/status',
      summary: 'State of the services of the manager',
      access: { ...everybody, permission: 'status_get' },
      query: ['summary'],
      isMaintenance: true,
      answer: json(statusSchema),
      handle: async ({ query }) => {
        const { isHealthy, services, processes } = await manager.status();
        const status = isHealthy ? 'OK' : 'Fail';
        return ok({
          status,
          ...(query.switch('summary') ? { services: {} } : { services, processes: processes.map(shapeProcess) }),
        });
      },
    },
    {
      method: 'get',
      path: '/snapshot-status',
      summary: 'Whether a snapshot is being restored',
      access: 'open',
      isMaintenance: true,
      answer: json(record(undefined, { status: { enum: ['running', 'not-running'] } })),
      handle: () => ok({ status: restoring.isRestoring ? 'running' : 'not-running' }),
    },
  ];
}

function configRoutes(manager: ManagerService, permissions: PermissionService): Route[] {
  const split = (text: string): { scope?: string; name: string } => {
    const dot = text.indexOf('.');
    return dot < 0 ? { name: text } : { scope: text.slice(0, dot), name: text.slice(dot + 1) };
  };
  return [
    {
      method: 'get',
      path: '/config',
      summary: 'List settings',
      access: { ...everybody, permission: 'manager_config_get' },
      query: ['scope'],
      isMaintenance: true,
      answer: json(settingList),
      handle: async ({ caller, query }) => {
        const scope = query.one('scope');
        const items = scope === 'authorization' ? [] : await manager.listConfig(scope);
        const showsRoles = scope === undefined || scope === 'authorization';
        return ok({
          metadata: {},
          items: items.map((item) => shapeConfig(caller, item)),
          ...(showsRoles ? { authorization: { roles, permissions: permissions.matrix } } : {}),
        });
      },
    },
    {
      method: 'get',
      path: '/config/:name',
      summary: 'Get a setting',
      access: { ...everybody, permission: 'manager_config_get' },
      isMaintenance: true,
      answer: json(settingSchema),
      handle: async ({ caller, parameters }) => {
        const { scope, name } = split(parameters['name'] ?? '');
        return ok(shapeConfig(caller, await manager.getConfig(name, scope)));
      },
    },
    {
      method: 'put',
      path: '/config/:name',
      summary: 'Change a setting',
      access: { ...everybody, permission: 'manager_config_put' },
      body: { type: 'object', required: ['value'], properties: { force: { type: ['boolean', 'null'] } } },
      isMaintenance: true,
      answer: json(settingSchema),
      handle: async ({ caller, parameters, body }) => {
        if (!holds({ ...caller, tenant: undefined }, 'manager_config_put')) {
          throw new GantryError('forbidden_error', 'Only a system administrator may change settings of the manager');
        }
        const { scope, name } = split(parameters['name'] ?? '');
        const { value = null, force } = body as JsonObject;
        return ok(
          shapeConfig(caller, await manager.putConfig(caller, { name, scope, value, isForced: force === true })),
        );
      },
    },
  ];
}

function providerRoutes(manager: ManagerService): Route[] {
  return [
    {
      method: 'get',
      path: '/provider/context',
      summary: 'Get the provider context',
      access: { ...everybody, permission: 'provider_context_get' },
      isMaintenance: true,
      answer: json(record(undefined, { id: textSchema, name: 'text', context: 'json' })),
      handle: async () => {
        const { name, context } = await manager.providerContext();
        return ok({ id: 'CONTEXT', name, context });
      },
    },
    {
      method: 'post',
      path: '/provider/context',
      summary: 'Set the provider context',
      access: { ...everybody, permission: 'provider_context_create' },
      body: {
        type: 'object',
        required: ['name', 'context'],
        properties: { name: { type: 'string' }, context: { type: 'object' } },
      },
      query: ['update'],
      answer: json(record(undefined, { status: textSchema })),
      handle: async ({ caller, query, body }) => {
        if (!holds({ ...caller, tenant: undefined }, 'manager_config_put')) {
          throw new GantryError('forbidden_error', 'Only a system administrator may set the provider context');
        }
        const { context } = body as JsonObject;
        const name = textMember(body as JsonObject, 'name');
        const isUpdate = query.switch('update');
        await manager.setProviderContext(caller, { name, context: isObject(context) ? context : {} }, isUpdate);
        return isUpdate ? ok({ status: 'ok' }) : created({ status: 'ok' });
      },
    },
  ];
}

/** Routes about the manager itself. */
export function managerRoutes(
  manager: ManagerService,
  permissions: PermissionService,
  restoring: { readonly isRestoring: boolean },
): Route[] {
  return [...statusRoutes(manager, restoring), ...configRoutes(manager, permissions), ...providerRoutes(manager)];
}
