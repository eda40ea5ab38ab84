import type { Json, JsonObject, Plan } from '../../domain/plan.ts';
import type { EvaluationStorage } from '../functions/index.ts';
import { evaluateFunctions, isFunction } from '../functions/index.ts';

/**
 * Evaluates functions in the constraints of inputs, against the deployment that is being created; defaults stay as
 * they are.
 *
 * @returns the inputs, with values in place of the functions
 * @throws DslError when a function fails
 */
export async function evaluateConstraintArguments(
  inputs: Plan['inputs'],
  storage: EvaluationStorage,
): Promise<Plan['inputs']> {
  const dynamic: JsonObject = {};
  for (const [name, { constraints }] of Object.entries(inputs)) {
    if (constraints?.some((constraint) => Object.values(constraint).some(isFunction)) === true) {
      dynamic[name] = constraints;
    }
  }
  if (Object.keys(dynamic).length === 0) {
    return inputs;
  }
  const evaluated = await evaluateFunctions(dynamic, {}, storage, 'inputs');
  return Object.fromEntries(
    Object.entries(inputs).map(([name, schema]) => {
      const constraints: Json | undefined = evaluated[name];
      return [name, constraints === undefined ? schema : { ...schema, constraints: constraints as JsonObject[] }];
    }),
  );
}
