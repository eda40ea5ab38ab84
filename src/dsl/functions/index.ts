export { FUNCTION_NAMES, isFunction, isMapping, parseFunction } from './recognise.ts';
export type { FunctionName, IntrinsicFunction } from './recognise.ts';
export { pythonRepr, pythonText, pythonTypeName } from './python-text.ts';
export type { FunctionPlace, FunctionScope } from './place.ts';
export { planRequirements, validatePlanFunctions } from './validate.ts';
