import type { Json, JsonObject } from '../../domain/plan.ts';
import { pythonRepr, pythonText } from '../../domain/python-text.ts';
import { isJsonObject } from '../session/paths.ts';
import { CtxError, CtxFunction, CtxMapping, CtxObject, ReadOnlyMapping } from './values.ts';
import type { Caller, CtxValue } from './values.ts';

/**
 * Evaluates the arguments of a `ctx` call, left to right: an argument names an attribute of what the ones before it led
 * to, or a path in a mapping (with one more argument: the value to set), or it is the first argument of a function.
 * Compatibility: argument evaluation of Cloudify's ctx proxy.
 * @throws CtxError with the texts that wrappers look for; whatever the called function throws
 */
export async function evaluateCtx(root: CtxObject, args: readonly Json[], caller: Caller): Promise<Json> {
  let current: CtxValue = root;
  for (const [position, arg] of args.entries()) {
    const next: (() => CtxValue | Promise<CtxValue>) | undefined = attributeOf(current, arg);
    if (next !== undefined) {
      current = await next();
      continue;
    }
    const rest = args.slice(position);
    if (current instanceof CtxFunction) {
      return plain(await callFunction(current, rest, caller));
    }
    if (current instanceof CtxMapping) {
      return accessMapping(current, rest);
    }
    if (isJsonObject(current) && !(current instanceof CtxObject)) {
      return accessMapping(new ReadOnlyMapping(current), rest);
    }
    throw new CtxError(`${pythonText(arg)} cannot be processed in ${pythonRepr(args)}`);
  }
  return plain(current instanceof CtxFunction ? await callFunction(current, [], caller) : current);
}

function attributeOf(current: CtxValue, arg: Json): (() => CtxValue | Promise<CtxValue>) | undefined {
  if (typeof arg !== 'string') {
    return undefined;
  }
  if (current instanceof CtxObject) {
    return current.attribute(arg);
  }
  if (current instanceof CtxMapping) {
    const method = current.method(arg);
    return method === undefined ? undefined : () => method;
  }
  return undefined;
}

function accessMapping(mapping: CtxMapping, [path, value, ...more]: readonly Json[]): Json {
  if (more.length > 0) {
    throw new CtxError('Illegal argument while accessing dict');
  }
  if (value === undefined) {
    return mapping.read(pythonText(path));
  }
  mapping.write(pythonText(path), value);
  return null;
}

function callFunction(target: CtxFunction, args: readonly Json[], caller: Caller): CtxValue | Promise<CtxValue> {
  const last = args.at(-1);
  const named: JsonObject = isJsonObject(last) ? last : {};
  return target.call(isJsonObject(last) ? args.slice(0, -1) : args, named, caller);
}

function plain(value: CtxValue): Json {
  if (value instanceof CtxMapping) {
    return value.toJSON();
  }
  if (value instanceof CtxObject || value instanceof CtxFunction) {
    const typeName = value instanceof CtxObject ? value.typeName : 'function';
    throw new CtxError(`Object of type ${typeName} is not JSON serializable`, 'TypeError');
  }
  return value;
}
