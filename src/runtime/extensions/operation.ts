import { coerceError, GantryError } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError, OperationRetry } from '../sdk.ts';
import type { PluginContext, RuntimeProperties } from '../sdk.ts';
import { isJsonObject } from '../session/paths.ts';
import type { PluginFunction } from '../types.ts';
import type { ExtensionsHost, ExtensionsManager, Waiting } from './manager.ts';

/** Seconds that executions of other deployments may take, unless the operation says otherwise. */
const defaultTimeout = 1800;

/** What every operation of the built-in types works with. */
export interface ExtensionCall {
  readonly ctx: PluginContext;
  readonly manager: ExtensionsManager;
  readonly runtime: RuntimeProperties;
  /** An input of the operation, else a runtime property, else a property of the node. */
  setting(name: string): JsonObject;
  /** How long to wait: the input `timeout` in seconds, -1 = without limit. */
  readonly waiting: Waiting;
}

/**
 * Makes an operation of a function.
 *
 * Compatibility: Cloudify 7 texts: whatever is thrown makes the operation fail for good as `Error in <function>: ...`,
 * except that it is repeated when the execution is being cancelled.
 */
export function extensionOperation(
  host: ExtensionsHost,
  name: string,
  work: (call: ExtensionCall) => Promise<Json | undefined | void>,
): PluginFunction {
  return async (ctx) => {
    try {
      const { client } = await ctx.node.properties();
      requireThisManager(client);
      const manager = await host.managerFor(ctx.executionId);
      return await work(await callOf(ctx, manager));
    } catch (thrown) {
      throw failureOf(name, thrown, ctx.signal);
    }
  };
}

async function callOf(ctx: PluginContext, manager: ExtensionsManager): Promise<ExtensionCall> {
  const runtime = await ctx.instance.runtimeProperties();
  const properties = await ctx.node.properties();
  const { timeout } = ctx.inputs;
  const seconds = typeof timeout === 'number' ? timeout : defaultTimeout;
  return {
    ctx,
    manager,
    runtime,
    setting: (name) => objectOf(ctx.inputs[name] ?? runtime.get(name) ?? properties[name]),
    waiting: { timeoutSeconds: seconds < 0 ? undefined : seconds, signal: ctx.signal },
  };
}

/** What is thrown for what went wrong in the function of that name. */
export function failureOf(name: string, thrown: unknown, signal: AbortSignal): Error {
  const error = coerceError(thrown);
  if (signal.aborted || error instanceof OperationRetry) {
    return error;
  }
  return error instanceof GantryError && error.code === 'forbidden_while_cancelling'
    ? new OperationRetry(error.message)
    : new NonRecoverableError(`Error in ${name}: ${error.message}`);
}

/** The property `client` names another manager, as far as any of it is filled in. */
function requireThisManager(client: Json | undefined): void {
  const filled = Object.entries(objectOf(client)).filter(([, value]) => value !== null && value !== '');
  if (filled.length > 0) {
    throw new NonRecoverableError(
      `The property \`client\` names another manager (${filled.map(([key]) => key).join(', ')}); only deployments of ` +
        'this manager and tenant can be used: leave it empty',
    );
  }
}

/** A mapping; anything else counts as an empty one. */
export function objectOf(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** A text that is not empty. */
export function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Labels as blueprints write them: a list of mappings. @throws NonRecoverableError */
export function labelsOf(value: Json | undefined): JsonObject[] {
  const list = value ?? [];
  if (Array.isArray(list) && list.every((label) => isJsonObject(label) && Object.keys(label).length === 1)) {
    return list as JsonObject[];
  }
  throw new NonRecoverableError(
    `Labels must be a list of mappings with one entry each, such as [{tier: web}]; got ${JSON.stringify(value)}`,
  );
}
