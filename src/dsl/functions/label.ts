import type { Json } from '../../domain/plan.ts';
import type { FunctionDefinition } from './definition.ts';
import { evaluationError, validationError } from './errors.ts';
import { pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';

const DIGITS = /^\d+$/;

/** `{get_label: key}` for all values of a label of the deployment, `{get_label: [key, index]}` for one of them. */
export const getLabel: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ argument }) {
    if (typeof argument === 'string' || isFunction(argument)) {
      return;
    }
    if (!Array.isArray(argument) || argument.length !== 2) {
      throw validationError(
        'get_label',
        'argument should be a list of 2 elements ([<label-key>, <label-values list index>]), a string (<label-key>), ' +
          `or a dict (a function). Instead, it is a ${pythonTypeName(argument)} with the value: ${pythonText(argument)}.`,
      );
    }
    const [key, index] = argument as [Json, Json];
    if (typeof key !== 'string' && !isFunction(key)) {
      throw validationError(
        'get_label',
        `the <label-key> should be a string or a dict (a function). Instead, it is a ${pythonTypeName(key)} with the ` +
          `value: ${pythonText(key)}.`,
      );
    }
    if (indexOf(index) === undefined) {
      throw validationError(
        'get_label',
        'the <label-values list index> should be a number (in string or int form). Instead, it is a ' +
          `${pythonTypeName(index)} with the value: ${pythonText(index)}.`,
      );
    }
  },

  evaluate({ argument }, context, evaluation) {
    const [key, index] = Array.isArray(argument) ? argument : [argument];
    if (typeof key !== 'string') {
      throw evaluationError('get_label', `the key of a label must be text but is ${pythonText(key)}`);
    }
    const values = evaluation.dataOf(context).labelValues(key);
    if (values.length === 0) {
      throw evaluationError('get_label', `The deployment does not have a label with the key \`${key}\` assigned to it`);
    }
    if (index === undefined) {
      return { value: [...values], context };
    }
    const value = values.at(indexOf(index) ?? 0);
    if (value === undefined) {
      throw evaluationError(
        'get_label',
        `The provided label-values list index is out of range. The key \`${key}\` has ${String(values.length)} values`,
      );
    }
    return { value, context };
  },
};

function indexOf(value: Json): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value)) {
    return value;
  }
  if (typeof value === 'string' && DIGITS.test(value)) {
    return Number(value);
  }
  return undefined;
}
