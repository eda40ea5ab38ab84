import { Ajv } from 'ajv';
import type { Config } from '../config/config.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { addAuditRecords } from '../store/audit-log.ts';
import type { Database } from '../store/database.ts';
import { listProcesses } from '../store/processes.ts';
import { createProviderContext, readProviderContext, replaceProviderContext } from '../store/provider-context.ts';
import type { ProviderContext } from '../store/provider-context.ts';
import { findSettings, listSettings, setSetting } from '../store/settings.ts';
import type { Setting } from '../store/settings.ts';
import { holds } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';

export interface ServiceState {
  readonly status: 'Active' | 'Inactive';
  readonly is_remote: boolean;
  readonly extra_info: JsonObject;
}

export interface SettingChange {
  readonly scope: string | undefined;
  readonly name: string;
  readonly value: Json;
  readonly isForced: boolean;
}

/** A process of the product, as far as the database knows. */
export interface ProcessState {
  readonly name: string;
  readonly roles: readonly string[];
  /** Whether it was heard of lately; one that ended cleanly is not listed at all. */
  readonly isAlive: boolean;
  readonly startedAt: Date;
  readonly lastSeen: Date;
  readonly host: string | undefined;
}

export interface ManagerService {
  isHealthy(): Promise<boolean>;
  status(): Promise<{ isHealthy: boolean; services: Record<string, ServiceState>; processes: ProcessState[] }>;
  listConfig(scope: string | undefined): Promise<Setting[]>;
  /** @throws GantryError not_found_error, ambiguous_name */
  getConfig(name: string, scope: string | undefined): Promise<Setting>;
  /** @throws GantryError conflict_error when it is not editable or the value does not fit */
  putConfig(caller: Caller, change: SettingChange): Promise<Setting>;
  providerContext(): Promise<ProviderContext>;
  /** @throws GantryError conflict_error when there is one and `isUpdate` is not set */
  setProviderContext(caller: Caller, context: ProviderContext, isUpdate: boolean): Promise<void>;
}

export interface ManagerServiceDependencies {
  readonly database: Database;
  readonly config: Config;
  /** Whether messages can be sent right now. */
  readonly isBrokerConnected: () => boolean;
}

/** Display names that clients know, by the role behind them. */
const roleServices: Readonly<Record<string, string>> = {
  rest: 'Manager Rest-Service',
  executor: 'Management Worker',
  scheduler: 'Cloudify Execution Scheduler',
};

const ajv = new Ajv({ strict: false });

/** A value that arrives as text, as its schema wants it. */
function converted(value: Json, schema: JsonObject | undefined): Json {
  if (typeof value !== 'string' || !schema) {
    return value;
  }
  const { type } = schema;
  const isNumber = (type === 'number' || type === 'integer') && value.trim() !== '' && Number.isFinite(Number(value));
  if (isNumber) {
    return Number(value);
  }
  return type === 'boolean' && /^(true|false)$/i.test(value) ? value.toLowerCase() === 'true' : value;
}

function checked(setting: Setting, value: Json): Json {
  const candidate = converted(value, setting.schema);
  if (setting.schema && !ajv.validate(setting.schema, candidate)) {
    throw new GantryError(
      'conflict_error',
      `Error validating ${setting.name}: ${ajv.errorsText(ajv.errors, { dataVar: 'value' })}`,
    );
  }
  return candidate;
}

/** Makes the use cases about the manager itself. */
export function createManagerService(dependencies: ManagerServiceDependencies): ManagerService {
  const { database, config, isBrokerConnected } = dependencies;
  const { staleAfterSeconds } = config.executor;

  const canReachDatabase = (): Promise<boolean> =>
    database.query('select 1').then(
      () => true,
      () => false,
    );

  const status: ManagerService['status'] = async () => {
    const [known, living] = await Promise.all([listProcesses(database), listProcesses(database, staleAfterSeconds)]);
    const live = new Set(living.flatMap(({ roles }) => roles));
    const names = new Set(living.map(({ name }) => name));
    const processes = known.map(({ name, roles, startedAt, lastSeen, info }) => ({
      name,
      roles,
      isAlive: names.has(name),
      startedAt,
      lastSeen,
      host: typeof info['hostname'] === 'string' ? info['hostname'] : undefined,
    }));
    const state = (isActive: boolean, extra: JsonObject = {}): ServiceState => ({
      status: isActive ? 'Active' : 'Inactive',
      is_remote: false,
      extra_info: extra,
    });
    const isConnected = isBrokerConnected();
    const services: Record<string, ServiceState> = {
      Webserver: state(true),
      PostgreSQL: state(true),
      RabbitMQ: state(isConnected, { connection_check: isConnected ? 'OK' : 'The broker cannot be reached' }),
    };
    for (const [role, name] of Object.entries(roleServices)) {
      services[name] = state(role === 'rest' || live.has(role));
    }
    const isHealthy = Object.values(services).every((service) => service.status === 'Active');
    return { isHealthy, services, processes };
  };

  const getConfig: ManagerService['getConfig'] = async (name, scope) => {
    const found = await findSettings(database, name, scope);
    const [setting] = found;
    if (!setting) {
      throw new GantryError('not_found_error', `Config ${scope === undefined ? '' : `${scope}.`}${name} was not found`);
    }
    if (found.length > 1) {
      throw new GantryError('ambiguous_name', `Expected 1 value, but found ${found.length}`);
    }
    return setting;
  };

  return {
    isHealthy: canReachDatabase,
    status,

    listConfig: (scope) => listSettings(database, scope),
    getConfig,

    async putConfig(caller, { scope, name, value, isForced }) {
      const setting = await getConfig(name, scope);
      if (setting.adminOnly && !holds(caller, 'administrators')) {
        throw new GantryError('unauthorized_error', `${name} can only be edited by administrators`);
      }
      if (!setting.isEditable && !isForced) {
        throw new GantryError('conflict_error', `${name} is not editable`);
      }
      const stored = checked(setting, value);
      return database.transactionAs(actorOf(caller), (transaction) =>
        setSetting(transaction, { scope: setting.scope, name, value: stored, updaterId: caller.user.id }),
      );
    },

    async providerContext() {
      return (await readProviderContext(database)) ?? { name: 'provider', context: {} };
    },

    setProviderContext: (caller, context, isUpdate) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        await (isUpdate ? replaceProviderContext : createProviderContext)(transaction, context);
        await addAuditRecords(transaction, [
          {
            refTable: 'provider_context',
            refId: 0,
            operation: isUpdate ? 'update' : 'create',
            creatorName: caller.user.username,
            executionId: caller.execution?.id,
            refIdentifier: { name: context.name },
            address: caller.address,
          },
        ]);
      }),
  };
}
