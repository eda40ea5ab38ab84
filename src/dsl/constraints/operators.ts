import type { Json, JsonObject } from '../../domain/plan.ts';
import type { ObjectBasedType } from '../functions/primitive.ts';
import { pythonTypeName } from '../../domain/python-text.ts';
import { isMapping } from '../functions/recognise.ts';
import { DslError } from '../errors.ts';
import { pythonCompare, pythonEquals } from './comparison.ts';
import { compilePattern } from './python-pattern.ts';

/** One operator of the constraints of inputs and parameters. */
export interface Operator {
  /** Whether the argument is of the operator's kind. */
  accepts(argument: Json): boolean;
  /**
   * Whether a value complies. Absent for operators that compare with what exists on the manager.
   *
   * @throws DslError ConstraintException when the value is of a kind the operator knows nothing about
   */
  complies?: (value: Json, argument: Json) => boolean;
  /** The types for which the operator is answered by looking up existing entities. */
  lookupTypes?: ReadonlySet<string>;
}

const SCOPED_TYPES: ReadonlySet<string> = new Set<ObjectBasedType>([
  'capability_value',
  'scaling_group',
  'node_id',
  'node_type',
  'node_instance',
  'operation_name',
]);
const RESOURCE_TYPES: ReadonlySet<string> = new Set<ObjectBasedType>(['deployment_id', 'blueprint_id']);
const NAMED_TYPES: ReadonlySet<string> = new Set<string>([...RESOURCE_TYPES, ...SCOPED_TYPES, 'secret_key']);

const isNumber = (argument: Json): boolean => typeof argument === 'number';
const isText = (argument: Json): boolean => typeof argument === 'string';

const comparison = (holds: (order: number) => boolean): Operator => ({
  accepts: isNumber,
  complies: (value, argument) => holds(order(value, argument, argument)),
});

const ofLength = (holds: (length: number, argument: number) => boolean): Operator => ({
  accepts: isNumber,
  complies: (value, argument) => holds(lengthOf(value), argument as number),
});

/** The operators, in the order messages list them. */
export const OPERATORS: { readonly [name: string]: Operator } = {
  equal: { accepts: isNumber, complies: pythonEquals },
  greater_than: comparison((sign) => sign > 0),
  greater_or_equal: comparison((sign) => sign >= 0),
  less_than: comparison((sign) => sign < 0),
  less_or_equal: comparison((sign) => sign <= 0),
  in_range: {
    accepts: (argument) => Array.isArray(argument) && argument.length === 2 && argument.every(isNumber),
    complies: (value, argument) => {
      const [least, most] = argument as [Json, Json];
      return order(value, least, argument) >= 0 && order(value, most, argument) <= 0;
    },
  },
  valid_values: {
    accepts: Array.isArray,
    complies: (value, argument) => (argument as Json[]).some((item) => pythonEquals(item, value)),
    lookupTypes: SCOPED_TYPES,
  },
  length: ofLength((length, argument) => length === argument),
  min_length: ofLength((length, argument) => length >= argument),
  max_length: ofLength((length, argument) => length <= argument),
  pattern: {
    accepts: (argument) => typeof argument === 'string' && compilePattern(argument) !== undefined,
    complies: (value, argument) => {
      if (typeof value !== 'string') {
        throw violation(`Value must be of type string, got type '${pythonTypeName(value)}'`);
      }
      return compilePattern(argument as string, 'start')?.test(value) ?? false;
    },
  },
  filter_id: { accepts: isText, lookupTypes: RESOURCE_TYPES },
  labels: { accepts: Array.isArray, lookupTypes: RESOURCE_TYPES },
  tenants: { accepts: Array.isArray, lookupTypes: RESOURCE_TYPES },
  name_pattern: { accepts: isMapping, lookupTypes: NAMED_TYPES },
  deployment_id: { accepts: isText, lookupTypes: SCOPED_TYPES },
};

const NAME_FILTERS: { readonly [type in ObjectBasedType]: string } = {
  blueprint_id: 'id_specs',
  node_id: 'id_specs',
  node_instance: 'id_specs',
  deployment_id: 'display_name_specs',
  secret_key: 'key_specs',
  node_type: 'type_specs',
  capability_value: 'capability_key_specs',
  scaling_group: 'scaling_group_name_specs',
  operation_name: 'operation_name_specs',
};

/** The name under which a look-up of entities takes the argument of an operator. */
export function filterName(operator: string, type: ObjectBasedType): string {
  return operator === 'name_pattern' ? NAME_FILTERS[type] : operator;
}

/** An operator and its argument, out of one item of a `constraints` list. */
export interface Constraint {
  name: string;
  operator: Operator;
  argument: Json;
  errorMessage: string | undefined;
}

/** Takes the items of a checked `constraints` list apart; an item may hold several operators, all of which count. */
export function constraintsOf(items: readonly JsonObject[]): Constraint[] {
  return items.flatMap((item) => {
    const errorMessage = item['error_message'];
    return Object.entries(item).flatMap(([name, argument]) => {
      const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
      if (operator === undefined) {
        return [];
      }
      return [{ name, operator, argument, errorMessage: typeof errorMessage === 'string' ? errorMessage : undefined }];
    });
  });
}

/** A value does not comply, or cannot be checked. */
export function violation(message: string): DslError {
  return new DslError('ConstraintException', message);
}

function order(value: Json, bound: Json, argument: Json): number {
  const sign = pythonCompare(value, bound);
  if (sign === undefined) {
    throw violation(
      `Value is not comparable, the Constraint argument type  is '${pythonTypeName(argument)}' but value type is ` +
        `'${pythonTypeName(value)}'.`,
    );
  }
  return sign;
}

function lengthOf(value: Json): number {
  if (typeof value === 'string') {
    return [...value].length;
  }
  if (Array.isArray(value)) {
    return value.length;
  }
  if (isMapping(value)) {
    return Object.keys(value).length;
  }
  throw violation(`Value's length could not be computed. Value type is '${pythonTypeName(value)}'.`);
}
