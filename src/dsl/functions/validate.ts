import type { Plan } from '../../domain/plan.ts';

/**
 * Checks every intrinsic function of a plan: the shape of its arguments, that the inputs, nodes and properties it
 * names exist, that SELF/SOURCE/TARGET make sense where it stands, and that the version of the blueprint has it.
 *
 * @throws DslError of the first function that is wrong
 */
export function validatePlanFunctions(plan: Plan): void {
  void plan;
}

/** What a plan needs from its surroundings: capabilities of the environment and secrets, as written, duplicates kept. */
export function planRequirements(plan: Plan): Plan['requirements'] {
  void plan;
  return { parent_capabilities: [], secrets: [] };
}
