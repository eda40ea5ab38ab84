import { readFile } from 'node:fs/promises';
import { writeServiceTask } from '../amqp/envelopes.ts';
import type { AgentBrokerAccounts } from '../amqp/agent-accounts.ts';
import { agentBrokerUser, routingKeys, tenantVhost } from '../amqp/names.ts';
import { agentStates } from '../domain/cluster.ts';
import type { Agent, AgentState } from '../domain/cluster.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Visibility } from '../domain/states.ts';
import { randomPassword } from '../security/random.ts';
import type { SecretBox } from '../security/secret-box.ts';
import { createAgent, getAgent, listAgents, updateAgent } from '../store/agents.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import { holds, listScopeOf, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { checkIdentifier, everywhere, requireOwnTenant } from './identifiers.ts';
import { sendAfterCommit } from './outbox.ts';
import { creationTime, ownerId } from './ownership.ts';
import type { Origin } from './ownership.ts';

/** An agent with the password of its account on the broker, where the caller may see it. */
export interface AgentView extends Agent {
  readonly clearPassword: string | undefined;
}

export interface NewAgentRequest {
  readonly name: string;
  readonly nodeInstanceId: string;
  readonly state: string;
  /** Whether the agent gets an account on the broker. */
  readonly needsAccount: boolean;
  readonly ip: string | undefined;
  readonly installMethod: string;
  readonly system: string | undefined;
  readonly version: string | undefined;
  /** Of an account that is there already. */
  readonly rabbitmqUsername: string | undefined;
  readonly rabbitmqPassword: string | undefined;
  readonly rabbitmqExchange: string;
  readonly visibility: Visibility;
  readonly origin: Origin;
}

export interface AgentChange {
  readonly state: string | undefined;
  readonly system: string | undefined;
  readonly version: string | undefined;
}

/** New certificate authorities, PEM; undefined = as before. */
export interface CertificateReplacement {
  readonly broker: string | undefined;
  readonly manager: string | undefined;
  /** Whether agents go on to trust the present ones, too. */
  readonly isBundle: boolean;
}

export interface AgentService {
  /** @param showsAccounts whether accounts on the broker are wanted, which only those see who may make agents */
  list(caller: Caller, query: ListQuery, isAllTenants: boolean, showsAccounts: boolean): Promise<Page<AgentView>>;
  /** @throws GantryError not_found_error, ambiguous_name */
  get(caller: TenantCaller, name: string): Promise<AgentView>;
  /**
   * Enters an agent; one that is there already stays as it is. Its account on the broker is made or brought up to date.
   * @throws GantryError bad_parameters_error, not_found_error without the node instance, manager_unavailable
   */
  put(caller: TenantCaller, request: NewAgentRequest): Promise<AgentView>;
  /** @throws GantryError bad_parameters_error, not_found_error */
  update(caller: TenantCaller, name: string, change: AgentChange): Promise<AgentView>;
  /** Tells every agent of every tenant. @returns how many */
  replaceCertificates(caller: Caller, replacement: CertificateReplacement): Promise<number>;
}

export interface AgentServiceDependencies {
  readonly box: SecretBox;
  /** Undefined = the broker knows no accounts (in-process). */
  readonly accounts: AgentBrokerAccounts | undefined;
}

function stateOf(text: string): AgentState {
  const state = agentStates.find((name) => name === text);
  if (state === undefined) {
    throw new GantryError('bad_parameters_error', `Invalid agent state: \`${text}\`.`);
  }
  return state;
}

