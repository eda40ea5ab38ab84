import type { Plan, PropertySchema } from '../../domain/plan.ts';
import { Problems } from '../problems.ts';
import type { ConstrainedSubject } from './check.ts';
import { checkPlainConstraints } from './check.ts';

/** The part of an input's schema that constrains its values. */
export function subjectOf(name: string, schema: PropertySchema): ConstrainedSubject {
  return { name, type: schema.type, itemType: schema.item_type, constraints: schema.constraints };
}

/**
 * Checks the default of every input against the input's own constraints; lookups of existing entities are left to the
 * creation of a deployment.
 *
 * @param problems takes every default that is wrong
 */
export function findWrongDefaults(inputs: Plan['inputs'], problems: Problems): void {
  for (const [name, schema] of Object.entries(inputs)) {
    const value = schema.default;
    if (value !== undefined && !problems.isBroken('inputs', name)) {
      problems.attempt(['inputs', name, 'default'], () => checkPlainConstraints(subjectOf(name, schema), value));
    }
  }
}

/**
 * Checks the default of every input, see {@link findWrongDefaults}.
 *
 * @throws DslError ConstraintException, DSLParsingException 213, DSLParsingLogicException 105; the first one, with the
 *   others attached
 */
export function validateInputDefaults(inputs: Plan['inputs']): void {
  const problems = new Problems();
  findWrongDefaults(inputs, problems);
  problems.throwIfAny();
}
