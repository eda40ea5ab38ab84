import type { JsonObject, PlanWorkflow } from '../../domain/plan.ts';

/** A workflow of a deployment with its name and whether it can be started now. */
export interface WorkflowView extends PlanWorkflow {
  readonly name: string;
  readonly isAvailable: boolean;
}

/** A workflow on the wire. */
export function shapeWorkflow(workflow: WorkflowView): JsonObject {
  return {
    name: workflow.name,
    plugin: workflow.plugin,
    operation: workflow.operation,
    parameters: workflow.parameters as unknown as JsonObject,
    is_cascading: workflow.is_cascading,
    is_available: workflow.isAvailable,
    availability_rules: workflow.availability_rules,
  };
}
