import type {
  Json,
  JsonObject,
  PlanInterfaceOperation,
  PlanOperation,
  PlanPlugin,
  PropertySchema,
} from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import type { Path } from '../errors.ts';
import { isFunction } from '../functions/index.ts';
import { KnownMistake } from '../problems.ts';
import type { Problems } from '../problems.ts';
import { namespaceDelimiter } from '../schema/namespace.ts';
import { nearestName } from '../schema/names.ts';
import { isDict } from '../schema/element.ts';
import { own } from '../types/values.ts';
import { setOwn } from '../yaml/marks.ts';

const urlStart = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const scriptPluginSuffix = 'script';
const runScript = 'script_runner.tasks.run';
const runWorkflowScript = 'script_runner.tasks.execute_workflow';

/** What implementations are looked up in. */
export interface ImplementationContext {
  readonly plugins: ReadonlyMap<string, PlanPlugin>;
  /** Implementations that are files of the blueprint. */
  readonly localScripts: ReadonlySet<string>;
  /** Namespaces of imported blueprints, whose files are not looked for. */
  readonly blueprintNamespaces: ReadonlySet<string>;
  /** Knows plugins that are declared and wrong. */
  readonly problems: Problems;
}

/** Who uses an implementation, for messages. */
export interface ImplementationUse {
  readonly kind: 'operation' | 'workflow';
  readonly name: string;
  /** Error code of an implementation that is nowhere to be found. */
  readonly code: 10 | 19 | 21;
  /** E.g. `In interface 'i' in node 'n' of type 't'`. */
  readonly where: string;
  readonly path: Path;
}

/** An implementation found: a function of a plugin, or a script to be run by the script plugin. */
export interface FoundImplementation {
  readonly plugin: PlanPlugin;
  readonly task: string;
  /** Input the script is passed in; undefined for a plugin's function. */
  readonly scriptInput?: 'script_path' | 'script_source';
}

/** The part of an implementation that is a path, when it may be one: its namespaces removed. */
export function scriptPathOf(implementation: string): string | undefined {
  if (urlStart.test(implementation) || implementation.includes('\n') || implementation.length > 1024) {
    return undefined;
  }
  const at = implementation.lastIndexOf(namespaceDelimiter);
  return at === -1 ? implementation : implementation.slice(at + namespaceDelimiter.length);
}

/**
 * Finds what an implementation means. Files of the blueprint come before functions of plugins.
 *
 * @param payload inputs of the operation or parameters of the workflow
 * @throws DslError 60, 61, 91 and the code of the use; KnownMistake when it may be of a plugin that is wrong itself
 */
export function findImplementation(
  implementation: string,
  payload: Readonly<Record<string, unknown>>,
  use: ImplementationUse,
  context: ImplementationContext,
): FoundImplementation {
  const candidates = pluginsOf(implementation, context.plugins);
  const isFile = urlStart.test(implementation) || context.localScripts.has(implementation);
  const isInline = !isFile && implementation.trim().includes('\n');
  if (isFile || isInline || (candidates.length === 0 && isOfImportedBlueprint(implementation, context))) {
    return asScript(implementation, isInline, payload, use, context);
  }
  const [plugin, ...others] = candidates;
  if (!plugin) {
    requireNoWrongPlugin(context, (name) => implementation.startsWith(`${name}.`));
    throw notFound(implementation, use, context);
  }
  if (others.length > 0) {
    const names = candidates.map(({ name }) => `'${name}'`).join(', ');
    throw logicError(91, `Ambiguous operation mapping. [operation=${use.name}, plugins=[${names}]]`, {
      path: use.path,
    });
  }
  return { plugin, task: implementation.slice(plugin.name.length + 1) };
}

function requireNoWrongPlugin({ problems }: ImplementationContext, isMeant: (name: string) => boolean): void {
  if (problems.isSectionBroken('plugins') || [...problems.brokenIn('plugins')].some(isMeant)) {
    throw new KnownMistake();
  }
}

