import type { Command } from '../command-tree.ts';
import type { Method, QueryValue } from '../../client/transport.ts';
import type { GantryClient } from '../../client/client.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { listOptions, withListOptions } from '../commands/listing.ts';
import { fetchPage } from '../../client/pages.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';

/** What was written on the command line. */
export interface Given {
  /** Arguments by name. */
  readonly values: Readonly<Record<string, string>>;
  /** Options by their long name in camel case. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One request to the manager. */
export interface CommandRequest {
  readonly method: Method;
  /** Below `/api/v3.1`; values have to be encoded, see {@link at}. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly body?: unknown;
}

export interface CommandOption {
  /** As commander writes it: `--location <latitude,longitude>`. */
  readonly flags: string;
  readonly about: string;
  readonly isRequired?: boolean;
  /** Whether it may be given several times. */
  readonly isRepeatable?: boolean;
}

interface CommonDefinition {
  /** All words of the command: `sites create`. */
  readonly words: string;
  readonly about: string;
  /** Names of its arguments in order. */
  readonly takes?: readonly string[];
  readonly options?: readonly CommandOption[];
  /** Whole command lines for the help; where there is none, one is made from the arguments. */
  readonly example?: string | readonly string[];
}

/** A command that lists. */
export interface ListDefinition extends CommonDefinition {
  readonly kind: 'list';
  readonly path: (given: Given) => string;
  readonly filters?: (given: Given) => Readonly<Record<string, QueryValue>>;
  /** Fields that are shown. */
  readonly fields: readonly string[];
  /** What is listed; made from the words where they say it. */
  readonly things?: string;
  /** What the endpoint takes, where it is not what most take. */
  readonly takesNo?: readonly ('sort' | 'search' | 'all-tenants')[];
}

/** A command that shows one thing, or what became of it. */
export interface ItemDefinition extends CommonDefinition {
  readonly kind: 'item';
  readonly fields: readonly string[];
  readonly run: (client: GantryClient, given: Given, invocation: Invocation) => Promise<unknown>;
}

/** A command that shows a list which its work has read whole. */
export interface RowsDefinition extends CommonDefinition {
  readonly kind: 'rows';
  /** Fields that are shown. */
  readonly fields: readonly string[];
  /** What is listed, for the sentence that there is none. */
  readonly things: string;
  readonly run: (client: GantryClient, given: Given, invocation: Invocation) => Promise<readonly object[]>;
}

/** A command that changes something and says so. */
export interface ActionDefinition extends CommonDefinition {
  readonly kind: 'action';
  readonly done: (given: Given) => string;
  readonly run: (client: GantryClient, given: Given, invocation: Invocation) => Promise<unknown>;
}

/** A command that writes its result itself. */
export interface FreeDefinition extends CommonDefinition {
  readonly kind: 'free';
  readonly run: (client: GantryClient, given: Given, invocation: Invocation) => Promise<void>;
}

export type CommandDefinition = ListDefinition | RowsDefinition | ItemDefinition | ActionDefinition | FreeDefinition;

/** Makes a path of fixed parts and values: at`/sites/${name}`. */
export function at(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(values[index - 1] ?? '') + part);
}

/** Work that is one request. */
export function sends(request: (given: Given) => CommandRequest): ItemDefinition['run'] {
  return async (client, given) => {
    const { method, path, query, body } = request(given);
    return client.transport.json<unknown>(method, path, {
      ...(query ? { query } : {}),
      ...(body === undefined ? {} : { body }),
    });
  };
}

/** The value of an argument; commander has seen to it that it is there. */
export function valueOf({ values }: Given, name: string): string {
  return values[name] ?? '';
}

/** The value of an option that is a text, or undefined. */
export function optionOf({ options }: Given, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** The value of an option that is a number, or undefined. */
export function numberOf({ options }: Given, name: string): number | undefined {
  const value = options[name];
  return typeof value === 'number' ? value : undefined;
}

/** The values of an option that can be repeated. */
export function optionsOf({ options }: Given, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? (value as string[]) : [];
}

/** Adds the commands of tables to the program, below groups that are there or made here. */
export function addDefinedCommands(
  program: Command,
  setting: CommandSetting,
  groups: Readonly<Record<string, string>>,
  definitions: readonly CommandDefinition[],
): void {
  for (const definition of definitions) {
    const words = definition.words.split(' ');
    const parent = words.slice(0, -1).reduce((group, word, index) => {
      const found = group.children.find((child) => child.name() === word);
      const about = groups[words.slice(0, index + 1).join(' ')] ?? '';
      return found ?? group.command(word).description(about);
    }, program);
    define(parent.command(words.at(-1) ?? ''), setting, definition);
  }
}

function define(own: Command, setting: CommandSetting, definition: CommandDefinition): void {
  const { about, takes = [], options = [], example } = definition;
  own.description(about);
  takes.forEach((name) => own.argument(`<${name}>`));
  for (const option of options) {
    const add = option.isRequired ? own.requiredOption.bind(own) : own.option.bind(own);
    if (option.isRepeatable) {
      add(option.flags, option.about, collect);
    } else {
      add(option.flags, option.about);
    }
  }
  if (definition.kind === 'rows') {
    own.things = definition.things;
  }
  if (definition.kind === 'list') {
    const { takesNo = [], things } = definition;
    withListOptions(own, {
      path: definition.path({ values: Object.fromEntries(takes.map((name) => [nameOf(name), '*'])), options: {} }),
      things: things ?? (own.parent?.name() ?? '').replaceAll('-', ' '),
      isSortable: !takesNo.includes('sort'),
      isSearchable: !takesNo.includes('search'),
      hasAllTenants: !takesNo.includes('all-tenants'),
    });
  }
  if (example !== undefined) {
    own.example(...[example].flat());
  }
  own.action(
    command(setting, async (invocation, given: Record<string, unknown>, ...values: string[]) => {
      const named = Object.fromEntries(takes.map((name, index) => [nameOf(name), values[index] ?? '']));
      await run(invocation, definition, { values: named, options: given });
    }),
  );
}

/** `labels...` and `name` are both known by their word. */
function nameOf(argument: string): string {
  return argument.replace(/\.\.\.$/, '');
}

async function run(invocation: Invocation, definition: CommandDefinition, given: Given): Promise<void> {
  const client = await invocation.client();
  const { output } = invocation;
  switch (definition.kind) {
    case 'list': {
      const options = listOptions(given.options, definition.filters?.(given));
      const path = definition.path(given);
      const page = await fetchPage<Record<string, unknown>>(client.transport, path, options);
      output.list(page.items, columnsOf(definition.fields), page.metadata.pagination.total);
      return;
    }
    case 'rows':
      output.list(await definition.run(client, given, invocation), columnsOf(definition.fields));
      return;
    case 'item':
      output.item((await definition.run(client, given, invocation)) as object, columnsOf(definition.fields));
      return;
    case 'action': {
      const result = await definition.run(client, given, invocation);
      output.done(definition.done(given), result ?? given.values);
      return;
    }
    case 'free':
      await definition.run(client, given, invocation);
  }
}

/** A value as people read it: times in short, statuses in their colour. */
function shownValue(field: string, value: unknown): unknown {
  if (typeof value !== 'string') {
    return value;
  }
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value)) {
    return shortTime(value);
  }
  return /(^|_)(status|state)$/.test(field) ? colourStatus(value) : value;
}

function columnsOf(fields: readonly string[]): Column<object>[] {
  return fields.map((field) => ({
    title: field.replaceAll('_', ' '),
    value: (item) => shownValue(field, (item as Record<string, unknown>)[field]),
  }));
}
