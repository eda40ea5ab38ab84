import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { databaseServers } from '../config/database-url.ts';
import type { BrokerMember, DatabaseMember, ManagerMember } from '../domain/cluster.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { SecretBox } from '../security/secret-box.ts';
import {
  createBroker,
  deleteBroker,
  deleteManager,
  findManager,
  listBrokers,
  listDatabaseNodes,
  listManagers,
  putCertificate,
  putManager,
  replaceDatabaseNodes,
  setFileSyncNode,
  updateBroker,
} from '../store/cluster.ts';
import type { NewManager } from '../store/cluster.ts';
import type { Database } from '../store/database.ts';
import { listProcesses } from '../store/processes.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';

export interface ClusterService {
  members(hostname?: readonly string[]): Promise<ManagerMember[]>;
  /** @throws GantryError conflict_error when the host name or address is taken */
  addMember(caller: Caller, manager: NewManager, caCertificate: string | undefined): Promise<ManagerMember>;
  /** @throws GantryError not_found_error */
  setFileSyncNode(caller: Caller, hostname: string, nodeId: string): Promise<ManagerMember>;
  /** @throws GantryError not_found_error; illegal_action_error while processes run on it */
  removeMember(caller: Caller, hostname: string): Promise<ManagerMember>;
  /** The broker this manager uses, then those entered by hand; passwords are decrypted. */
  brokers(): Promise<BrokerMember[]>;
  /** @throws GantryError conflict_error */
  addBroker(
    caller: Caller,
    broker: { name: string; host: string; port: number | undefined; networks: JsonObject | undefined },
  ): Promise<BrokerMember>;
  /** Adds networks to a broker, or changes them. @throws GantryError not_found_error */
  setBrokerNetworks(caller: Caller, name: string, networks: JsonObject): Promise<BrokerMember>;
  /** @throws GantryError not_found_error; illegal_action_error for the one this manager uses */
  removeBroker(caller: Caller, name: string): Promise<BrokerMember>;
  databaseNodes(): Promise<DatabaseMember[]>;
  /** Lists the database server this manager uses now. */
  updateDatabaseNodes(caller: Caller): Promise<DatabaseMember[]>;
  status(): Promise<ClusterStatus>;
}

export interface ClusterStatus {
  readonly status: 'OK' | 'Degraded' | 'Fail';
  readonly services: JsonObject;
}

export interface ClusterServiceDependencies {
  readonly database: Database;
  readonly config: Config;
  readonly secrets: SecretBox;
  /** Whether messages can be sent right now. */
  readonly isBrokerConnected: () => boolean;
}

/** Names that clients know of what the roles of a process do. */
const roleServices: Readonly<Record<string, string>> = {
  rest: 'Manager Rest-Service',
  executor: 'Management Worker',
  broker: 'Management Worker',
  recorder: 'AMQP-Postgres',
  scheduler: 'Cloudify Execution Scheduler',
};

function configuredBroker({ amqp }: Config): BrokerMember {
  const url = new URL(amqp.url.startsWith('memory:') ? 'amqp://localhost' : amqp.url);
  const managementHost = amqp.managementUrl === undefined ? url.hostname : new URL(amqp.managementUrl).hostname;
  return {
    name: url.hostname,
    host: url.hostname,
    managementHost,
    port: Number(url.port) || (url.protocol === 'amqps:' ? 5671 : 5672),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    params: {},
    networks: { default: url.hostname },
    caCertificate: undefined,
    isExternal: true,
  };
}

function configuredDatabase({ database }: Config): DatabaseMember {
  const isEmbedded = database.url === 'embedded';
  const [first = ''] = databaseServers(database.url);
  const host = isEmbedded ? 'localhost' : new URL(first).hostname || 'localhost';
  return { name: host, host, isExternal: !isEmbedded };
}

function worst(statuses: readonly string[]): ClusterStatus['status'] {
  if (statuses.every((status) => status === 'OK')) {
    return 'OK';
  }
  return statuses.includes('OK') ? 'Degraded' : 'Fail';
}

