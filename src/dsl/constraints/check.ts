import type { Json, JsonObject } from '../../domain/plan.ts';
import { logicError, parsingError } from '../errors.ts';
import type { ObjectBasedType } from '../functions/primitive.ts';
import { isObjectBasedType, matchesPrimitive } from '../functions/primitive.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction } from '../functions/recognise.ts';
import { pythonEquals } from './comparison.ts';
import type { Constraint } from './operators.ts';
import { constraintsOf, filterName, violation } from './operators.ts';

/** An input or parameter whose values are checked. */
export interface ConstrainedSubject {
  name: string;
  type?: string | undefined;
  /** Type of the items, for lists: constraints then hold for every item. */
  itemType?: string | undefined;
  constraints?: readonly JsonObject[] | undefined;
}

/** Finds entities of the manager by their name, for values that must name one. */
export interface EntityLookup {
  /** Where entities that belong to a deployment or blueprint are looked for when the constraints do not say. */
  readonly scope: 'deployment' | 'blueprint' | 'none';
  /**
   * The entities of a type whose name is `value` and which pass the filters.
   *
   * @param filters by operator (`filter_id`, `labels`, `tenants`, `valid_values`, `deployment_id`) or, for names,
   *   `id_specs`, `display_name_specs`, `key_specs`, `type_specs`, `capability_key_specs`,
   *   `scaling_group_name_specs`, `operation_name_specs`
   */
  find(type: ObjectBasedType, value: Json, filters: JsonObject): Promise<readonly Json[]>;
}

/** Types whose entities belong to a deployment or to a blueprint. */
const SCOPED_TYPES: ReadonlySet<string> = new Set(['scaling_group', 'operation_name', 'node_id', 'node_type']);
/** Types whose entities only a deployment has. */
const DEPLOYMENT_TYPES: ReadonlySet<string> = new Set(['capability_value', 'node_instance']);

/**
 * Checks a value against its constraints as far as that is possible without looking anything up.
 *
 * @throws DslError ConstraintException, DSLParsingException 213 or DSLParsingLogicException 105
 */
export function checkPlainConstraints(subject: ConstrainedSubject, value: Json): void {
  const constraints = constraintsOf(subject.constraints ?? []);
  for (const [type, item] of itemsOf(subject, value)) {
    checkPlain(subject.name, type, item, constraints);
  }
}

/**
 * Checks a value against its constraints, and that it names an existing entity when its type says so.
 *
 * @throws DslError ConstraintException, DSLParsingException 213 or DSLParsingLogicException 105
 */
export async function checkConstraints(
  subject: ConstrainedSubject,
  value: Json,
  lookup: EntityLookup | undefined,
): Promise<void> {
  const constraints = constraintsOf(subject.constraints ?? []);
  for (const [type, item] of itemsOf(subject, value)) {
    if (isObjectBasedType(type)) {
      refuseFunction(subject.name, item, constraints);
      await checkExistence(subject.name, type, item, constraints, lookup);
    }
    checkPlain(subject.name, type, item, constraints);
    if (isObjectBasedType(type) && lookup !== undefined) {
      await checkLookups(subject.name, type, item, constraints, lookup);
    }
  }
}

/** The values constraints hold for, with their type: the items of a list with a declared item type, else the value. */
function itemsOf(subject: ConstrainedSubject, value: Json): [string | undefined, Json][] {
  const { name, type, itemType } = subject;
  if (type !== 'list' || itemType === undefined || !Array.isArray(value)) {
    return [[type, value]];
  }
  return value.map((item) => {
    if (!matchesPrimitive(item, itemType)) {
      throw logicError(
        105,
        `Property type validation failed in '${name}': the defined type is '${itemType}', yet it was assigned with ` +
          `the value '${pythonText(item)}'`,
      );
    }
    return [itemType, item];
  });
}

function refuseFunction(name: string, value: Json, constraints: readonly Constraint[]): void {
  if (constraints.length > 0 && isFunction(value)) {
    throw parsingError(
      213,
      `Input value ${pythonText(value)}, of input ${name}, cannot contain an intrinsic function and also have ` +
        'constraints.',
    );
  }
}

function checkPlain(name: string, type: string | undefined, value: Json, constraints: readonly Constraint[]): void {
  refuseFunction(name, value, constraints);
  for (const constraint of constraints) {
    const { operator, argument } = constraint;
    const isLookup =
      operator.complies === undefined || (type !== undefined && operator.lookupTypes?.has(type) === true);
    if (isLookup) {
      if (type === undefined || operator.lookupTypes?.has(type) !== true) {
        throw violation(`'${constraint.name}' constraint is not defined for '${type ?? 'None'}' data types`);
      }
    } else if (!isFunction(argument) && operator.complies?.(value, argument) === false) {
      throw violation(
        constraint.errorMessage === undefined
          ? `Value ${pythonText(value)} of input ${name} violates constraint ${constraintText(constraint)}.`
          : `Value ${pythonText(value)} of input ${name} is invalid. ${constraint.errorMessage}`,
      );
    }
  }
}

async function checkExistence(
  name: string,
  type: ObjectBasedType,
  value: Json,
  constraints: readonly Constraint[],
  lookup: EntityLookup | undefined,
): Promise<void> {
  if (lookup === undefined) {
    throw violation(
      `Input '${name}' of type '${type}' cannot be checked here: there is nothing to look '${type}' up in`,
    );
  }
  const namesDeployment = constraints.some((constraint) => constraint.name === 'deployment_id');
  const isInDeployment = lookup.scope === 'deployment' || namesDeployment;
  if (SCOPED_TYPES.has(type) && !isInDeployment && lookup.scope !== 'blueprint') {
    throw violation(`Input '${name}' of type '${type}' lacks 'blueprint_id' or 'deployment_id' constraint.`);
  }
  if (DEPLOYMENT_TYPES.has(type) && !isInDeployment) {
    throw violation(`Input '${name}' of type '${type}' lacks 'deployment_id' constraint.`);
  }
  const isAlwaysLookedUp = !SCOPED_TYPES.has(type) && !DEPLOYMENT_TYPES.has(type);
  if (isAlwaysLookedUp || (lookup.scope === 'deployment' && !namesDeployment)) {
    const found = await lookup.find(type, value, {});
    if (!found.some((entity) => pythonEquals(entity, value))) {
      throw violation(`Value '${pythonText(value)}' of '${name}' is not a valid value for data type '${type}'.`);
    }
  }
}

async function checkLookups(
  name: string,
  type: ObjectBasedType,
  value: Json,
  constraints: readonly Constraint[],
  lookup: EntityLookup,
): Promise<void> {
  const filtering = constraints.filter(({ operator }) => operator.lookupTypes?.has(type) === true);
  if (filtering.length === 0 && !DEPLOYMENT_TYPES.has(type)) {
    return;
  }
  const filters = Object.fromEntries(
    filtering.map(({ name: operator, argument }) => [filterName(operator, type), argument]),
  );
  const found = await lookup.find(type, value, filters);
  if (!found.some((entity) => pythonEquals(entity, value))) {
    throw violation(
      `Value '${pythonText(value)}' of input '${name}' does not match any relevant entity or violates at least one of ` +
        `the constraints: ${filtering.map(constraintText).join(', ')}.`,
    );
  }
}

function constraintText({ name, argument }: Constraint): string {
  return `${name}(${Array.isArray(argument) ? argument.map(pythonText).join(', ') : pythonText(argument)}) operator`;
}
