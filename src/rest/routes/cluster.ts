import type { BrokerMember, DatabaseMember, ManagerMember } from '../../domain/cluster.ts';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { holds } from '../../services/caller.ts';
import type { Caller } from '../../services/caller.ts';
import type { ClusterService } from '../../services/cluster.ts';
import { checkIdentifier } from '../../services/identifiers.ts';
import { json, paged, record, textSchema } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { wholeList } from '../whole-list.ts';

const systemOnly = { tenant: 'ignored' } as const;
const everybody = { tenant: 'optional' } as const;

const networks = { type: ['object', 'null'], additionalProperties: { type: 'string' } };
const optionalText = { type: ['string', 'null'] };

const managerTexts = ['hostname', 'private_ip', 'public_ip', 'version', 'edition', 'distribution', 'distro_release'];
const newManagerSchema = {
  type: 'object',
  required: managerTexts,
  properties: {
    ...Object.fromEntries(managerTexts.map((name) => [name, { type: 'string', maxLength: 256 }])),
    ca_cert_content: optionalText,
    fs_sync_node_id: optionalText,
    networks,
  },
};
const fileSyncSchema = {
  type: 'object',
  required: ['fs_sync_node_id'],
  properties: { fs_sync_node_id: { type: 'string' }, bootstrap_cluster: { type: ['boolean', 'null'] } },
};
const newBrokerSchema = {
  type: 'object',
  required: ['name', 'address'],
  properties: {
    name: { type: 'string' },
    address: { type: 'string', minLength: 1, maxLength: 256 },
    port: { type: ['integer', 'null'], minimum: 1, maximum: 65535 },
    networks,
  },
};
const networksSchema = { type: 'object', required: ['networks'], properties: { networks } };
const actionSchema = { type: 'object', required: ['action'], properties: { action: { type: 'string' } } };

const managerSchema = record('Manager', {
  id: 'integer',
  ...Object.fromEntries(managerTexts.map((name) => [name, 'text'] as const)),
  fs_sync_node_id: 'text',
  networks: 'json',
  last_seen: 'timestamp',
  status_report_frequency: 'integer',
  ca_cert_content: 'text',
});

function shapeManager(member: ManagerMember): JsonObject {
  return {
    id: member.id,
    hostname: member.hostname,
    private_ip: member.privateIp,
    public_ip: member.publicIp,
    version: member.version,
    edition: member.edition,
    distribution: member.distribution,
    distro_release: member.distroRelease,
    fs_sync_node_id: member.fileSyncNodeId ?? '',
    networks: member.networks,
    last_seen: member.lastSeen.toISOString(),
    status_report_frequency: member.statusReportFrequency ?? 0,
    ca_cert_content: member.caCertificate ?? null,
  };
}

const brokerSchema = record('Broker', {
  name: 'text',
  host: 'text',
  management_host: 'text',
  port: 'integer',
  username: 'text',
  password: 'text',
  params: 'json',
  networks: 'json',
  is_external: 'boolean',
  ca_cert_content: 'text',
});

function shapeBroker(caller: Caller, broker: BrokerMember): JsonObject {
  const isShown = holds({ ...caller, tenant: undefined }, 'broker_credentials');
  return {
    name: broker.name,
    host: broker.host,
    management_host: broker.managementHost ?? null,
    port: broker.port ?? 0,
    username: isShown ? (broker.username ?? null) : null,
    password: isShown ? (broker.password ?? null) : null,
    params: broker.params ?? {},
    networks: broker.networks,
    is_external: broker.isExternal,
    ca_cert_content: broker.caCertificate ?? null,
  };
}

const databaseSchema = record('DatabaseNode', { name: 'text', host: 'text', is_external: 'boolean' });

function shapeDatabase({ name, host, isExternal }: DatabaseMember): JsonObject {
  return { name, host, is_external: isExternal };
}

