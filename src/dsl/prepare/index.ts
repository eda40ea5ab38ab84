export { evaluateConstraintArguments } from './constraint-arguments.ts';
export { prepareInputs } from './inputs.ts';
export { prepareDeploymentPlan } from './prepare.ts';
export type { PrepareOptions } from './prepare.ts';
export type { SecretCheck } from './secrets.ts';
