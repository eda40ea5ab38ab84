import { logicError } from '../errors.ts';
import { isFunction } from '../functions/index.ts';
import { fields, leaf } from './element.ts';
import type { CheckContext, Element } from './element.ts';

export const unboundedInstances = -1;
export const unboundedText = 'UNBOUNDED';
export const defaultScale = { min_instances: 0, max_instances: unboundedInstances, default_instances: 1 };

function checkCount(value: unknown, { path }: CheckContext): void {
  const name = String(path.at(-1));
  if (typeof value === 'object') {
    if (!isFunction(value)) {
      throw logicError(210, `${name} should be a valid intrinsic function or a value.`, { path });
    }
  } else if (typeof value === 'number' && value < 0) {
    throw logicError(207, `${name} should be a non negative value.`, { path });
  }
}

function checkMaximum(value: unknown, context: CheckContext): void {
  const { path } = context;
  if (typeof value === 'string') {
    if (value !== unboundedText) {
      throw logicError(208, `The only valid string for max_instances is ${unboundedText}.`, { path });
    }
  } else if (typeof value === 'object') {
    checkCount(value, context);
  } else if (Number(value) < 1 && value !== unboundedInstances) {
    throw logicError(207, 'max_instances should be a positive value.', { path });
  }
}

function checkOrder(value: Record<string, unknown>, { path }: CheckContext): void {
  const given = { ...defaultScale, ...Object.fromEntries(Object.entries(value).filter(([, item]) => item !== null)) };
  const number = (item: unknown): number | undefined => (typeof item === 'object' ? undefined : Number(item));
  const minimum = number(given.min_instances);
  const initial = number(given.default_instances);
  const maximum = (given.max_instances as unknown) === unboundedText ? unboundedInstances : number(given.max_instances);
  const refuse = (left: string, a: number, relation: string, right: string, b: number): never => {
    throw logicError(207, `${left} (${String(a)}) cannot be ${relation} than ${right} (${String(b)})`, { path });
  };
  if (minimum !== undefined && initial !== undefined && initial < minimum) {
    refuse('default_instances', initial, 'smaller', 'min_instances', minimum);
  }
  if (maximum === undefined || maximum === unboundedInstances) {
    return;
  }
  if (minimum !== undefined && minimum > maximum) {
    refuse('min_instances', minimum, 'greater', 'max_instances', maximum);
  }
  if (initial !== undefined && initial > maximum) {
    refuse('default_instances', initial, 'greater', 'max_instances', maximum);
  }
}

/** How many instances a node or a scaling group may have. */
export const scalableProperties: Element = fields(
  {
    min_instances: leaf(['integer', 'dict'], { check: checkCount, about: 'Fewest instances. Default 0.' }),
    max_instances: leaf(['integer', 'string', 'dict'], {
      check: checkMaximum,
      about: 'Most instances; -1 or UNBOUNDED = no limit, the default.',
    }),
    default_instances: leaf(['integer', 'dict'], { check: checkCount, about: 'Instances at first. Default 1.' }),
  },
  { check: checkOrder },
);
