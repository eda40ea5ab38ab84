import type { BrokerManagement } from './management.ts';

/** What a tenant has on the message broker. */
export interface TenantAccount {
  readonly vhost: string;
  readonly username: string;
  readonly password: string;
}

/** Makes and removes what tenants and agents have on the message broker. */
export interface TenantBrokerAccounts {
  /** Makes vhost and user, or brings them up to date. @throws GantryError manager_unavailable */
  ensure(account: TenantAccount): Promise<void>;
  /** What is not there counts as removed. @throws GantryError manager_unavailable */
  removeVhost(vhost: string): Promise<void>;
  /** What is not there counts as removed. @throws GantryError manager_unavailable */
  removeUser(username: string): Promise<void>;
}

const everything = { configure: '.*', write: '.*', read: '.*' };
const telling = '^cloudify-(events-topic|events|logs|monitoring)$';

/**
 * The accounts of tenants on a RabbitMQ server.
 *
 * Compatibility: permissions of Cloudify 7; everything in the own vhost, telling events and logs in `/`.
 * @param managerUser the user with which the manager itself connects
 */
export function makeTenantAccounts(management: BrokerManagement, managerUser: string): TenantBrokerAccounts {
  return {
    async ensure({ vhost, username, password }) {
      await management.putVhost(vhost);
      await management.setPermissions(vhost, managerUser, everything);
      await management.copyPolicies('/', vhost);
      await management.putUser(username, password);
      await management.setPermissions(vhost, username, everything);
      await management.setPermissions('/', username, { configure: telling, write: telling, read: '' });
    },
    removeVhost: (vhost) => management.deleteVhost(vhost),
    removeUser: (username) => management.deleteUser(username),
  };
}
