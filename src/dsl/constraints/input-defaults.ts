import type { Plan, PropertySchema } from '../../domain/plan.ts';
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
 * @throws DslError ConstraintException, DSLParsingException 213, DSLParsingLogicException 105
 */
export function validateInputDefaults(inputs: Plan['inputs']): void {
  for (const [name, schema] of Object.entries(inputs)) {
    if (schema.default !== undefined) {
      checkPlainConstraints(subjectOf(name, schema), schema.default);
    }
  }
}
