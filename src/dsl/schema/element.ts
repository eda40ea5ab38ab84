import type { Path } from '../errors.ts';
import type { Version } from '../versions.ts';

/** Kinds of values as messages name them; `number` is `integer` or `float`. */
export type ValueType = 'string' | 'boolean' | 'integer' | 'float' | 'list' | 'dict';

/** What a {@link Element.check} may look at besides the value. */
export interface CheckContext {
  readonly path: Path;
  /** The mapping that holds the value. */
  readonly parent: Readonly<Record<string, unknown>> | undefined;
  /** Version of the main blueprint; undefined when constructs are not judged by version. */
  readonly version: Version | undefined;
}

/** A value that is not looked into. */
export interface LeafSchema {
  readonly kind: 'leaf';
  readonly types: readonly ValueType[];
}

/** A mapping with names chosen by the author. */
export interface DictSchema {
  readonly kind: 'dict';
  readonly of: Element;
  /** Whether its keys are names that a namespace prefixes. */
  readonly hasNames: boolean;
}

export interface ListSchema {
  readonly kind: 'list';
  readonly of: Element;
}

/** A mapping with fixed keys. */
export interface FieldsSchema {
  readonly kind: 'fields';
  readonly fields: Readonly<Record<string, Element>>;
}

export type Schema = LeafSchema | DictSchema | ListSchema | FieldsSchema;

/** One construct of the language. The tables of elements drive validation, namespaces and the editors' JSON Schema. */
export interface Element {
  /** More than one = any of these. */
  readonly schemas: readonly Schema[];
  /** One sentence for editors. */
  readonly about?: string;
  readonly isRequired?: boolean;
  /** First version that has the construct. */
  readonly since?: Version;
  /** Whether its text is the name of something else, so that a namespace prefixes it. */
  readonly isReference?: boolean;
  /** Values the text may have, for editors; a {@link check} enforces them. */
  readonly choices?: readonly string[];
  /** A rule beyond shape, for a present, well-formed value. @throws DslError */
  readonly check?: (value: never, context: CheckContext) => void;
}

type Options = Omit<Element, 'schemas'>;

export function leaf(types: readonly ValueType[], options: Options = {}): Element {
  return { ...options, schemas: [{ kind: 'leaf', types }] };
}

export function text(options: Options = {}): Element {
  return leaf(['string'], options);
}

/** Text that names another element of the blueprint. */
export function reference(options: Options = {}): Element {
  return leaf(['string'], { ...options, isReference: true });
}

export function bool(options: Options = {}): Element {
  return leaf(['boolean'], options);
}

export function integer(options: Options = {}): Element {
  return leaf(['integer'], options);
}

export function number(options: Options = {}): Element {
  return leaf(['integer', 'float'], options);
}

/** A mapping that is not looked into. */
export function mapping(options: Options = {}): Element {
  return leaf(['dict'], options);
}

/** Any value but null. */
export function anything(options: Options = {}): Element {
  return leaf(['list', 'boolean', 'integer', 'float', 'string', 'dict'], options);
}

/** A mapping whose keys belong to where they stand: property names, operations, inputs. */
export function dictOf(of: Element, options: Options = {}): Element {
  return { ...options, schemas: [{ kind: 'dict', of, hasNames: false }] };
}

/** A mapping whose keys are names that can be referred to from elsewhere. */
export function namesOf(of: Element, options: Options = {}): Element {
  return { ...options, schemas: [{ kind: 'dict', of, hasNames: true }] };
}

export function listOf(of: Element, options: Options = {}): Element {
  return { ...options, schemas: [{ kind: 'list', of }] };
}

export function fields(table: Readonly<Record<string, Element>>, options: Options = {}): Element {
  return { ...options, schemas: [{ kind: 'fields', fields: table }] };
}

/** Either of two elements' shapes; the options are those of the whole. */
export function either(first: Element, second: Element, options: Options = {}): Element {
  return { ...options, schemas: [...first.schemas, ...second.schemas] };
}

/** The kind of a value as messages name it. */
export function typeNameOf(value: unknown): string {
  if (value === null || value === undefined) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'list';
  }
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'float';
    default:
      return 'dict';
  }
}

/** Whether a value is of a kind. A boolean passes for an integer, as it always did in blueprints. */
export function isOfType(value: unknown, type: ValueType): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value) || typeof value === 'boolean';
    case 'float':
      return typeof value === 'number';
    default:
      return typeNameOf(value) === type;
  }
}

/** True for mappings: not null, not lists. */
export function isDict(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
