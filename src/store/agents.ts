import type { Agent, AgentState } from '../domain/cluster.ts';
import { notFound } from '../domain/errors.ts';
import type { Visibility } from '../domain/states.ts';
import { findResources, listResources } from './list-query.ts';
import { getResource } from './single-query.ts';
import type { Resource } from './resource.ts';
import { resourceFields, resourceJoins, scopeOf, text, timestamp } from './resource.ts';
import { requireResource, updateResource } from './resource-writes.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface NewAgent {
  id: string;
  name: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  createdAt?: Date | undefined;
  /** Id of the node instance it runs on. */
  nodeInstanceId: string;
  state: AgentState;
  ip?: string | undefined;
  installMethod: string;
  system?: string | undefined;
  version?: string | undefined;
  rabbitmqUsername?: string | undefined;
  /** Encrypted. */
  rabbitmqPassword?: string | undefined;
  rabbitmqExchange: string;
}

export interface AgentUpdate {
  state?: AgentState | undefined;
  system?: string | undefined;
  version?: string | undefined;
  rabbitmqUsername?: string | undefined;
  /** Encrypted. */
  rabbitmqPassword?: string | undefined;
}

const agentResource: Resource<Agent> = {
  kind: 'Agent',
  table: 'agents',
  alias: 'agent',
  from: `agents agent ${resourceJoins('agent')}
    left join node_instances instance on instance.storage_id = agent.node_instance_id
    left join nodes node on node.storage_id = instance.node_id
    left join deployments deployment on deployment.storage_id = instance.deployment_id`,
  scope: scopeOf('agent'),
  fields: {
    ...resourceFields('agent'),
    name: text('agent.name'),
    createdAt: timestamp('agent.created_at'),
    updatedAt: timestamp('agent.updated_at'),
    ip: text('agent.ip'),
    installMethod: text('agent.install_method'),
    system: text('agent.system'),
    version: text('agent.version'),
    state: text('agent.state'),
    rabbitmqUsername: text('agent.rabbitmq_username'),
    rabbitmqPassword: text('agent.rabbitmq_password'),
    rabbitmqExchange: text('agent.rabbitmq_exchange'),
    nodeInstanceId: text('instance.id'),
    nodeId: text('node.id'),
    deploymentId: text('deployment.id'),
    hostId: text('instance.host_id'),
  },
  defaultOrder: 'agent.created_at, agent.storage_id',
};

/**
 * Stores an agent unless the tenant has one of that name.
 * @returns the agent; undefined when there was one already
 * @throws GantryError not_found_error without the node instance
 */
export async function createAgent(session: Session, agent: NewAgent): Promise<Agent | undefined> {
  const [instance] = await session.prepared<{ storageId: number }>(
    `select instance.storage_id as "storageId" from node_instances instance
     join deployments deployment on deployment.storage_id = instance.deployment_id
     where instance.id = $1 and deployment.tenant_id = $2`,
    [agent.nodeInstanceId, agent.tenantId],
  );
  if (!instance) {
    throw notFound('NodeInstance', agent.nodeInstanceId);
  }
  const [stored] = await session.prepared<{ storageId: number }>(
    `insert into agents (id, name, tenant_id, creator_id, visibility, created_at, node_instance_id, ip, install_method,
       system, version, state, rabbitmq_username, rabbitmq_password, rabbitmq_exchange)
     values ($1, $2, $3, $4, $5, coalesce($6, now()), $7, $8, $9, $10, $11, $12, $13, $14, $15)
     on conflict (tenant_id, name) do nothing returning storage_id as "storageId"`,
    [
      agent.id,
      agent.name,
      agent.tenantId,
      agent.creatorId,
      agent.visibility,
      agent.createdAt ?? null,
      instance.storageId,
      agent.ip ?? null,
      agent.installMethod,
      agent.system ?? null,
      agent.version ?? null,
      agent.state,
      agent.rabbitmqUsername ?? null,
      agent.rabbitmqPassword ?? null,
      agent.rabbitmqExchange,
    ],
  );
  return stored && requireResource(session, agentResource, stored.storageId);
}

/** @throws GantryError not_found_error, ambiguous_name */
export async function getAgent(session: Session, scope: Scope, name: string): Promise<Agent> {
  return getResource(session, agentResource, scope, { name });
}

export async function listAgents(session: Session, scope: Scope, query: ListQuery): Promise<Page<Agent>> {
  return listResources(session, agentResource, scope, query);
}

/** Sets updated_at too. @throws GantryError not_found_error */
export async function updateAgent(session: Session, storageId: number, update: AgentUpdate): Promise<Agent> {
  return updateResource(session, agentResource, storageId, {
    state: update.state,
    system: update.system,
    version: update.version,
    rabbitmq_username: update.rabbitmqUsername,
    rabbitmq_password: update.rabbitmqPassword,
    updated_at: new Date(),
  });
}

/** Agents of a tenant by name; unknown names are left out. */
export async function findAgentsByName(session: Session, tenantId: number, names: readonly string[]): Promise<Agent[]> {
  return names.length === 0
    ? []
    : findResources(
        session,
        agentResource,
        (parameters) =>
          `agent.tenant_id = ${parameters.add(tenantId)} and agent.name = any(${parameters.add([...names])})`,
      );
}

/** Agents that were ever told to install a plugin and did not say they removed it. */
export async function findAgentsWithPlugin(session: Session, pluginStorageId: number): Promise<Agent[]> {
  return findResources(
    session,
    agentResource,
    (parameters) =>
      `agent.storage_id in (select agent_id from plugins_states
         where plugin_id = ${parameters.add(pluginStorageId)} and state <> 'uninstalled')`,
  );
}
