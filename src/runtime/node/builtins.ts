import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../../domain/plan.ts';
import { NonRecoverableError, RecoverableError } from '../sdk.ts';
import type { PluginContext } from '../sdk.ts';
import { isJsonObject } from '../session/paths.ts';
import type { BuiltinPlugins, PluginFunction } from '../types.ts';

/**
 * Functions of the plugin `gantry`, for trying out blueprints and workflows without anything to run. A blueprint
 * declares it as `plugins: {gantry: {executor: central_deployment_agent, install: false}}`.
 */
const gantryPlugin: Readonly<Record<string, PluginFunction>> = {
  /** Does nothing. */
  noop: () => null,

  /** Answers with its inputs. */
  echo: (ctx) => ctx.inputs,

  /** Writes the input `message` to the log. */
  log: (ctx) => {
    ctx.logger.info(textInput(ctx, 'message', ''));
    return null;
  },

  /** Waits for the input `seconds`. */
  sleep: async (ctx) => {
    const seconds = Number(ctx.inputs['seconds'] ?? 1);
    if (!Number.isFinite(seconds) || seconds < 0) {
      throw new NonRecoverableError("The input 'seconds' must be a number that is not negative");
    }
    await sleep(seconds * 1000, undefined, { signal: ctx.signal });
    return null;
  },

  /** Sets the members of the input `properties` as runtime properties. */
  set_runtime_properties: async (ctx) => {
    const { properties } = ctx.inputs;
    if (!isJsonObject(properties)) {
      throw new NonRecoverableError("The input 'properties' must be a mapping");
    }
    const runtimeProperties = await ctx.instance.runtimeProperties();
    for (const [name, value] of Object.entries(properties)) {
      runtimeProperties.set(name, value);
    }
    return null;
  },

  /**
   * Fails with the input `message`; for good unless `recoverable`. With `attempts` it succeeds after so many failures.
   */
  fail: (ctx) => {
    const { recoverable, attempts, retry_after: retryAfter } = ctx.inputs;
    if (typeof attempts === 'number' && ctx.operation.retryNumber >= attempts) {
      return null;
    }
    const message = textInput(ctx, 'message', 'The operation was told to fail');
    if (recoverable === true || typeof attempts === 'number') {
      throw new RecoverableError(message, typeof retryAfter === 'number' ? { retryAfter } : {});
    }
    throw new NonRecoverableError(message);
  },

  /** Asks to be called again until the input `attempts` is reached. */
  retry: (ctx) => {
    const { attempts, retry_after: retryAfter } = ctx.inputs;
    if (ctx.operation.retryNumber < Number(attempts ?? 1)) {
      const message = textInput(ctx, 'message', 'The operation was told to retry');
      ctx.operation.retry(typeof retryAfter === 'number' ? { message, retryAfter } : { message });
    }
    return null;
  },
};

function textInput(ctx: PluginContext, name: string, fallback: string): string {
  const value: Json | undefined = ctx.inputs[name];
  return typeof value === 'string' ? value : fallback;
}

/** The plugins that are part of the program. @param more further ones, which win over these by name */
export function builtinPlugins(more: BuiltinPlugins = new Map()): BuiltinPlugins {
  return new Map([['gantry', new Map(Object.entries(gantryPlugin))], ...more]);
}
