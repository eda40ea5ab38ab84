import type { DeploymentPlan, JsonObject, Plan, PlanNodeInstance } from '../../domain/plan.ts';
import type { EntityLookup } from '../constraints/index.ts';
import type { EvaluationStorage } from '../functions/index.ts';
import { copyScannedParts, evaluatePlan } from '../functions/static.ts';
import { evaluateConstraintArguments } from './constraint-arguments.ts';
import { findInterDeploymentFunctions } from './dependencies.ts';
import { prepareInputs } from './inputs.ts';
import type { SecretCheck } from './secrets.ts';
import { checkSecrets } from './secrets.ts';

/** What a plan is prepared with. */
export interface PrepareOptions {
  /** Values for the inputs of the blueprint. */
  inputs?: JsonObject | undefined;
  /** Leave all functions to be evaluated when they are used, with the inputs of that time. */
  isRuntimeOnly?: boolean | undefined;
  /** Turn text into the number or boolean an input asks for. */
  correctsTypes?: boolean | undefined;
  /** Finds entities that inputs of types such as `deployment_id` name; without it such inputs are refused. */
  lookup?: EntityLookup | undefined;
  /** Facts for functions in the constraints of inputs; without them such constraints are not checked. */
  storage?: EvaluationStorage | undefined;
  /** Without it, plans that read secrets are refused. */
  secrets?: SecretCheck | undefined;
  /** Creates the node instances: see `expandPlan` of the topology. */
  expand: (plan: Pick<Plan, 'nodes' | 'scaling_groups'>) => PlanNodeInstance[];
}

/**
 * Makes a deployment plan of a blueprint's plan: applies inputs, evaluates the functions that need no running
 * deployment, checks secrets, creates node instances and lists the functions that depend on other deployments.
 *
 * @param plan not changed; parts that stay the same are shared with the result, which is to be treated as read-only
 * @throws DslError when inputs, functions, secrets or the topology are wrong
 */
export async function prepareDeploymentPlan(plan: Plan, options: PrepareOptions): Promise<DeploymentPlan> {
  const {
    inputs: given = {},
    isRuntimeOnly = false,
    correctsTypes = false,
    lookup,
    storage,
    secrets,
    expand,
  } = options;
  const declared = storage === undefined ? plan.inputs : await evaluateConstraintArguments(plan.inputs, storage);
  const inputs = await prepareInputs({ ...plan, inputs: declared }, given, { lookup, correctsTypes });
  const copy = copyScannedParts(plan);
  evaluatePlan(copy, inputs, { isRuntimeOnly });
  await checkSecrets(copy, secrets);
  const instances = expand(copy);
  return {
    ...copy,
    inputs,
    node_instances: instances,
    inter_deployment_functions: findInterDeploymentFunctions(copy, instances),
  };
}
