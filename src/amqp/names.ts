/**
 * Every exchange, queue and routing key of the product. Agents and Python plugins declare the same ones, so types and
 * flags must stay as they are: all durable, not auto-deleted, without arguments. Only queues that no other program
 * declares may differ.
 */

export const managementExchange = 'cloudify.management';
export const serviceExchange = 'cloudify-mgmtworker-service';
export const eventsExchange = 'cloudify-events-topic';
export const logsExchange = 'cloudify-logs';

export const workflowQueue = 'cloudify.management_workflow';
export const operationQueue = 'cloudify.management_operation';
export const logsQueue = 'cloudify-logs-events';
/** Where messages go that no consumer could read; only this product knows it. */
export const deadLettersQueue = 'gantry-dead-letters';

export const routingKeys = {
  workflow: 'workflow',
  operation: 'operation',
  service: 'service',
  events: 'events',
  allEvents: 'events.#',
  hooks: 'events.hooks',
} as const;

export type ExchangeKind = 'direct' | 'fanout' | 'topic';

/** The type of each exchange that is not an agent's; an agent's is always direct. */
const exchangeKinds: Readonly<Record<string, ExchangeKind>> = {
  [managementExchange]: 'direct',
  [serviceExchange]: 'fanout',
  [eventsExchange]: 'topic',
  [logsExchange]: 'fanout',
};

/** Type of an exchange to declare: those of the manager are known, all others belong to agents and are direct. */
export function exchangeKind(exchange: string): ExchangeKind {
  return exchangeKinds[exchange] ?? 'direct';
}

/** Queue on which the manager process `instanceName` receives service tasks (cancel, plugin installation ...). */
export function serviceQueue(instanceName: string): string {
  return `${serviceExchange}-${instanceName}_service`;
}

/** Queue on which an executor process receives replies of the manager's own workers; only this product knows it. */
export function executorResponsesQueue(processName: string): string {
  return `executor_responses_${processName}`;
}

/** Queue of replies of one agent to one execution; the name is inside what the agent's broker user may touch. */
export function agentResponsesQueue(agentExchange: string, executionId: string): string {
  return `${agentExchange}_response_${executionId}`;
}

/** Queues an agent consumes from, bound to its exchange with the routing keys `operation` and `service`. */
export function agentQueues(agentExchange: string): { operation: string; service: string } {
  return { operation: `${agentExchange}_operation`, service: `${agentExchange}_service` };
}

/** vhost and user of a tenant on the broker. */
export function tenantVhost(tenantName: string): string {
  return `rabbitmq_vhost_${tenantName}`;
}

/** Broker user of a tenant. */
export function tenantBrokerUser(tenantName: string): string {
  return `rabbitmq_user_${tenantName}`;
}

/** Broker user of a new agent. A prefix of its own keeps agents from taking the accounts of tenants. */
export function agentBrokerUser(tenantName: string, agentName: string): string {
  return `rabbitmq_agent_${tenantName}_${agentName}`;
}
