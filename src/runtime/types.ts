/**
 * The seam between running one operation and everything around it. The task broker of the manager and the host agent
 * call `runOperation` with a request and an `OperationHost`; a `PluginHost` knows how to run one kind of plugin.
 */
import type { OperationReply } from '../domain/operation-error.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { EventLevel } from '../domain/entities.ts';
import type { Node, NodeInstance } from '../domain/topology.ts';
import type { PluginContext } from './sdk.ts';

/**
 * The context of one operation as it travels in the message (`__cloudify_context`), so its names are those of the
 * wire. Only what the runtime reads is typed; whatever else a sender adds is kept for plugins.
 */
export interface OperationContext {
  type?: string;
  /** Dotted path of the function, such as `script_runner.tasks.run`. */
  task_name: string;
  /** Id of the operation; also the message's correlation id. */
  task_id?: string;
  execution_id?: string;
  execution_token?: string;
  rest_token?: string;
  rest_host?: string | string[];
  rest_port?: number;
  rest_ssl_cert?: string | null;
  tenant?: { name: string; [key: string]: Json };
  workflow_id?: string;
  workflow_parameters?: JsonObject;
  blueprint_id?: string | null;
  deployment_id?: string | null;
  deployment_display_name?: string | null;
  deployment_creator?: string | null;
  deployment_resource_tags?: JsonObject | null;
  runtime_only_evaluation?: boolean | null;
  /** Node INSTANCE id. Absent for operations of a deployment as a whole. */
  node_id?: string | null;
  /** Node id. */
  node_name?: string | null;
  host_id?: string | null;
  /** The other end, in relationship operations. */
  related?: { node_id: string; node_name: string; is_target: boolean } | null;
  operation?: OperationDescription | null;
  has_intrinsic_functions?: boolean | null;
  plugin?: OperationPlugin | null;
  executor?: string | null;
  execution_env?: { [name: string]: string } | null;
  /** Seconds. */
  timeout?: number | null;
  timeout_recoverable?: boolean | null;
  task_queue?: string | null;
  task_target?: string | null;
  bypass_maintenance?: boolean | null;
  execution_creator_username?: string | null;
  /** True when the stored operation had already been started once. */
  resume?: boolean | null;
  [key: string]: unknown;
}

export interface OperationDescription {
  name: string;
  retry_number?: number;
  /** -1 = without limit. */
  max_retries?: number | null;
  relationship?: string;
}

export interface OperationPlugin {
  name: string;
  package_name?: string | null;
  package_version?: string | null;
  visibility?: string | null;
  tenant_name?: string | null;
  source?: string | null;
  properties?: JsonObject | null;
}

/** One operation to run. */
export interface OperationRequest {
  readonly context: OperationContext;
  /** The operation's inputs: the message's kwargs without the context. */
  readonly inputs: JsonObject;
}

/** A reply for the workflow. Whoever aborted the operation decides whether it is sent at all. */
export type OperationOutcome = OperationReply;

/** A line for the log of the execution. */
export interface OperationLog {
  level: EventLevel;
  message: string;
  /** Name of the logger; `ctx.<task id>` when absent. */
  logger?: string;
}

/** Something whose intrinsic functions were evaluated, with the secret values that came in by it. */
export interface Evaluated<Value> {
  readonly value: Value;
  /** Plain values of secrets that `value` contains or was made from: kept out of logs and errors. */
  readonly secrets?: readonly string[];
}

/** What a save of a node instance changes. */
export interface NodeInstanceChange {
  /** Version that was read; the save is refused when the stored one is higher. */
  version: number;
  /** Replaces all runtime properties. */
  runtimeProperties: JsonObject;
  /**
   * The top-level properties that differ from what was read. A host that can save only these should: evaluated
   * secrets in the others then stay functions in the store.
   */
  changedKeys: readonly string[];
  /** State as it was read. */
  state?: string;
  /** Save whatever the stored version is. */
  force?: boolean;
}

/** Questions about the manager that scripts may ask; the answers have the shape of the REST service. */
export type ManagerQuestion =
  | { kind: 'execution' }
  | { kind: 'operation' }
  | { kind: 'tenant' }
  | { kind: 'provider-context' }
  | { kind: 'config'; name?: string; scope?: string }
  | { kind: 'managers'; network?: string }
  | { kind: 'brokers'; network?: string };

/**
 * Effects of an operation on the world. One object serves all operations, so each call names the operation by its
 * context; the implementation takes tenant, execution and deployment from there and checks what the execution may see.
 * Every call may throw a GantryError; `not_found_error` and `forbidden_error` reach the plugin, `conflict_error` of
 * `updateNodeInstance` is handled by the runtime.
 */
