export type { Modification, ModificationKind, ModifiedInstance } from './difference.ts';
export { expandPlan, expandTopology } from './expand.ts';
export { groupsOfPlan, nodesOfDeployment, nodesOfPlan } from './from-plan.ts';
export type { TopologyGroup, TopologyNode, TopologyRelationship } from './graph.ts';
export type { TopologyInstance } from './instance-tree.ts';
export { modifyTopology } from './modify.ts';
export type { CountChange, ModifyRequest } from './modify.ts';
export type { PreviousInstance } from './previous.ts';
