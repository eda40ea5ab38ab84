/** What a step of an update does to an entity of a deployment. */
export type StepAction = 'remove' | 'add' | 'modify';

export type StepEntity =
  'description' | 'node' | 'property' | 'operation' | 'relationship' | 'plugin' | 'output' | 'workflow' | 'group';

/** One difference between a deployment and the plan it is updated to. */
export interface UpdateStep {
  action: StepAction;
  entityType: StepEntity;
  /** Where the entity is, e.g. `['nodes', 'vm', 'relationships', '0', 'source_operations', 'a.b']`. */
  entityId: string[];
  /** For added nodes: their place in an order in which each comes before the added nodes it relates to. */
  topologyOrder: number;
}

/** The differences an update can apply, in the order it applies them, and those it cannot. */
export interface UpdateSteps {
  supported: UpdateStep[];
  unsupported: UpdateStep[];
}
