import type { BrokerManagement } from './management.ts';
import { tenantVhost } from './names.ts';

/** What an agent on a host needs to listen to the manager. */
export interface AgentAccount {
  readonly username: string;
  readonly password: string;
  readonly tenantName: string;
  /** The agent's own exchange. */
  readonly exchange: string;
}

/** Makes the accounts of agents on the message broker. */
export interface AgentBrokerAccounts {
  /** Makes the account, or brings it up to date. @throws GantryError manager_unavailable */
  ensure(account: AgentAccount): Promise<void>;
}

const shared = 'cloudify-(events-topic|logs|monitoring)';

function escapePattern(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/**
 * The names an agent may touch in the vhost of its tenant: its exchange, its queues and where it tells what happens.
 *
 * Compatibility: the pattern of Cloudify 7, with the name of the exchange escaped.
 */
export function agentPattern(exchange: string): string {
  const own = escapePattern(exchange);
  return `^(${shared}|${own}($|_(operation|workflow|service|response_.*))$)`;
}

/** The accounts of agents on a RabbitMQ server. */
export function makeAgentAccounts(management: BrokerManagement): AgentBrokerAccounts {
  return {
    async ensure({ username, password, tenantName, exchange }) {
      await management.putUser(username, password);
      const own = agentPattern(exchange);
      await management.setPermissions(tenantVhost(tenantName), username, { configure: own, write: own, read: own });
      const telling = `^${shared}$`;
      await management.setPermissions('/', username, { configure: telling, write: telling, read: '' });
    },
  };
}
