import type { Json, JsonObject } from '../../domain/plan.ts';
import type { FunctionDefinition } from './definition.ts';
import { argumentError, evaluationError, validationError } from './errors.ts';
import { setKey } from './mapping.ts';
import type { FunctionPlace } from './place.ts';
import type { PlanReader } from './plan-reader.ts';
import { pythonText } from '../../domain/python-text.ts';
import type { IntrinsicFunction } from './recognise.ts';
import { isFunction, isMapping } from './recognise.ts';

/** `{concat: [item, ...]}`: the texts of the items, one after the other. */
export const concat: FunctionDefinition = {
  evaluation: 'hybrid',
  checkShape: checkList,

  validate({ name }, place, plan) {
    checkVersion(name, 1, place, plan);
  },

  evaluate({ argument }, context) {
    const items = argument as Json[];
    if (items.some(isFunction)) {
      return undefined;
    }
    return { value: items.map(pythonText).join(''), context };
  },
};

/** `{merge: [mapping, ...]}`: one mapping of all keys; of equal keys the later one counts. */
export const merge: FunctionDefinition = {
  evaluation: 'hybrid',
  checkShape: checkList,

  validate({ name, argument }, place, plan) {
    checkVersion(name, 3, place, plan);
    const wrong = (argument as Json[]).find((item) => !isMapping(item));
    if (wrong !== undefined) {
      throw validationError(name, nonMapping(wrong));
    }
  },

  evaluate({ name, argument }, context) {
    const items = argument as Json[];
    if (items.some(isFunction)) {
      return undefined;
    }
    const value: JsonObject = {};
    for (const item of items) {
      if (!isMapping(item)) {
        throw evaluationError(name, nonMapping(item));
      }
      for (const key of Object.keys(item)) {
        setKey(value, key, item[key] as Json);
      }
    }
    return { value, context };
  },
};

function checkList({ name, argument }: IntrinsicFunction): void {
  if (Array.isArray(argument)) {
    return;
  }
  throw argumentError(
    `Illegal arguments passed to ${name} function. Expected: [item\\function, item\\function, ...] but got: ` +
      `${pythonText(argument)}.`,
  );
}

function nonMapping(item: Json): string {
  return `Encountered non-dict element for merge: ${pythonText(item)}`;
}

function checkVersion(name: string, minor: number, place: FunctionPlace, plan: PlanReader): void {
  const [major = 1, current = 0] = plan.version.definitions_version;
  if (major > 1 || current >= minor) {
    return;
  }
  throw validationError(
    name,
    `Using ${name} requires using dsl version 1_${String(minor)} or greater, but found: ${plan.version.raw} in ` +
      `${place.path}.`,
  );
}
