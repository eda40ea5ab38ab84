import { routingKeys, serviceExchange, tenantVhost } from '../amqp/names.ts';
import { writeServiceTask } from '../amqp/envelopes.ts';
import { restAddress } from '../config/addresses.ts';
import type { Config } from '../config/config.ts';
import type { Agent } from '../domain/cluster.ts';
import type { Plugin } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { createApiToken } from '../security/tokens.ts';
import { findAgentsByName, findAgentsWithPlugin } from '../store/agents.ts';
import { setPluginState } from '../store/plugins.ts';
import type { Transaction } from '../store/session.ts';
import { createToken } from '../store/tokens.ts';
import type { TenantCaller } from './caller.ts';
import { sendAfterCommit } from './outbox.ts';
import type { NewMessage, OutboxPublisher } from './outbox.ts';

/** Where a plugin is wanted. */
export interface PluginTargets {
  /** Host names. */
  readonly managers: readonly string[];
  /** Names in the tenant of the caller. */
  readonly agents: readonly string[];
}

type PluginTask = 'install-plugin' | 'uninstall-plugin';

/** Milliseconds for which an agent may use the token it gets to fetch the plugin. */
const tokenLifetime = 10 * 60 * 60 * 1000;

/**
 * A plugin as workers are told.
 *
 * Compatibility: members of Cloudify 7 that its agents read.
 */
function describePlugin(plugin: Plugin): JsonObject {
  return {
    id: plugin.id,
    title: plugin.title ?? null,
    package_name: plugin.packageName,
    package_version: plugin.packageVersion ?? null,
    package_source: plugin.packageSource ?? null,
    archive_name: plugin.archiveName,
    distribution: plugin.distribution ?? null,
    distribution_version: plugin.distributionVersion ?? null,
    distribution_release: plugin.distributionRelease ?? null,
    supported_platform: plugin.supportedPlatform ?? null,
    wheels: [...plugin.wheels],
    visibility: plugin.visibility,
    tenant_name: plugin.tenantName,
  };
}

function missing(kind: string, wanted: readonly string[], found: readonly string[]): void {
  const absent = wanted.filter((name) => !found.includes(name));
  if (absent.length > 0) {
    throw new GantryError('not_found_error', `Cannot install: requested ${kind} do not exist: ${absent.join(', ')}`);
  }
}

/** Tells managers and agents to install a plugin, or to remove it. */
export class PluginInstallation {
  readonly #config: Config;
  readonly #outbox: OutboxPublisher;
  readonly #now: () => number;

  constructor(options: { config: Config; outbox: OutboxPublisher; now: () => number }) {
    this.#config = options.config;
    this.#outbox = options.outbox;
    this.#now = options.now;
  }

  /**
   * Marks the plugin as wanted and tells them once the transaction is committed.
   * @throws GantryError not_found_error for managers or agents that do not exist
   */
  async install(
    transaction: Transaction,
    caller: TenantCaller,
    plugin: Plugin,
    { managers, agents }: PluginTargets,
  ): Promise<void> {
    const known = await findAgentsByName(transaction, caller.tenant.id, agents);
    const place = { managers, agents: known.map(({ name }) => name) };
    const marked = await setPluginState(
      transaction,
      { ...plugin, tenantId: caller.tenant.id },
      place,
      'pending-install',
    );
    missing('managers', managers, marked.managers);
    missing('agents', agents, marked.agents);
    await this.#send(transaction, 'install-plugin', caller, plugin, { managers, agents: known });
  }

  /** Tells those who have the plugin to remove it once the transaction is committed. */
  async uninstall(transaction: Transaction, caller: TenantCaller, plugin: Plugin): Promise<void> {
    const installed = plugin.states.filter(({ state }) => state !== 'uninstalled');
    const managers = installed.flatMap(({ manager }) => manager ?? []);
    const agents = await findAgentsWithPlugin(transaction, plugin.storageId);
    await this.#send(transaction, 'uninstall-plugin', caller, plugin, { managers, agents });
  }

  async #send(
    transaction: Transaction,
    name: PluginTask,
    caller: TenantCaller,
    plugin: Plugin,
    { managers, agents }: { managers: readonly string[]; agents: readonly Agent[] },
  ): Promise<void> {
    const { hosts, port } = restAddress(this.#config);
    const common = {
      plugin: describePlugin(plugin),
      rest_host: hosts,
      rest_port: port,
      tenant: { name: caller.tenant.name },
    };
    const messages: NewMessage[] = [];
    if (managers.length > 0) {
      const kwargs = { ...common, target: [...managers] };
      messages.push({
        exchange: serviceExchange,
        routingKey: routingKeys.service,
        body: writeServiceTask({ name, kwargs }) as JsonObject,
      });
    }
    if (agents.length > 0) {
      const token = await this.#issueToken(transaction, caller, `${name} ${plugin.packageName}`);
      messages.push(
        ...agents.map((agent) => ({
          vhost: tenantVhost(agent.tenantName),
          exchange: agent.rabbitmqExchange,
          routingKey: routingKeys.service,
          body: writeServiceTask({ name, kwargs: { ...common, rest_token: token } }) as JsonObject,
        })),
      );
    }
    await sendAfterCommit(transaction, this.#outbox, messages);
  }

  async #issueToken(transaction: Transaction, caller: TenantCaller, description: string): Promise<string> {
    const { id, secretHash, value } = createApiToken();
    const expirationDate = new Date(this.#now() + tokenLifetime);
    await createToken(transaction, { id, secretHash, userId: caller.user.id, description, expirationDate });
    return value;
  }
}
