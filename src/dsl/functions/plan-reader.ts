import type { Plan, PlanNode } from '../../domain/plan.ts';

/** A plan with its nodes by name, for the checks of functions. */
export interface PlanReader {
  readonly inputs: { readonly [name: string]: unknown };
  readonly version: Plan['version'];
  node(name: string): PlanNode | undefined;
}

/** Indexes a plan once, so that each look-up of a node is constant time. */
export function readPlan(plan: Pick<Plan, 'inputs' | 'version' | 'nodes'>): PlanReader {
  const nodes = new Map(plan.nodes.map((node) => [node.name, node]));
  return { inputs: plan.inputs, version: plan.version, node: (name) => nodes.get(name) };
}
