export type { Modification, ModificationKind, ModifiedInstance } from './difference.ts';
export { expandPlan, expandTopology } from './expand.ts';
export { groupsOfPlan, nodesOfDeployment, nodesOfPlan, planInstances } from './from-plan.ts';
export type { TopologyGroup, TopologyNode, TopologyRelationship } from './graph.ts';
export type { TopologyInstance } from './instance-tree.ts';
export { modifyTopology } from './modify.ts';
export type { CountChange, ModifyRequest } from './modify.ts';
export type { PreviousInstance } from './previous.ts';
export {
  changedNodes,
  instanceChangesOf,
  nodeChangesOf,
  nodesWithChangedRelationships,
  pluginChangesOf,
} from './update/changes.ts';
export type { InstanceChanges, NodeAttribute, NodeChanges, PluginChanges } from './update/changes.ts';
export { extractSteps } from './update/extract-steps.ts';
export type { UpdatedDeployment } from './update/extract-steps.ts';
export { inputsForUpdate, planForUpdate } from './update/plan-for-update.ts';
export {
  extendRelationships,
  nodeRelationshipOf,
  pluginsDuringUpdate,
  relationshipsDuringUpdate,
  settleRelationships,
} from './update/relationships.ts';
export type { InstanceRelationships } from './update/relationships.ts';
export type { StepAction, StepEntity, UpdateStep, UpdateSteps } from './update/step.ts';
export { modifiedEntities, updateWorkflowParameters } from './update/workflow-parameters.ts';
export type { UpdateFlags } from './update/workflow-parameters.ts';
export { havePluginsChanged, versionRulesOf } from './plugin-choice.ts';
export type { PluginChoice, PluginMapping, PluginVersionRules } from './plugin-choice.ts';
