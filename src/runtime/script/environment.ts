import { dirname } from 'node:path';
import { resourcePath } from '../../config/package-root.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { NonRecoverableError } from '../sdk.ts';

/** What a script gets from the environment of this process; the rest may hold passwords and stays here. */
const passedOn = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR'];

const fallbackPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The part of this process's environment that other programs get. */
export function baseEnvironment(): Record<string, string> {
  const environment: Record<string, string> = { LANG: 'C.UTF-8', PATH: fallbackPath };
  for (const name of passedOn) {
    const value = process.env[name];
    if (value !== undefined) {
      environment[name] = value;
    }
  }
  return environment;
}

export interface ScriptEnvironment {
  /** The operation's inputs that are for the script. */
  readonly inputs: JsonObject;
  /** `process.env` of the inputs; wins over inputs of the same name. */
  readonly extra: JsonObject;
  /** `execution_env` of the operation's context. */
  readonly executionEnvironment: Readonly<Record<string, string>>;
  readonly ctxUrl: string | undefined;
  readonly temporaryDirectory: string;
}

/**
 * The environment of a script: little of this process's own, then the execution's, the inputs, `process.env`, and what
 * the clients of `ctx` need.
 * Compatibility: lists, mappings and booleans are JSON, everything else is text as Python prints it.
 * @throws NonRecoverableError for names and values that no environment can hold
 */
export function scriptEnvironment(options: ScriptEnvironment): Record<string, string> {
  const environment: Record<string, string> = {
    TMPDIR: options.temporaryDirectory,
    ...baseEnvironment(),
    ...options.executionEnvironment,
  };
  for (const [name, value] of Object.entries({ ...options.inputs, ...options.extra })) {
    environment[checkedName(name)] = checkedValue(name, value);
  }
  environment['GANTRY_NODE'] = process.execPath;
  if (options.ctxUrl !== undefined) {
    environment['CTX_SOCKET_URL'] = options.ctxUrl;
    environment['PATH'] = `${clients().bin}:${environment['PATH'] ?? fallbackPath}`;
    environment['NODE_PATH'] = joined(clients().node, environment['NODE_PATH']);
    environment['PYTHONPATH'] = joined(clients().python, environment['PYTHONPATH']);
  }
  return environment;
}

interface ClientFolders {
  bin: string;
  node: string;
  python: string;
}

let folders: ClientFolders | undefined;

/** Where the clients of `ctx` for shell, Node and Python are. */
function clients(): ClientFolders {
  folders ??= {
    bin: dirname(resourcePath('runtime', 'bin', 'ctx')),
    node: resourcePath('runtime', 'node'),
    python: resourcePath('runtime', 'python'),
  };
  return folders;
}

/** How a value looks in an environment variable. */
export function environmentText(value: Json): string {
  return typeof value === 'object' && value !== null ? pythonJson(value) : scalarText(value);
}

function scalarText(value: Json): string {
  return typeof value === 'boolean' ? JSON.stringify(value) : pythonText(value);
}

/** JSON as Python writes it: a blank behind commas and colons, everything that is not ASCII escaped. */
function pythonJson(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(pythonJson).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([key, member]) => `${pythonJson(key)}: ${pythonJson(member)}`);
    return `{${members.join(', ')}}`;
  }
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function checkedName(name: string): string {
  if (name === '' || name.includes('=') || name.includes('\0')) {
    throw new NonRecoverableError(`The input '${name}' cannot be an environment variable of a script: rename it`);
  }
  return name;
}

function checkedValue(name: string, value: Json): string {
  const text = environmentText(value);
  if (text.includes('\0')) {
    throw new NonRecoverableError(`The input '${name}' holds a zero byte, which an environment variable cannot`);
  }
  return text;
}

function joined(first: string, second: string | undefined): string {
  return second === undefined || second === '' ? first : `${first}:${second}`;
}
