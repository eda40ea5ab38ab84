import type { Json } from '../../domain/plan.ts';
import type { DslError } from '../errors.ts';
import type { FunctionDefinition } from './definition.ts';
import { evaluationError, validationError } from './errors.ts';
import { pythonText, pythonTypeName } from '../../domain/python-text.ts';
import type { IntrinsicFunction } from './recognise.ts';
import { isFunction, isMapping } from './recognise.ts';

interface Parameter {
  name: string;
  type: 'text' | 'integer';
  isOptional?: boolean;
}

type Arguments = readonly Json[];

/**
 * A function over texts: one implementation of shape, type and evaluation checks, so that each function is its list
 * of parameters and one line of work.
 */
function textFunction(
  count: string,
  parameters: readonly Parameter[],
  work: (values: Arguments, fail: (message: string) => DslError) => Json,
): FunctionDefinition {
  const least = parameters.filter((parameter) => parameter.isOptional !== true).length;
  const isSingle = parameters.length === 1;

  const argumentsOf = (call: IntrinsicFunction): Json[] => (isSingle ? [call.argument] : (call.argument as Json[]));

  const hasShape = (argument: Json): boolean =>
    isSingle
      ? typeof argument === 'string' || (isMapping(argument) && Object.keys(argument).length === 1)
      : Array.isArray(argument) && argument.length >= least && argument.length <= parameters.length;

  const typeProblem = (value: Json | undefined, parameter: Parameter): string | undefined => {
    if (parameter.isOptional === true && (value === undefined || value === null)) {
      return undefined;
    }
    const fits =
      parameter.type === 'text'
        ? typeof value === 'string'
        : typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value));
    if (fits) {
      return undefined;
    }
    const wanted = parameter.type === 'text' ? 'str' : 'int';
    return (
      `argument \`${parameter.name}\` should be of type <class '${wanted}'> but is ` +
      `<class '${pythonTypeName(value)}'> (${pythonText(value)})`
    );
  };

  return {
    evaluation: 'hybrid',

    checkShape({ name, argument }) {
      if (!hasShape(argument)) {
        throw validationError(name, `should be called with ${count}`);
      }
    },

    validate(call) {
      const values = argumentsOf(call);
      parameters.forEach((parameter, position) => {
        const value = values[position];
        const problem = isFunction(value) ? undefined : typeProblem(value, parameter);
        if (problem !== undefined) {
          throw validationError(call.name, problem);
        }
      });
    },

    evaluate(call, context) {
      const values = argumentsOf(call);
      parameters.forEach((parameter, position) => {
        const value = values[position];
        const problem = isFunction(value)
          ? `argument \`${parameter.name}\` should not be a function (${pythonText(value)})`
          : typeProblem(value, parameter);
        if (problem !== undefined) {
          throw evaluationError(call.name, problem);
        }
      });
      return { value: work(values, (message) => evaluationError(call.name, message)), context };
    },
  };
}

const text = (name: string): Parameter => ({ name, type: 'text' });
const optionalInteger = (name: string): Parameter => ({ name, type: 'integer', isOptional: true });

/** `{string_find: [haystack, needle]}`: where the needle starts, counted in characters, or -1. */
export const stringFind = textFunction('exactly two parameters', [text('haystack'), text('needle')], (values) => {
  const [haystack, needle] = values as [string, string];
  const units = haystack.indexOf(needle);
  return units < 0 ? -1 : [...haystack.slice(0, units)].length;
});

/** `{string_replace: [haystack, needle, replacement, count]}`; without a count all occurrences are replaced. */
export const stringReplace = textFunction(
  'three or four parameters',
  [text('haystack'), text('needle'), text('replacement'), optionalInteger('count')],
  (values) => {
    const [haystack, needle, replacement, count] = values as [string, string, string, number?];
    const limit = count === undefined || count === null ? -1 : Number(count);
    return replaceFirst(haystack, needle, replacement, limit);
  },
);

/** `{string_split: [input, separator, index]}`: all parts, or the part at the index; -1 is the last one. */
export const stringSplit = textFunction(
  'two or three parameters',
  [text('input'), text('separator'), optionalInteger('index')],
  (values, fail) => {
    const [input, separator, index] = values as [string, string, number?];
    if (separator === '') {
      throw fail('argument `separator` should not be empty');
    }
    const parts = input.split(separator);
    if (index === undefined || index === null) {
      return parts;
    }
    const part = parts.at(Number(index));
    if (part !== undefined) {
      return part;
    }
    throw fail(
      `argument \`index\` is out of range: there are ${String(parts.length)} parts, asked for ${String(index)}`,
    );
  },
);

/** `{string_lower: text}` */
export const stringLower = textFunction('exactly one parameter', [text('input')], ([input]) =>
  (input as string).toLowerCase(),
);

/** `{string_upper: text}` */
export const stringUpper = textFunction('exactly one parameter', [text('input')], ([input]) =>
  (input as string).toUpperCase(),
);

/** Replaces the first `limit` occurrences; all when `limit` is negative. An empty needle is found between characters. */
function replaceFirst(haystack: string, needle: string, replacement: string, limit: number): string {
  const parts = needle === '' ? ['', ...haystack, ''] : haystack.split(needle);
  const replaced = limit < 0 ? parts.length - 1 : Math.min(limit, parts.length - 1);
  let out = parts[0] as string;
  for (let position = 1; position < parts.length; position += 1) {
    out += (position <= replaced ? replacement : needle) + (parts[position] as string);
  }
  return out;
}