/** Makes the use cases of host agents. */
export function createAgentService(
  { database, config, newId, outbox }: ServiceDependencies,
  { box, accounts }: AgentServiceDependencies,
): AgentService {
  const view = (agent: Agent, isShown: boolean): AgentView => ({
    ...agent,
    rabbitmqUsername: isShown ? agent.rabbitmqUsername : undefined,
    clearPassword: isShown && agent.rabbitmqPassword !== undefined ? box.decrypt(agent.rabbitmqPassword) : undefined,
  });

  const bundled = async (replacement: string, isBundle: boolean, presentFile: string | undefined): Promise<string> => {
    if (!isBundle || presentFile === undefined) {
      return replacement;
    }
    const present = await readFile(presentFile, 'utf8').catch((error: unknown) => {
      throw new GantryError(
        'failed_dependency',
        `The current certificate cannot be read: ${coerceError(error).message}`,
        {
          cause: error,
        },
      );
    });
    return `${replacement.trimEnd()}\n${present}`;
  };

  return {
    async list(caller, query, isAllTenants, showsAccounts) {
      const page = await listAgents(database, listScopeOf(caller, isAllTenants, 'agent_list'), query);
      const isShown = showsAccounts && holds(caller, 'agent_create');
      return { ...page, items: page.items.map((agent) => view(agent, isShown)) };
    },

    get: async (caller, name) => view(await getAgent(database, scopeOf(caller), name), holds(caller, 'agent_create')),

    async put(caller, request) {
      checkIdentifier('name', request.name);
      const state = stateOf(request.state);
      const { needsAccount } = request;
      // whose account it is must not be for the caller to say: it could name that of somebody else
      const username = needsAccount ? agentBrokerUser(caller.tenant.name, request.name) : request.rabbitmqUsername;
      const password = request.rabbitmqPassword ?? (needsAccount ? randomPassword() : undefined);
      const agent = await database.transactionAs(actorOf(caller), async (transaction) => {
        const made = await createAgent(transaction, {
          id: newId(),
          name: request.name,
          tenantId: caller.tenant.id,
          creatorId: await ownerId(transaction, caller, request.origin.creator),
          createdAt: creationTime(caller, request.origin.createdAt),
          visibility: request.visibility,
          nodeInstanceId: request.nodeInstanceId,
          state,
          ip: request.ip,
          installMethod: request.installMethod,
          system: request.system,
          version: request.version,
          rabbitmqUsername: username,
          rabbitmqPassword: password === undefined ? undefined : box.encrypt(password),
          rabbitmqExchange: request.rabbitmqExchange,
        });
        const stored = made ?? (await getAgent(transaction, scopeOf(caller), request.name));
        requireOwnTenant(caller, stored);
        const { rabbitmqUsername, rabbitmqPassword, rabbitmqExchange, tenantName } = stored;
        if (needsAccount && rabbitmqUsername !== undefined && rabbitmqPassword !== undefined) {
          await accounts?.ensure({
            username: rabbitmqUsername,
            password: box.decrypt(rabbitmqPassword),
            tenantName,
            exchange: rabbitmqExchange,
          });
        }
        return stored;
      });
      return view(agent, true);
    },

    async update(caller, name, change) {
      const state = change.state === undefined ? undefined : stateOf(change.state);
      const agent = await database.transactionAs(actorOf(caller), async (transaction) => {
        const present = await getAgent(transaction, scopeOf(caller), name);
        requireOwnTenant(caller, present);
        return updateAgent(transaction, present.storageId, { ...change, state });
      });
      return view(agent, holds(caller, 'agent_create'));
    },

    async replaceCertificates(caller, { broker, manager, isBundle }) {
      const kwargs: JsonObject = {
        new_broker_ca: broker === undefined ? null : await bundled(broker, isBundle, config.amqp.tls.caFile),
        new_manager_ca: manager ?? null,
      };
      const body = writeServiceTask({ name: 'replace-ca-certs', kwargs }) as JsonObject;
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const { items } = await listAgents(transaction, everywhere, { all: true });
        await sendAfterCommit(
          transaction,
          outbox,
          items.map(({ tenantName, rabbitmqExchange }) => ({
            vhost: tenantVhost(tenantName),
            exchange: rabbitmqExchange,
            routingKey: routingKeys.service,
            body,
          })),
        );
        return items.length;
      });
    },
  };
}
