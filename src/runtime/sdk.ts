/**
 * The SDK of node plugins: what a plugin function is given and what it may throw. A plugin is a directory with a
 * `plugin.yaml` and a package; each operation it offers is an exported function that takes a `PluginContext`:
 *
 * ```ts
 * import type { PluginContext } from 'gantry/plugin';
 *
 * export async function start(ctx: PluginContext) {
 *   const { size } = await ctx.node.properties();
 *   const runtime = await ctx.instance.runtimeProperties();
 *   ctx.logger.info(`starting with ${String(size)}`);
 *   runtime.set('address.port', 8080);
 * }
 * ```
 *
 * Nothing is read from the manager before it is asked for, and changed runtime properties are saved when the function
 * has ended, also when it failed.
 */
import type { Json, JsonObject } from '../domain/plan.ts';
import type { Node, NodeInstance } from '../domain/topology.ts';

/** The context of one operation. */
export interface PluginContext {
  /** Dotted name of the function that runs. */
  readonly taskName: string;
  readonly taskId: string | undefined;
  readonly executionId: string | undefined;
  readonly workflowId: string | undefined;
  readonly tenantName: string | undefined;
  readonly blueprintId: string | undefined;
  readonly deploymentId: string | undefined;
  readonly inputs: JsonObject;
  readonly plugin: { readonly name: string; readonly properties: JsonObject };
  readonly operation: PluginOperation;
  readonly logger: PluginLogger;
  /** Aborted when the operation is killed or its time is over. */
  readonly signal: AbortSignal;
  /** The node of the operation; throws in relationship operations and in operations of a deployment. */
  readonly node: PluginNode;
  /** The node instance of the operation; throws like `node`. */
  readonly instance: PluginInstance;
  /** The ends of a relationship operation; throw in all others. */
  readonly source: PluginEndpoint;
  readonly target: PluginEndpoint;
  getSecret(key: string): Promise<string>;
  /** A file of the deployment or blueprint. */
  getResource(path: string): Promise<Uint8Array>;
  /** The same as text, rendered as a template with `ctx` and the variables. */
  getResourceAndRender(path: string, variables?: JsonObject): Promise<string>;
  /** Writes such a file to disk and returns its path: `target` or a temporary one that goes when the operation ends. */
  downloadResource(path: string, target?: string): Promise<string>;
  downloadResourceAndRender(path: string, target?: string, variables?: JsonObject): Promise<string>;
  /** Writes an event of type `plugin_event`. */
  sendEvent(message: string): void;
}

export interface PluginOperation {
  readonly name: string;
  readonly retryNumber: number;
  /** -1 = without limit. */
  readonly maxRetries: number;
  /** `source` or `target` in relationship operations. */
  readonly relationship: string | undefined;
  /** Asks for another attempt after the function has ended; `retryAfter` in seconds. */
  retry(options?: { message?: string; retryAfter?: number }): void;
}

export interface PluginLogger {
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
}

export interface PluginEndpoint {
  readonly node: PluginNode;
  readonly instance: PluginInstance;
}

export interface PluginNode {
  readonly id: string;
  readonly name: string;
  properties(): Promise<JsonObject>;
  /** The whole node: type, hierarchy, numbers of instances. */
  details(): Promise<Node>;
}

export interface PluginInstance {
  readonly id: string;
  /** Read once; the same object is answered for the rest of the operation. */
  runtimeProperties(): Promise<RuntimeProperties>;
  /** The whole instance: index, host, relationships, scaling groups. */
  details(): Promise<NodeInstance>;
  /** Saves changed runtime properties now. */
  update(): Promise<void>;
  /** Reads the instance again. @throws when there are unsaved changes, unless `force` */
  refresh(options?: { force?: boolean }): Promise<void>;
}

/** Runtime properties of one node instance. Paths are like `a.b[1].c`. */
export interface RuntimeProperties {
  readonly isDirty: boolean;
  /** A copy of the value, undefined when there is none. */
  get(path: string): Json | undefined;
  /** Sets a value and makes missing objects on the way. */
  set(path: string, value: Json): void;
  /** Removes a value; does nothing when there is none. */
  delete(path: string): void;
  /** A copy of everything. */
  toJSON(): JsonObject;
}

/** The operation failed and must not be tried again. */
export class NonRecoverableError extends Error {
  override readonly name: string = 'NonRecoverableError';
}

/** The operation failed and may be tried again, after `retryAfter` seconds where that is given. */
export class RecoverableError extends Error {
  override readonly name: string = 'RecoverableError';
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfter = options.retryAfter;
  }
}

/** The operation did not fail: it asks to be called again, after `retryAfter` seconds where that is given. */
export class OperationRetry extends Error {
  override readonly name: string = 'OperationRetry';
  readonly retryAfter: number | undefined;

  constructor(message: string, options: { retryAfter?: number } = {}) {
    super(message);
    this.retryAfter = options.retryAfter;
  }
}
