import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { NonRecoverableError } from '../sdk.ts';
import { isJsonObject } from '../session/paths.ts';

/** The input `process` of script operations: how the script is started. */
export interface ProcessOptions {
  readonly env: JsonObject;
  readonly cwd: string | undefined;
  readonly args: readonly string[];
  readonly commandPrefix: string | undefined;
  /** undefined = the script's name decides. */
  readonly isEvaluated: boolean | undefined;
  readonly hasCtx: boolean;
  readonly isOutputLogged: boolean;
  readonly isErrorLogged: boolean;
  readonly isErrorJoined: boolean;
}

/**
 * Reads the input `process`. Flags may come as text, as inputs of blueprints often do.
 * Compatibility: the keys of Cloudify's script plugin.
 * @throws NonRecoverableError naming the key that is wrong
 */
export function processOptions(value: Json | undefined): ProcessOptions {
  if (value !== undefined && value !== null && !isJsonObject(value)) {
    throw new NonRecoverableError("The input 'process' must be a mapping");
  }
  const options = value ?? {};
  const proxyType = text(options, 'ctx_proxy_type') ?? 'auto';
  if (!['auto', 'http', 'none'].includes(proxyType)) {
    throw new NonRecoverableError(`Unsupported proxy type: ${proxyType}`);
  }
  const env = options['env'] ?? {};
  if (!isJsonObject(env)) {
    throw new NonRecoverableError("The input 'process.env' must be a mapping");
  }
  return {
    env,
    cwd: text(options, 'cwd'),
    args: argumentsOf(options['args']),
    commandPrefix: text(options, 'command_prefix'),
    isEvaluated: flag(options, 'eval_python'),
    hasCtx: proxyType !== 'none',
    isOutputLogged: flag(options, 'log_stdout') ?? true,
    isErrorLogged: flag(options, 'log_stderr') ?? true,
    isErrorJoined: flag(options, 'stderr_to_stdout') ?? false,
  };
}

function text(options: JsonObject, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || value === null || value === '') {
    return undefined;
  }
  if (typeof value !== 'string') {
    throw new NonRecoverableError(`The input 'process.${name}' must be text`);
  }
  return value;
}

function flag(options: JsonObject, name: string): boolean | undefined {
  const value = options[name];
  if (value === undefined || value === null || typeof value === 'boolean') {
    return value ?? undefined;
  }
  const lower = typeof value === 'string' ? value.toLowerCase() : '';
  if (lower !== 'true' && lower !== 'false') {
    throw new NonRecoverableError(`The input 'process.${name}' must be true or false`);
  }
  return lower === 'true';
}

function argumentsOf(value: Json | undefined): readonly string[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new NonRecoverableError("The input 'process.args' must be a list");
  }
  return value.map(pythonText);
}
