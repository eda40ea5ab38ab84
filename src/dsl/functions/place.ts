import type { Plan, PlanNode, PlanOperation, PlanRelationship } from '../../domain/plan.ts';

/** The part of a plan a function stands in; it decides what SELF, SOURCE and TARGET may mean. */
export type FunctionScope =
  | 'node_template'
  | 'node_template_relationship'
  | 'outputs'
  | 'policies'
  | 'scaling_groups'
  | 'capabilities'
  | 'labels'
  | 'deployment_settings';

/** Where a function stands in a plan. */
export interface FunctionPlace {
  /** Absent when a payload without node context is evaluated at run time. */
  scope?: FunctionScope;
  /** E.g. `nodes.vm.properties.ip` or `outputs.url.value.concat[1]`. */
  path: string;
  /** The node whose properties, capabilities or operations hold the function; the source node in relationships. */
  node?: PlanNode;
  relationship?: PlanRelationship;
  /** The operation whose inputs hold the function. */
  operation?: PlanOperation;
}

/** The parts of a plan which may hold intrinsic functions, or which functions refer to. */
export type ScannedPlan = Pick<
  Plan,
  'nodes' | 'outputs' | 'policies' | 'scaling_groups' | 'capabilities' | 'labels' | 'deployment_settings'
>;
