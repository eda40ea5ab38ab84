export type { Consumer, EvaluationNode, EvaluationNodeInstance, SystemFacts } from './data.ts';
export type { FunctionPlace, FunctionScope } from './place.ts';
export { isObjectBasedType, matchesPrimitive, OBJECT_BASED_TYPES } from './primitive.ts';
export type { ObjectBasedType } from './primitive.ts';
export { FUNCTION_NAMES, isFunction, isMapping, parseFunction } from './recognise.ts';
export type { FunctionName, IntrinsicFunction } from './recognise.ts';
export {
  evaluateCapabilities,
  evaluateFunctions,
  evaluateInstanceFunctions,
  evaluateNodeFunctions,
  evaluateOutputs,
} from './runtime.ts';
export type { Declared, PayloadContext } from './runtime.ts';
export type { CapabilityOwner, EvaluationStorage } from './storage.ts';
export { findWrongFunctions, planRequirements, validatePlanFunctions } from './validate.ts';
