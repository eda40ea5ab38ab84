import { randomInt, randomUUID } from 'node:crypto';
import { workflowMessage } from '../../src/amqp/workflow-message.ts';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { startTaskBroker } from '../../src/broker/broker.ts';
import type { TaskBroker } from '../../src/broker/broker.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { Config } from '../../src/config/config.ts';
import { resourcePath } from '../../src/config/package-root.ts';
import type { Breakpoint } from '../../src/domain/control.ts';
import type { Deployment, Execution } from '../../src/domain/entities.ts';
import type { JsonObject, Plan, PlanOperations } from '../../src/domain/plan.ts';
import { isExecutionEnded } from '../../src/domain/states.ts';
import { startExecutor } from '../../src/executor/executor.ts';
import type { Executor } from '../../src/executor/executor.ts';
import type { SystemWorkflows } from '../../src/executor/system-workflow.ts';
import { FileStore } from '../../src/files/file-store.ts';
import { silentLogger } from '../../src/log/logger.ts';
import type { Logger } from '../../src/log/logger.ts';
import type { OperationHost, OperationOutcome, OperationRequest, Runtime } from '../../src/runtime/types.ts';
import { Waits } from '../../src/runtime/waits.ts';
import { startHeartbeat } from '../../src/scheduler/heartbeat.ts';
import type { Heartbeat } from '../../src/scheduler/heartbeat.ts';
import { createBlueprint } from '../../src/store/blueprints.ts';
import { Database } from '../../src/store/database.ts';
import { createDeployment } from '../../src/store/deployments.ts';
import { createExecutions, findExecution } from '../../src/store/executions.ts';
import { createNodeInstances } from '../../src/store/node-instances.ts';
import { createNodes } from '../../src/store/nodes.ts';

/** What an operation does in a test. */
export type OperationFunction = (request: OperationRequest, signal: AbortSignal) => Promise<OperationOutcome>;

export const succeed: OperationFunction = async () => ({ ok: true, result: null });

/** A runtime that calls a function instead of plugins. */
export function fakeRuntime(run: OperationFunction): Runtime {
  return {
    run: (request, _host, signal) => run(request, signal ?? new AbortController().signal),
    stop: async () => undefined,
  };
}

const noHost = {} as OperationHost;
const plugin = {
  name: 'noop',
  package_name: null,
  package_version: null,
  source: null,
  executor: null,
  install: false,
};

function operation(name: string, overrides: JsonObject = {}): PlanOperations[string] {
  return {
    plugin: 'noop',
    operation: `noop.${name}`,
    executor: 'central_deployment_agent',
    inputs: {},
    has_intrinsic_functions: false,
    max_retries: null,
    retry_interval: null,
    timeout: null,
    timeout_recoverable: null,
    ...overrides,
  };
}

export interface ProcessOptions {
  databaseUrl: string;
  amqpUrl: string;
  name: string;
  run?: OperationFunction;
  roles?: readonly ('executor' | 'broker')[];
  environment?: Record<string, string>;
  systemWorkflows?: SystemWorkflows;
  /** Which operations only wait. */
  waits?: Waits;
  log?: Logger;
}

/** One process of the product, as far as executions need it: heartbeat, executor, task broker. */
export class EngineProcess {
  readonly config: Config;
  readonly database: Database;
  readonly connection: BrokerConnection;
  executor: Executor | undefined;
  taskBroker: TaskBroker | undefined;
  readonly #heartbeat: Heartbeat;

  private constructor(config: Config, database: Database, connection: BrokerConnection, heartbeat: Heartbeat) {
    this.config = config;
    this.database = database;
    this.connection = connection;
    this.#heartbeat = heartbeat;
  }

  static async start(options: ProcessOptions): Promise<EngineProcess> {
    const log = options.log ?? silentLogger;
    const config = loadConfig({
      GANTRY_INSTANCE: options.name,
      GANTRY_STALE_AFTER: '2',
      ...options.environment,
      DATABASE_URL: options.databaseUrl,
      AMQP_URL: options.amqpUrl,
    });
    const database = new Database({ url: options.databaseUrl, poolSize: 10, log });
    const connection = connectBroker({ url: options.amqpUrl, log, name: options.name });
    const heartbeat = await startHeartbeat({ config, log, database });
    const started = new EngineProcess(config, database, connection, heartbeat);
    const common = {
      config,
      log,
      database,
      broker: connection,
      clock: { now: () => Date.now() },
      files: new FileStore({ root: config.files.root, sharedRoot: resourcePath() }),
      processName: heartbeat.processName,
      staleAfter: heartbeat.staleAfter,
    };
    const roles = options.roles ?? ['executor', 'broker'];
    if (roles.includes('broker')) {
      const runtime = fakeRuntime(options.run ?? succeed);
      const waits = options.waits ?? new Waits();
      started.taskBroker = await startTaskBroker({ ...common, runtime, host: noHost, waits });
    }
    if (roles.includes('executor')) {
      const systemWorkflows: SystemWorkflows = options.systemWorkflows ?? new Map();
      started.executor = await startExecutor({
        ...common,
        newId: randomUUID,
        random: randomInt,
        reveal: async ({ value }) => value ?? '',
        systemWorkflows,
      });
    }
    return started;
  }

  /**
   * Disappears as after a kill: nobody hears of it any more, but (unlike after a kill) what runs in it goes on, which
   * must not matter to others.
   */
  async vanish(): Promise<void> {
    await this.#heartbeat.abandon();
    await this.connection.close();
  }

