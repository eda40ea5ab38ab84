import type { JsonObject, PlanWorkflow } from '../../domain/plan.ts';
import type { FieldType } from './field.ts';

/** A workflow of a deployment with its name and whether it can be started now. */
export interface WorkflowView extends PlanWorkflow {
  readonly name: string;
  readonly isAvailable: boolean;
}

/** Members of a workflow by their type. */
export const workflowMembers = {
  name: 'text',
  plugin: 'text',
  operation: 'text',
  parameters: 'json',
  is_cascading: 'boolean',
  is_available: 'boolean',
  availability_rules: 'json',
} as const satisfies Readonly<Record<string, FieldType>>;

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