/** Makes the use cases about the machines a manager is made of. */
export function createClusterService(dependencies: ClusterServiceDependencies): ClusterService {
  const { database, config, secrets, isBrokerConnected } = dependencies;
  const ownBroker = configuredBroker(config);

  const requireMember = async (name: string): Promise<ManagerMember> => {
    const found = await findManager(database, name);
    if (!found) {
      throw notFound('Manager', name);
    }
    return found;
  };

  const brokers = async (): Promise<BrokerMember[]> => {
    const stored = await listBrokers(database);
    const own = stored.find(({ name }) => name === ownBroker.name);
    const others = stored.filter(({ name }) => name !== ownBroker.name);
    return [
      { ...ownBroker, networks: { ...ownBroker.networks, ...own?.networks } },
      ...others.map((broker) => ({
        ...broker,
        password: broker.password === undefined ? undefined : secrets.decrypt(broker.password),
      })),
    ];
  };

  const requireBroker = async (name: string): Promise<BrokerMember> => {
    const found = (await brokers()).find((broker) => broker.name === name);
    if (!found) {
      throw notFound('RabbitMQBroker', name);
    }
    return found;
  };

  const liveHosts = async (): Promise<Map<string, Set<string>>> => {
    const hosts = new Map<string, Set<string>>();
    for (const { info, roles } of await listProcesses(database, config.executor.staleAfterSeconds)) {
      const host = typeof info['hostname'] === 'string' ? info['hostname'] : hostname();
      hosts.set(host, new Set([...(hosts.get(host) ?? []), ...roles]));
    }
    return hosts;
  };

  const managerNodes = async (): Promise<Record<string, JsonObject>> => {
    const hosts = await liveHosts();
    const nodes: Record<string, JsonObject> = {};
    for (const member of await listManagers(database)) {
      const roles = hosts.get(member.hostname);
      const names = new Set([...(roles ?? [])].flatMap((role) => roleServices[role] ?? []));
      nodes[member.hostname] = {
        status: roles ? 'OK' : 'Fail',
        private_ip: member.privateIp,
        public_ip: member.publicIp,
        version: member.version,
        services: Object.fromEntries([...names].map((name) => [name, { status: 'Active', extra_info: {} }])),
        metrics: [],
        failures: roles ? [] : [`No process runs on ${member.hostname}`],
      };
    }
    return nodes;
  };

  return {
    async members(names = []) {
      const all = await listManagers(database);
      return names.length === 0 ? all : all.filter((member) => names.includes(member.hostname));
    },

    async addMember(caller, manager, caCertificate) {
      await database.transactionAs(actorOf(caller), async (transaction) => {
        if (await findManager(transaction, manager.hostname)) {
          throw new GantryError('conflict_error', `Manager ${manager.hostname} already exists`);
        }
        const caCertificateId =
          caCertificate === undefined
            ? undefined
            : await putCertificate(transaction, `${manager.hostname}-ca`, caCertificate, caller.user.id);
        await putManager(transaction, { ...manager, caCertificateId });
      });
      return requireMember(manager.hostname);
    },

    async setFileSyncNode(caller, name, nodeId) {
      await requireMember(name);
      await setFileSyncNode(database.actingAs(actorOf(caller)), name, nodeId);
      return requireMember(name);
    },

    async removeMember(caller, name) {
      const member = await requireMember(name);
      if ((await liveHosts()).has(name)) {
        throw new GantryError(
          'illegal_action_error',
          `Manager ${name} cannot be removed: its processes are running. Stop them first`,
        );
      }
      await deleteManager(database.actingAs(actorOf(caller)), name);
      return member;
    },

    brokers,

    async addBroker(caller, { name, host, port, networks }) {
      if (name === ownBroker.name) {
        throw new GantryError('conflict_error', `Broker ${name} already exists`);
      }
      await createBroker(database.actingAs(actorOf(caller)), {
        name,
        host,
        managementHost: host,
        port,
        params: {},
        networks: networks ?? { default: host },
        isExternal: true,
      });
      return requireBroker(name);
    },

    async setBrokerNetworks(caller, name, networks) {
      const broker = await requireBroker(name);
      await database.transactionAs(actorOf(caller), async (transaction) => {
        const all = { ...broker.networks, ...networks };
        if (!(await updateBroker(transaction, name, { networks: all }))) {
          await createBroker(transaction, { name, host: broker.host, networks: all });
        }
      });
      return requireBroker(name);
    },

    async removeBroker(caller, name) {
      const broker = await requireBroker(name);
      if (name === ownBroker.name) {
        throw new GantryError('illegal_action_error', `Broker ${name} cannot be removed: this manager uses it`);
      }
      await deleteBroker(database.actingAs(actorOf(caller)), name);
      return broker;
    },

    databaseNodes: () => listDatabaseNodes(database),

    async updateDatabaseNodes(caller) {
      await replaceDatabaseNodes(database.actingAs(actorOf(caller)), [configuredDatabase(config)]);
      return listDatabaseNodes(database);
    },

    async status() {
      const nodes = await managerNodes();
      const managers = worst(Object.values(nodes).map((node) => (node['status'] === 'OK' ? 'OK' : 'Fail')));
      const isConnected = isBrokerConnected();
      const outside = (name: string, host: string, isUp: boolean, failure: string): JsonObject => ({
        status: isUp ? 'OK' : 'Fail',
        is_external: true,
        nodes: {
          [name]: {
            status: isUp ? 'OK' : 'Fail',
            private_ip: host,
            public_ip: host,
            version: '',
            services: {},
            metrics: [],
            failures: isUp ? [] : [failure],
          },
        },
      });
      const { name: databaseName, host } = configuredDatabase(config);
      return {
        status: isConnected ? managers : 'Fail',
        services: {
          manager: { status: managers, is_external: false, nodes },
          broker: outside(ownBroker.name, ownBroker.host, isConnected, 'The broker cannot be reached'),
          db: outside(databaseName, host, true, ''),
        },
      };
    },
  };
}
