import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { JsonObject, Plan, PlanNode } from '../../../src/domain/plan.ts';
import { DslError, logicError } from '../../../src/dsl/errors.ts';
import { describeError } from '../../../src/dsl/report/problem.ts';
import { parseBlueprint } from '../../../src/dsl/parse.ts';
import type { ImportedSource, ImportResolver, ParseOptions } from '../../../src/dsl/parse.ts';

/** What a test's blueprint can reach: texts by path or location, blueprints by id. */
export interface World {
  readonly files?: Readonly<Record<string, string>>;
  readonly blueprints?: Readonly<Record<string, string>>;
  readonly plugins?: Readonly<Record<string, ImportedSource>>;
  /** Scripts that can be opened, as `<base>/<path>`. */
  readonly scripts?: readonly string[];
}

/** A resolver over texts in memory. Files are found by path; `file:` URLs and other locations by the whole text. */
export class MemoryResolver implements ImportResolver {
  readonly fetched: string[] = [];
  private readonly world: World;

  constructor(world: World = {}) {
    this.world = world;
  }

  async fetch(location: string): Promise<ImportedSource> {
    this.fetched.push(location);
    const plugin = this.world.plugins?.[location];
    if (plugin) {
      return plugin;
    }
    const blueprint = location.startsWith('blueprint:') ? this.world.blueprints?.[location.slice(10)] : undefined;
    if (blueprint !== undefined) {
      return { kind: 'blueprint', text: blueprint };
    }
    const text = this.world.files?.[location.replace(/^file:/, '')];
    if (text === undefined) {
      throw logicError(13, `Import failed: Unable to open import url ${location}; no such file`);
    }
    return { kind: 'file', text };
  }

  async locateFile(path: string): Promise<string | undefined> {
    return Object.hasOwn(this.world.files ?? {}, path) ? `file:${path}` : undefined;
  }

  async resourceExists(url: string): Promise<boolean> {
    return this.world.scripts?.includes(url) ?? false;
  }
}

const builtInTypes = new URL('../../../resources/types/', import.meta.url);

/** The text of a file of built-in types. */
export function typesText(name = 'types.yaml'): string {
  return readFileSync(new URL(name, builtInTypes), 'utf8');
}

/** Parses a blueprint; a text without version is of the latest. */
export async function parse(text: string, world: World = {}, options: Partial<ParseOptions> = {}): Promise<Plan> {
  const complete = text.includes('tosca_definitions_version')
    ? text
    : `tosca_definitions_version: cloudify_dsl_1_5\n${text}`;
  return parseBlueprint({ text: complete, resolver: new MemoryResolver(world), ...options });
}

/** Parses a blueprint that is wrong and gives the error. */
export async function failure(text: string, world: World = {}, options: Partial<ParseOptions> = {}): Promise<DslError> {
  try {
    await parse(text, world, options);
  } catch (error) {
    if (error instanceof DslError) {
      return error;
    }
    throw error;
  }
  throw new Error(`This blueprint should not parse:\n${text}`);
}

/** Short names of error classes. */
const classes: Record<string, string> = {
  L: 'DSLParsingLogicException',
  F: 'DSLParsingFormatException',
  I: 'DSLParsingInputTypeException',
  D: 'DSLParsingException',
};

/**
 * Checks that a blueprint is refused.
 *
 * @param wanted class and code, `L 103` for a DSLParsingLogicException with code 103, or a class name alone
 */
export async function expectFailure(
  text: string,
  wanted: string,
  message?: string | RegExp,
  world: World = {},
  options: Partial<ParseOptions> = {},
): Promise<DslError> {
  const error = await failure(text, world, options);
  const [letter = '', code] = wanted.split(' ');
  const found = error.code === undefined ? error.className : `${error.className} ${String(error.code)}`;
  expect(found, describeError(error)).to.equal(code === undefined ? wanted : `${classes[letter] ?? letter} ${code}`);
  if (typeof message === 'string') {
    expect(error.message).to.contain(message);
  } else if (message) {
    expect(error.message).to.match(message);
  }
  return error;
}

/** A node of a plan by name. */
export function nodeOf(plan: Plan, name: string): PlanNode {
  const node = plan.nodes.find(({ id }) => id === name);
  if (!node) {
    throw new Error(`There is no node ${name}`);
  }
  return node;
}

/** The properties of the node `n` of a blueprint. */
export async function propertiesOf(text: string, world: World = {}): Promise<JsonObject> {
  return nodeOf(await parse(text, world), 'n').properties;
}

/** A row of a table of refused blueprints. */
export type RefusedRow = readonly [behaviour: string, text: string, error: string, message?: string | RegExp];

/** Makes a test of every row. */
export function itRefuses(rows: readonly RefusedRow[]): void {
  for (const [behaviour, text, error, message] of rows) {
    it(behaviour, async () => {
      await expectFailure(text, error, message);
    });
  }
}