function textOrNothing(body: JsonObject, name: string): string | undefined {
  const value = body[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function objectOrNothing(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name];
  return isObject(value) ? value : undefined;
}

function nameOf({ parameters }: ApiCall): string {
  return parameters['name'] ?? '';
}

function managerRoutes(cluster: ClusterService): Route[] {
  return [
    {
      method: 'get',
      path: '/managers',
      summary: 'List the machines of the manager',
      access: { ...everybody, permission: 'manager_get' },
      query: ['hostname'],
      isMaintenance: true,
      answer: paged(managerSchema),
      handle: async ({ query }) =>
        ok(wholeList(query, (await cluster.members(query.all('hostname'))).map(shapeManager))),
    },
    {
      method: 'post',
      path: '/managers',
      summary: 'Register a machine of the manager',
      access: { ...systemOnly, permission: 'manager_manage' },
      body: newManagerSchema,
      isMaintenance: true,
      answer: json(managerSchema),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const privateIp = textMember(body, 'private_ip');
        checkIdentifier('hostname', textMember(body, 'hostname'), { mayStartWithDigit: true });
        const member = await cluster.addMember(
          call.caller,
          {
            hostname: textMember(body, 'hostname'),
            privateIp,
            publicIp: textMember(body, 'public_ip'),
            version: textMember(body, 'version'),
            edition: textMember(body, 'edition'),
            distribution: textMember(body, 'distribution'),
            distroRelease: textMember(body, 'distro_release'),
            networks: objectOrNothing(body, 'networks') ?? { default: privateIp },
            fileSyncNodeId: textOrNothing(body, 'fs_sync_node_id'),
          },
          textOrNothing(body, 'ca_cert_content'),
        );
        return ok(shapeManager(member));
      },
    },
    {
      method: 'put',
      path: '/managers/:name',
      summary: 'Set the file synchronisation node of a machine of the manager',
      access: { ...systemOnly, permission: 'manager_manage' },
      body: fileSyncSchema,
      isMaintenance: true,
      answer: json(managerSchema),
      handle: async (call) => {
        const nodeId = textMember(call.body as JsonObject, 'fs_sync_node_id');
        return ok(shapeManager(await cluster.setFileSyncNode(call.caller, nameOf(call), nodeId)));
      },
    },
    {
      method: 'delete',
      path: '/managers/:name',
      summary: 'Remove a machine that no longer exists',
      access: { ...systemOnly, permission: 'manager_manage' },
      isMaintenance: true,
      answer: json(managerSchema),
      handle: async (call) => ok(shapeManager(await cluster.removeMember(call.caller, nameOf(call)))),
    },
  ];
}

function brokerRoutes(cluster: ClusterService): Route[] {
  return [
    {
      method: 'get',
      path: '/brokers',
      summary: 'List the message brokers',
      access: { ...everybody, permission: 'broker_get' },
      isMaintenance: true,
      answer: paged(brokerSchema),
      handle: async ({ caller, query }) =>
        ok(
          wholeList(
            query,
            (await cluster.brokers()).map((broker) => shapeBroker(caller, broker)),
          ),
        ),
    },
    {
      method: 'post',
      path: '/brokers',
      summary: 'Register a message broker',
      access: { ...systemOnly, permission: 'broker_manage' },
      body: newBrokerSchema,
      isMaintenance: true,
      answer: json(brokerSchema),
      handle: async (call) => {
        const body = call.body as JsonObject;
        const name = textMember(body, 'name');
        checkIdentifier('name', name, { mayStartWithDigit: true });
        const { port } = body;
        const broker = await cluster.addBroker(call.caller, {
          name,
          host: textMember(body, 'address'),
          port: typeof port === 'number' ? port : undefined,
          networks: objectOrNothing(body, 'networks'),
        });
        return ok(shapeBroker(call.caller, broker));
      },
    },
    {
      method: 'put',
      path: '/brokers/:name',
      summary: 'Add or change networks of a message broker',
      access: { ...systemOnly, permission: 'broker_manage' },
      body: networksSchema,
      isMaintenance: true,
      answer: json(brokerSchema),
      handle: async (call) => {
        const added = objectOrNothing(call.body as JsonObject, 'networks') ?? {};
        return ok(shapeBroker(call.caller, await cluster.setBrokerNetworks(call.caller, nameOf(call), added)));
      },
    },
    {
      method: 'delete',
      path: '/brokers/:name',
      summary: 'Remove a message broker',
      access: { ...systemOnly, permission: 'broker_manage' },
      isMaintenance: true,
      answer: json(brokerSchema),
      handle: async (call) => ok(shapeBroker(call.caller, await cluster.removeBroker(call.caller, nameOf(call)))),
    },
  ];
}

/** Routes about the machines a manager is made of. */
export function clusterRoutes(cluster: ClusterService): Route[] {
  return [
    ...managerRoutes(cluster),
    ...brokerRoutes(cluster),
    {
      method: 'get',
      path: '/db-nodes',
      summary: 'List the database servers',
      access: { ...everybody, permission: 'db_nodes_get' },
      isMaintenance: true,
      answer: paged(databaseSchema),
      handle: async ({ query }) => ok(wholeList(query, (await cluster.databaseNodes()).map(shapeDatabase))),
    },
    {
      method: 'post',
      path: '/db-nodes',
      summary: 'Replace the list of database servers',
      access: { ...systemOnly, permission: 'cluster_node_config_update' },
      body: actionSchema,
      isMaintenance: true,
      answer: paged(databaseSchema),
      handle: async ({ caller, query, body }) => {
        const action = textMember(body as JsonObject, 'action');
        if (action !== 'update') {
          throw new GantryError('bad_parameters_error', `The only action is \`update\`, not \`${action}\``);
        }
        return ok(wholeList(query, (await cluster.updateDatabaseNodes(caller)).map(shapeDatabase)));
      },
    },
    {
      method: 'get',
      path: '/cluster-status',
      summary: 'State of the processes of all machines',
      access: { ...everybody, permission: 'cluster_status_get' },
      query: ['summary'],
      isMaintenance: true,
      answer: json(record(undefined, { status: textSchema, services: 'json' })),
      handle: async ({ query }) => {
        const { status, services } = await cluster.status();
        const isSummary = query.switch('summary');
        return {
          status: isSummary && status === 'Fail' ? 500 : 200,
          body: { status, services: isSummary ? {} : services },
        };
      },
    },
  ];
}