function pluginsOf(implementation: string, plugins: ReadonlyMap<string, PlanPlugin>): PlanPlugin[] {
  const found: PlanPlugin[] = [];
  for (let dot = implementation.indexOf('.'); dot !== -1; dot = implementation.indexOf('.', dot + 1)) {
    const plugin = plugins.get(implementation.slice(0, dot));
    if (plugin) {
      found.push(plugin);
    }
  }
  return found;
}

function isOfImportedBlueprint(implementation: string, { blueprintNamespaces }: ImplementationContext): boolean {
  const at = implementation.indexOf(namespaceDelimiter);
  return at !== -1 && blueprintNamespaces.has(implementation.slice(0, at));
}

function asScript(
  implementation: string,
  isInline: boolean,
  payload: Readonly<Record<string, unknown>>,
  use: ImplementationUse,
  context: ImplementationContext,
): FoundImplementation {
  if (Object.hasOwn(payload, 'script_path') || Object.hasOwn(payload, 'script_source')) {
    const message = `Cannot define 'script_path' property in '${implementation}' for ${use.kind} '${use.name}'`;
    throw logicError(60, message, { path: use.path });
  }
  const task = use.kind === 'workflow' ? runWorkflowScript : runScript;
  for (const plugin of context.plugins.values()) {
    if (plugin.name.endsWith(scriptPluginSuffix)) {
      return { plugin, task, scriptInput: isInline ? 'script_source' : 'script_path' };
    }
  }
  requireNoWrongPlugin(context, (name) => name.endsWith(scriptPluginSuffix));
  const message = `Script plugin is not defined but it is required for mapping '${task}' of ${use.kind} '${use.name}'`;
  throw logicError(61, message, { path: use.path, remedy: 'Import cloudify/types/types.yaml, which declares it' });
}

function notFound(implementation: string, use: ImplementationUse, { plugins }: ImplementationContext): Error {
  const what = `'${implementation}', which is declared for ${use.kind} '${use.name}'.`;
  const intro = `Could not extract plugin or a script resource is not found from ${use.kind} mapping/script-path`;
  const first = implementation.split('.', 1)[0] ?? '';
  return logicError(use.code, `${intro} ${what}${use.where === '' ? '' : ` ${use.where}`}`, {
    path: use.path,
    remedy: nearestName(first, plugins.keys()) ?? 'Declare the plugin, or put the script into the blueprint archive',
  });
}

/**
 * The record of an operation in the plan.
 *
 * @param declared schemas of the inputs, where the operation keeps those of its type
 * @throws DslError see {@link findImplementation}
 */
export function planOperation(
  operation: PlanInterfaceOperation,
  use: ImplementationUse,
  context: ImplementationContext,
  declared: Readonly<Record<string, PropertySchema>> = {},
): PlanOperation {
  const { implementation, executor, inputs, max_retries, retry_interval, timeout, timeout_recoverable } = operation;
  if (implementation === '') {
    return noOp;
  }
  const found = findImplementation(implementation, inputs, use, context);
  const types = typesOf(inputs, declared);
  return {
    plugin: found.plugin.name,
    operation: found.task,
    executor: executor ?? (found.scriptInput ? 'auto' : found.plugin.executor),
    inputs: found.scriptInput ? { ...inputs, [found.scriptInput]: implementation } : inputs,
    has_intrinsic_functions: false,
    max_retries,
    retry_interval,
    timeout,
    timeout_recoverable,
    ...(types ? { inputs_types: types } : {}),
  };
}

const noOp: PlanOperation = {
  plugin: '',
  operation: '',
  executor: null,
  inputs: {},
  has_intrinsic_functions: false,
  max_retries: null,
  retry_interval: null,
  timeout: null,
  timeout_recoverable: null,
};

/** Types that the values of inputs are checked against before the operation runs: those of mappings, as ever. */
function typesOf(
  inputs: JsonObject,
  declared: Readonly<Record<string, PropertySchema>>,
): Record<string, Json> | undefined {
  let types: Record<string, Json> | undefined;
  for (const [name, value] of Object.entries(inputs)) {
    if (isDict(value)) {
      const type = isFunction(value) ? value['type'] : own(declared, name)?.type;
      if (type !== undefined) {
        types ??= {};
        setOwn(types, name, type);
      }
    }
  }
  return types;
}
