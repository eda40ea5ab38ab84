import { tenantBrokerUser, tenantVhost } from '../amqp/names.ts';
import type { TenantBrokerAccounts } from '../amqp/tenant-accounts.ts';
import type { Logger } from '../log/logger.ts';
import { randomPassword } from '../security/random.ts';
import { dueLeftovers, listBrokerAccounts, lockBrokerAccounts, removeLeftover } from '../store/broker-accounts.ts';
import type { Database } from '../store/database.ts';
import { updateTenantBroker } from '../store/tenants.ts';

export interface BrokerAccountsDependencies {
  readonly database: Database;
  readonly log: Logger;
  readonly accounts: TenantBrokerAccounts;
  readonly encrypt: (text: string) => string;
  readonly decrypt: (stored: string) => string;
}

/** Makes sure that every tenant has its vhost and user: those of before the broker was managed get theirs. */
export async function ensureBrokerAccounts(dependencies: BrokerAccountsDependencies): Promise<void> {
  const { database, accounts, encrypt, decrypt } = dependencies;
  for (const stored of await listBrokerAccounts(database)) {
    const username = stored.username ?? tenantBrokerUser(stored.tenantName);
    const vhost = stored.vhost ?? tenantVhost(stored.tenantName);
    const password = stored.password === null ? randomPassword() : decrypt(stored.password);
    await database.transaction(async (transaction) => {
      await lockBrokerAccounts(transaction);
      if (stored.password === null || stored.vhost === null || stored.username === null) {
        await updateTenantBroker(transaction, stored.tenantId, {
          rabbitmqUsername: username,
          rabbitmqVhost: vhost,
          rabbitmqPassword: encrypt(password),
        });
      }
      await accounts.ensure({ username, vhost, password });
    });
  }
}

/**
 * Removes vhosts and users of tenants and agents that are gone.
 * @returns milliseconds until there is more to do, undefined when nothing is left
 */
export async function removeBrokerLeftovers(dependencies: BrokerAccountsDependencies): Promise<number | undefined> {
  const { database, accounts, log } = dependencies;
  const { due, nextIn } = await dueLeftovers(database);
  for (const leftover of due) {
    const { kind, name } = leftover;
    await removeLeftover(database, leftover, () =>
      kind === 'vhost' ? accounts.removeVhost(name) : accounts.removeUser(name),
    );
    log.info('Removed a leftover of a deleted tenant from the broker', { kind, name });
  }
  return nextIn;
}
