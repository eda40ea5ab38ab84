/** The things that the arguments of a `ctx` call walk over: an attribute of an attribute, a path, a function call. */
import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isJsonObject, readByPath } from '../session/paths.ts';
import type { LiveProperties } from '../session/live-properties.ts';

/** What an attribute leads to. Plain JSON ends the walk, except that mappings can be read by path. */
export type CtxValue = Json | CtxObject | CtxFunction | CtxMapping;

/** An error that clients show with the class name that they expect. */
export class CtxError extends Error {
  override readonly name: string;

  constructor(message: string, name = 'RuntimeError') {
    super(message);
    this.name = name;
  }
}

/** Something with attributes and without a JSON form. Attributes are made when they are asked for. */
export class CtxObject {
  readonly typeName: string;
  readonly #attributes: Readonly<Record<string, () => CtxValue | Promise<CtxValue>>>;

  constructor(typeName: string, attributes: Readonly<Record<string, () => CtxValue | Promise<CtxValue>>>) {
    this.typeName = typeName;
    this.#attributes = attributes;
  }

  /** The attribute of a name, in which dashes stand for underscores. */
  attribute(name: string): (() => CtxValue | Promise<CtxValue>) | undefined {
    const key = name.replaceAll('-', '_');
    return Object.hasOwn(this.#attributes, key) ? this.#attributes[key] : undefined;
  }
}

/** Where a relative path of a caller starts. */
export interface Caller {
  readonly directory: string | undefined;
}

/** Something that can be called with the rest of the arguments; a trailing object gives named arguments. */
export class CtxFunction {
  readonly call: (args: readonly Json[], named: JsonObject, caller: Caller) => CtxValue | Promise<CtxValue>;

  constructor(call: CtxFunction['call']) {
    this.call = call;
  }
}

/** A mapping that is read and written by path. Its methods hide members of the same name, as they do in Python. */
export abstract class CtxMapping {
  abstract toJSON(): JsonObject;
  abstract write(path: string, value: Json): void;
  protected abstract remove(key: string): void;

  read(path: string): Json {
    return readByPath(this.toJSON(), path);
  }

  method(name: string): CtxFunction | undefined {
    switch (name) {
      case 'get':
        return new CtxFunction(([key, fallback]) => this.#member(key) ?? fallback ?? null);
      case 'pop':
        return new CtxFunction(([key, fallback]) => {
          const value = this.#member(key);
          if (value === undefined) {
            if (fallback === undefined) {
              throw new CtxError(`'${pythonText(key)}'`, 'KeyError');
            }
            return fallback;
          }
          this.remove(pythonText(key));
          return value;
        });
      case 'copy':
        return new CtxFunction(() => this.toJSON());
      case 'clear':
        return new CtxFunction(() => {
          for (const key of Object.keys(this.toJSON())) {
            this.remove(key);
          }
          return null;
        });
      case 'update':
        return new CtxFunction((args, named) => {
          for (const [key, value] of Object.entries(isJsonObject(args[0]) ? { ...args[0], ...named } : named)) {
            this.writeKey(key, value);
          }
          return null;
        });
      case 'setdefault':
        return new CtxFunction(([key, value]) => {
          const present = this.#member(key);
          if (present === undefined) {
            this.writeKey(pythonText(key), value ?? null);
          }
          return present ?? value ?? null;
        });
      case 'keys':
        return new CtxFunction(() => Object.keys(this.toJSON()));
      case 'values':
        return new CtxFunction(() => Object.values(this.toJSON()));
      case 'items':
        return new CtxFunction(() => Object.entries(this.toJSON()));
      default:
        return undefined;
    }
  }

  /** Writes a member by its plain name, dots and all. */
  protected abstract writeKey(key: string, value: Json): void;

  #member(key: Json | undefined): Json | undefined {
    const members = this.toJSON();
    return typeof key === 'string' && Object.hasOwn(members, key) ? members[key] : undefined;
  }
}

/** Runtime properties: what is written is saved when the operation has ended. */
export class RuntimePropertiesMapping extends CtxMapping {
  readonly #properties: LiveProperties;

  constructor(properties: LiveProperties) {
    super();
    this.#properties = properties;
  }

  toJSON(): JsonObject {
    return this.#properties.toJSON();
  }

  write(path: string, value: Json): void {
    this.#properties.set(path, value);
  }

  override method(name: string): CtxFunction | undefined {
    if (name === 'dirty') {
      return new CtxFunction(() => this.#properties.isDirty);
    }
    if (name === 'delete') {
      return new CtxFunction(([path]) => this.#properties.delete(pythonText(path)));
    }
    return super.method(name);
  }

  protected override writeKey(key: string, value: Json): void {
    this.#properties.setKey(key, value);
  }

  protected override remove(key: string): void {
    this.#properties.deleteKey(key);
  }
}

/** A mapping that cannot be changed. */
export class ReadOnlyMapping extends CtxMapping {
  readonly #members: JsonObject;

  constructor(members: JsonObject) {
    super();
    this.#members = members;
  }

  toJSON(): JsonObject {
    return this.#members;
  }

  write(): never {
    throw new CtxError('Cannot override read only properties', 'NonRecoverableError');
  }

  protected override writeKey(): never {
    return this.write();
  }

  protected override remove(): never {
    return this.write();
  }
}
