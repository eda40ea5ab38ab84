import nunjucks from 'nunjucks';
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { NonRecoverableError } from '../sdk.ts';
import { isJsonObject } from '../session/paths.ts';

/**
 * Templates of blueprint resources. They are written for Jinja2, so values print as Python would print them and
 * lists, mappings and texts have the usual methods. A template comes from outside: it reaches the data it is given and
 * nothing else, and it is rendered in a process of its own that can be stopped (see render-service.ts).
 * Compatibility: Cloudify `download_resource_and_render`.
 */

type Method = (...args: unknown[]) => unknown;
type Methods = Readonly<Record<string, (subject: never, ...args: never[]) => unknown>>;

const mappingMethods: Methods = {
  items: (subject: JsonObject) => Object.entries(subject),
  keys: (subject: JsonObject) => Object.keys(subject),
  values: (subject: JsonObject) => Object.values(subject),
  get: (subject: JsonObject, key: string, fallback?: Json) =>
    Object.hasOwn(subject, key) ? subject[key] : (fallback ?? null),
  has_key: (subject: JsonObject, key: string) => Object.hasOwn(subject, key),
};

const listMethods: Methods = {
  append: (subject: Json[], value: Json) => {
    subject.push(value);
    return null;
  },
  count: (subject: Json[], value: Json) => subject.filter((entry) => entry === value).length,
  index: (subject: Json[], value: Json) => subject.indexOf(value),
};

const textMethods: Methods = {
  upper: (subject: string) => subject.toUpperCase(),
  lower: (subject: string) => subject.toLowerCase(),
  strip: (subject: string) => subject.trim(),
  lstrip: (subject: string) => subject.trimStart(),
  rstrip: (subject: string) => subject.trimEnd(),
  capitalize: (subject: string) => subject.charAt(0).toUpperCase() + subject.slice(1).toLowerCase(),
  split: (subject: string, separator?: string) =>
    separator === undefined ? subject.split(/\s+/).filter(Boolean) : subject.split(separator),
  splitlines: (subject: string) => subject.replace(/\r?\n$/, '').split(/\r?\n/),
  join: (subject: string, parts: Json[]) => parts.map(pythonText).join(subject),
  replace: (subject: string, from: string, to: string) => subject.replaceAll(String(from), () => String(to)),
  startswith: (subject: string, start: string) => subject.startsWith(String(start)),
  endswith: (subject: string, end: string) => subject.endsWith(String(end)),
};

/** What `subject.name` or `subject[name]` is in a template: own members and the methods above, nothing inherited. */
function lookUp(subject: unknown, name: unknown, ...slice: unknown[]): unknown {
  if (slice.length > 0 && (typeof subject === 'string' || Array.isArray(subject))) {
    return sliceOf(subject, name, slice[0], slice[1]);
  }
  if (typeof name !== 'string' && typeof name !== 'number') {
    return undefined;
  }
  if (typeof subject === 'string' || Array.isArray(subject)) {
    const position = typeof name === 'number' && name < 0 ? subject.length + name : Number(name);
    if (Number.isInteger(position)) {
      return subject[position];
    }
    return name === 'length' ? subject.length : method(subject, name);
  }
  if (typeof subject === 'object' && subject !== null && Object.hasOwn(subject, name)) {
    const value = (subject as Record<string, unknown>)[name];
    return typeof value === 'function' ? (value as Method).bind(subject) : value;
  }
  return isJsonObject(subject) ? method(subject, name) : undefined;
}

function method(subject: string | Json[] | JsonObject, name: string | number): Method | undefined {
  const methods = typeof subject === 'string' ? textMethods : Array.isArray(subject) ? listMethods : mappingMethods;
  const found = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return found === undefined ? undefined : (...args) => found(subject as never, ...(args as never[]));
}

function sliceOf(subject: string | Json[], from: unknown, to: unknown, step: unknown): unknown {
  const start = typeof from === 'number' ? from : undefined;
  const end = typeof to === 'number' ? to : undefined;
  const part = subject.slice(start, end);
  if (typeof step !== 'number' || step === 1) {
    return part;
  }
  const entries = typeof part === 'string' ? [...part] : part;
  const ordered = step < 0 ? entries.toReversed() : entries;
  const chosen = ordered.filter((_entry, position) => position % Math.max(1, Math.abs(step)) === 0);
  return typeof part === 'string' ? chosen.map(pythonText).join('') : chosen;
}

/** How a value is printed: as Python would, and nothing for what does not exist. */
function print(value: unknown): string {
  if (value === undefined || typeof value === 'function') {
    return '';
  }
  // texts that filters return are marked with an object of their own
  return value instanceof String ? value.toString() : pythonText(value);
}

interface NunjucksRuntime {
  memberLookup: typeof lookUp;
  suppressValue: typeof print;
}

function makeEnvironment(): nunjucks.Environment {
  nunjucks.installJinjaCompat();
  const runtime = nunjucks.runtime as unknown as NunjucksRuntime;
  runtime.memberLookup = lookUp;
  runtime.suppressValue = print;
  const environment = new nunjucks.Environment([], { autoescape: false });
  environment.addFilter('tojson', (value: unknown) => JSON.stringify(value ?? null));
  return environment;
}

let environment: nunjucks.Environment | undefined;

/** Whether a text has anything to render; others are passed on as they are. */
export function isTemplate(text: string): boolean {
  return text.includes('{{') || text.includes('{%') || text.includes('{#');
}

/** Whether a template looks at the context, which then has to be read first. */
export function usesContext(text: string): boolean {
  return /\bctx\b/.test(text);
}

/**
 * Renders a template.
 * @param variables what the template may use by name
 * @throws NonRecoverableError naming the line of the mistake
 */
export function renderTemplate(text: string, variables: JsonObject): string {
  if (!isTemplate(text)) {
    return text;
  }
  environment ??= makeEnvironment();
  try {
    const rendered = environment.renderString(text, variables);
    return rendered.endsWith('\n') ? rendered.slice(0, -1) : rendered;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new NonRecoverableError(`The template could not be rendered: ${reason.replace(/\s*\n\s*/g, ' ')}`);
  }
}
