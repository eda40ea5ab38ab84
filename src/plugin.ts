/**
 * The types of `gantry/plugin`: what authors of plugins import. A plugin needs nothing of the program when it runs; its
 * functions are given a context, and errors are told apart by their names.
 */
export type {
  PluginContext,
  PluginEndpoint,
  PluginInstance,
  PluginLogger,
  PluginNode,
  PluginOperation,
  RuntimeProperties,
} from './runtime/sdk.ts';
export type {
  GraphOptions,
  InstanceFilter,
  LifecycleOptions,
  OperationOptions,
  RelationshipInstance,
  Workflow,
  WorkflowContext,
  WorkflowGraph,
  WorkflowLifecycle,
  WorkflowLogger,
  WorkflowSequence,
  WorkflowStep,
  WorkflowTask,
} from './runtime/workflow-sdk.ts';
export type { Json, JsonObject } from './domain/plan.ts';
export type { Node, NodeInstance, NodeRelationship, ScalingGroup, Topology } from './domain/topology.ts';