export interface OperationHost {
  /** The node with its properties evaluated for the instance. */
  getNode(context: OperationContext, nodeId: string, instanceId: string): Promise<Evaluated<Node>>;
  /** The node instance with its runtime properties evaluated. */
  getNodeInstance(context: OperationContext, instanceId: string): Promise<Evaluated<NodeInstance>>;
  /**
   * Saves a node instance.
   * @returns the stored version after the save
   * @throws GantryError conflict_error when the stored version is higher than the one that was read
   */
  updateNodeInstance(context: OperationContext, instanceId: string, change: NodeInstanceChange): Promise<number>;
  /** Evaluates intrinsic functions of the inputs from the point of view of the operation's node or relationship. */
  evaluateFunctions(context: OperationContext, payload: JsonObject): Promise<Evaluated<JsonObject>>;
  /** The value of a secret. @throws GantryError not_found_error, forbidden_error */
  getSecret(context: OperationContext, key: string): Promise<string>;
  /**
   * A file of the deployment, else of the blueprint, else of the file server.
   * @throws GantryError not_found_error `Resource not found: <path>`
   */
  readResource(context: OperationContext, path: string): Promise<Uint8Array>;
  /**
   * Writes such a file to `target`, an absolute path on this machine, without holding it in memory.
   * @throws GantryError not_found_error
   */
  downloadResource(context: OperationContext, path: string, target: string): Promise<void>;
  /** Puts a file into the deployment's directory. */
  writeDeploymentFile(context: OperationContext, path: string, content: Uint8Array): Promise<void>;
  deleteDeploymentFile(context: OperationContext, path: string): Promise<void>;
  ask(context: OperationContext, question: ManagerQuestion): Promise<Json>;
  /**
   * Takes a log line; does not throw. A returned promise asks the writer to wait for it before it writes more, which
   * stops a script that writes faster than its output can be stored.
   */
  log(context: OperationContext, entry: OperationLog): void | Promise<void>;
  /** Takes an event of type `plugin_event`; does not throw. */
  sendEvent(context: OperationContext, message: string): void | Promise<void>;
}

/** A plugin as installed on this machine. */
export interface InstalledPlugin {
  /** Id of the uploaded plugin; another upload of the same version has another one. */
  readonly id: string;
  readonly kind: 'node' | 'python';
  readonly name: string;
  readonly version: string | undefined;
  /** Directory that holds it, absolute. */
  readonly directory: string;
  /** Node plugins: the module to load, absolute. */
  readonly entry: string | undefined;
}

/**
 * Runs one operation of a Python plugin.
 * @throws ReportedFailure with the error object that Python's side wrote, or any other error
 */
export type PythonRunner = (
  context: OperationContext,
  inputs: JsonObject,
  plugin: InstalledPlugin,
  signal: AbortSignal,
) => Promise<Json>;

/** Finds (and installs, where needed) the plugin that an operation asks for. */
export interface PluginFinder {
  find(context: OperationContext, signal: AbortSignal): Promise<InstalledPlugin | undefined>;
}

/** Options of the runtime of one process. */
export interface RuntimeOptions {
  /** Time limit in seconds of operations that have none of their own. */
  defaultTimeoutSeconds: number;
  /** Directory for temporary files of operations; its file system must allow executing. */
  temporaryDirectory: string;
  /** Functions that run inside this process, by plugin name and then by task name. */
  builtins: BuiltinPlugins;
  finder?: PluginFinder;
  /** Runs operations of Python plugins; without it they fail with an explanation. */
  pythonRunner?: PythonRunner;
  /** Hosts that scripts may be fetched from by URL, as in `RemotePolicy`. */
  allowedScriptHosts?: readonly string[];
  /** Base of the working directories of plugins (`ctx plugin workdir`). */
  workDirectory?: string;
  /** Most child processes kept for one external plugin. */
  maxProcessesPerPlugin?: number;
}

/**
 * A function of a node plugin. Its result is the operation's result; what it throws is the operation's error.
 * The context is `PluginContext` of `src/runtime/sdk.ts`.
 */
export type BuiltinPlugins = ReadonlyMap<string, ReadonlyMap<string, PluginFunction>>;
export type PluginFunction = (ctx: PluginContext) => Json | undefined | void | Promise<Json | undefined | void>;

/** The runtime of one process: made once, runs any number of operations at once. */
export interface Runtime {
  /**
   * Runs one operation to its end and never throws.
   * @param signal aborting it kills the operation; the outcome is then a NonRecoverableError `Process terminated`
   */
  run(request: OperationRequest, host: OperationHost, signal?: AbortSignal): Promise<OperationOutcome>;
  /** Aborts what runs and ends all child processes. */
  stop(): Promise<void>;
}