  /** A graceful stop. */
  async stop(graceSeconds = 1): Promise<void> {
    await this.executor?.stop();
    await this.taskBroker?.stop(graceSeconds);
    await this.#heartbeat.stop();
    await this.connection.close();
    await this.database.close();
  }
}

let count = 0;

/** Stores a tenant with an administrator, once per database. */
export async function seedTenant(database: Database): Promise<{ tenantId: number; userId: number }> {
  const role = "insert into roles (name, type) values ('sys_admin', 'system_role') on conflict do nothing";
  await database.query(role);
  await database.query("insert into tenants (name) values ('default_tenant') on conflict do nothing");
  await database.query(
    "insert into users (username, role_id) select 'admin', id from roles where name = 'sys_admin' on conflict do nothing",
  );
  const [tenant] = await database.query<{ id: number }>("select id from tenants where name = 'default_tenant'");
  const [user] = await database.query<{ id: number }>("select id from users where username = 'admin'");
  return { tenantId: tenant?.id ?? 0, userId: user?.id ?? 0 };
}

export interface DeploymentOptions {
  instances: number;
  /** Members of the three operations create, configure and start. */
  operation?: JsonObject;
  /** Name of the plugin of its operations. */
  pluginName?: string;
}

/** Stores a deployment of one node with some instances and three operations each. */
export async function seedDeployment(database: Database, options: DeploymentOptions): Promise<Deployment> {
  const { tenantId, userId } = await seedTenant(database);
  const { pluginName = plugin.name } = options;
  count += 1;
  const id = `deployment-${count}-${randomUUID().slice(0, 8)}`;
  const common = { tenantId, creatorId: userId, visibility: 'tenant' as const };
  const workflows = Object.fromEntries(
    ['install', 'uninstall', 'reinstall', 'execute_operation', 'scale'].map((name) => [
      name,
      {
        plugin: 'default_workflows',
        operation: `cloudify.plugins.workflows.${name === 'scale' ? 'scale_entity' : name}`,
        parameters: {},
        is_cascading: false,
        availability_rules: null,
      },
    ]),
  );
  const plan = {
    imported_blueprints: [],
    deployment_plugins_to_install: [],
    workflow_plugins_to_install: [],
    host_agent_plugins_to_install: [],
    workflows,
  } as unknown as Plan;
  const blueprint = await createBlueprint(database, { ...common, id, state: 'uploaded', plan });
  const deployment = await createDeployment(database, {
    ...common,
    id,
    displayName: id,
    blueprintStorageId: blueprint.storageId,
    workflows,
    inputs: {},
    scalingGroups: {},
  });
  const names = ['create', 'configure', 'start', 'stop', 'delete'];
  const operations = Object.fromEntries(
    names.flatMap((name) => {
      const mapped = operation(name, { plugin: pluginName, ...options.operation });
      return [
        [name, mapped],
        [`cloudify.interfaces.lifecycle.${name}`, mapped],
      ];
    }),
  );
  await createNodes(database, deployment.storageId, [
    {
      id: 'web',
      type: 'cloudify.nodes.Root',
      typeHierarchy: ['cloudify.nodes.Root'],
      properties: {},
      operations: operations as unknown as JsonObject,
      relationships: [],
      plugins: [{ ...plugin, name: pluginName }],
      deployNumberOfInstances: options.instances,
      numberOfInstances: options.instances,
      plannedNumberOfInstances: options.instances,
      minNumberOfInstances: 0,
      maxNumberOfInstances: -1,
    },
  ]);
  const instances = Array.from({ length: options.instances }, (_, index) => ({
    id: `web_${randomUUID().slice(0, 13)}`,
    nodeId: 'web',
    index: index + 1,
  }));
  await createNodeInstances(database, deployment.storageId, instances);
  return deployment;
}

/** Stores an execution and sends its message. */
export async function startWorkflow(
  process: EngineProcess,
  deployment: Deployment,
  workflowId: string,
  overrides: {
    isDryRun?: boolean;
    parameters?: JsonObject;
    waitAfterFail?: number;
    breakpoints?: readonly Breakpoint[];
  } = {},
): Promise<Execution> {
  const { userId } = await seedTenant(process.database);
  const [execution] = await createExecutions(process.database, [
    {
      id: randomUUID(),
      tenantId: deployment.tenantId,
      creatorId: userId,
      visibility: 'tenant',
      workflowId,
      status: 'pending',
      parameters: {},
      deploymentStorageId: deployment.storageId,
      blueprintId: deployment.blueprintId,
      ...overrides,
    },
  ]);
  if (!execution) {
    throw new Error('The execution was not stored');
  }
  await process.connection.publish(workflowMessage(execution));
  return execution;
}

/** Waits for the end of an execution, told by the database. */
export async function ended(database: Database, executionId: string): Promise<Execution> {
  let unlisten: () => Promise<void> = async () => undefined;
  const execution = await new Promise<Execution>((resolve, reject) => {
    const look = (id: string | undefined): void => {
      if (id !== undefined && id !== executionId) {
        return;
      }
      findExecution(database, executionId).then((found) => {
        if (!found) {
          reject(new Error(`Execution ${executionId} is gone`));
        } else if (isExecutionEnded(found.status)) {
          resolve(found);
        }
      }, reject);
    };
    database.listen('gantry_executions', look).then((stop) => {
      unlisten = stop;
      look(undefined);
    }, reject);
  });
  await unlisten();
  return execution;
}
