import type { Json } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { FunctionDefinition } from './definition.ts';
import { argumentError, evaluationError } from './errors.ts';
import { matchesPrimitive } from './primitive.ts';
import { pythonRepr, pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import { isPathItem, pathText, step } from './walk.ts';

/** An input was used in a way its value does not allow. */
function inputError(message: string): DslError {
  return new DslError('InputEvaluationError', message);
}

/** `{get_input: name}` or `{get_input: [name, key or index, ...]}`, optionally with a sibling `type`. */
export const getInput: FunctionDefinition = {
  evaluation: 'hybrid',

  checkShape({ argument }) {
    const isList = Array.isArray(argument) && argument.length >= 1 && argument.every(isPathItem);
    if (typeof argument === 'string' || isFunction(argument) || isList) {
      return;
    }
    throw argumentError(
      'Illegal argument(s) passed to get_input function. Expected the name of an input, a function, or a list ' +
        `[input name\\function [, key\\index\\function [, ...]]] but got ${pythonText(argument)}`,
    );
  },

  validate({ argument }, _place, plan) {
    const name = Array.isArray(argument) ? (argument[0] as Json) : argument;
    if (isFunction(name) || Object.hasOwn(plan.inputs, pythonText(name))) {
      return;
    }
    throw unknownInput(pythonText(name));
  },

  evaluate({ argument, returnType }, context, evaluation, path) {
    const items = Array.isArray(argument) ? argument : [argument];
    if (items.some(isFunction)) {
      throw evaluationError('get_input', `found an unresolved argument: ${pythonText(argument)}`);
    }
    const name = pathText(items.slice(0, 1));
    const value = walkInput(evaluation.dataOf(context).input(name), items);
    if (returnType !== undefined && returnType !== null && !matchesPrimitive(value, returnType)) {
      throw inputError(
        `Value '${pythonText(value)}' of input '${pythonText(argument)}' does not match data type declared for ` +
          `'${path}': '${pythonText(returnType)}'.`,
      );
    }
    return { value, context, source: evaluation.sourceOf(context, `input ${JSON.stringify(items)}`) };
  },
};

/** The error for an input the blueprint does not declare. */
export function unknownInput(name: string): DslError {
  return new DslError('UnknownInputError', `get_input function references an unknown input '${name}'.`);
}

function walkInput(root: Json, items: readonly Json[]): Json {
  let value = root;
  for (let position = 1; position < items.length; position += 1) {
    const item = items[position] as Json;
    const result = step(value, item);
    if (result.found) {
      value = result.value;
      continue;
    }
    const walked = pathText(items.slice(0, position));
    switch (result.failure.reason) {
      case 'no such key':
        throw inputError(`Input attribute '${pythonText(item)}' of '${walked}', doesn't exist.`);
      case 'not an index':
        throw inputError(
          `Item in index ${String(position)} in the get_input arguments list ${pythonRepr(items)} is expected to be ` +
            `an int but got ${pythonTypeName(item)}.`,
        );
      case 'out of range':
        throw inputError(
          `List size of '${walked}' is ${String(result.failure.size)} but index ${pythonText(item)} is retrieved.`,
        );
      case 'not a container':
        throw evaluationError('get_input', `Object ${walked} has no attribute ${pythonText(item)}`);
    }
  }
  return value;
}
