import type { DeploymentPlan, JsonObject, Plan } from '../../../src/domain/plan.ts';
import { prepareDeploymentPlan } from '../../../src/dsl/prepare/index.ts';
import { expandPlan } from '../../../src/topology/index.ts';
import { seededRandom } from './random.ts';

/** The input of a recorded preparation, without the plan itself. */
export interface PrepareInput {
  inputs?: JsonObject | null;
  runtime_only_evaluation?: boolean;
  auto_correct_types?: boolean;
  existing_ni_ids?: Record<string, string[]> | null;
  secrets?: Record<string, 'found' | 'missing'> | null;
  /** `instances`: only expand the node instances. */
  only?: 'instances';
}

/** Prepares a plan as it was recorded. */
export async function prepareVector(plan: Plan, input: PrepareInput): Promise<DeploymentPlan> {
  const taken = new Map(Object.entries(input.existing_ni_ids ?? {}));
  const expand = (copy: Pick<Plan, 'nodes' | 'scaling_groups'>) => expandPlan(copy, seededRandom(1), taken);
  if (input.only === 'instances') {
    return { ...plan, node_instances: expand(plan) } as unknown as DeploymentPlan;
  }
  const { secrets } = input;
  return prepareDeploymentPlan(plan, {
    inputs: input.inputs ?? {},
    isRuntimeOnly: input.runtime_only_evaluation,
    correctsTypes: input.auto_correct_types,
    secrets:
      secrets === null || secrets === undefined
        ? undefined
        : { missing: (names) => Promise.resolve(names.filter((name) => secrets[name] === 'missing')) },
    expand,
  });
}
