import { DslError } from '../errors.ts';

/** A function could not be evaluated. */
export function evaluationError(functionName: string, message: string): DslError {
  return new DslError('FunctionEvaluationError', `Unable to evaluate ${functionName} function: ${message}`);
}

/** A function is written wrongly. */
export function validationError(functionName: string, message: string): DslError {
  return new DslError('FunctionValidationError', `Unable to validate ${functionName} function: ${message}`);
}

/** The arguments of a function have the wrong shape, or a keyword stands where it means nothing. */
export function argumentError(message: string): DslError {
  return new DslError('ValueError', message);
}

/** Something a function names does not exist. */
export function missingReference(message: string): DslError {
  return new DslError('KeyError', message);
}

/** Evaluation goes round in circles or too deep. */
export function recursionError(message: string): DslError {
  return new DslError('EvaluationRecursionLimitReached', message);
}
