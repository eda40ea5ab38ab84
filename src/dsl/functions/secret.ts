import type { Json } from '../../domain/plan.ts';
import type { FunctionDefinition } from './definition.ts';
import { evaluationError, validationError } from './errors.ts';
import { pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import { step } from './walk.ts';

/** `{get_secret: name}`, or `{get_secret: [name, key or index, ...]}` for a secret whose value is JSON. */
export const getSecret: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ argument }) {
    const isPath = Array.isArray(argument) && argument.length > 1;
    if (isPath || typeof argument === 'string' || isFunction(argument)) {
      return;
    }
    throw validationError(
      'get_secret',
      'argument should be a list with at least 2 elements, a string, or a dict (a function). Instead it is a ' +
        `${pythonTypeName(argument)} with the value: ${pythonText(argument)}.`,
    );
  },

  evaluate({ argument }, context, evaluation) {
    const [name, ...items] = Array.isArray(argument) ? argument : [argument];
    if (typeof name !== 'string') {
      throw evaluationError('get_secret', `the name of a secret must be text but is ${pythonText(name)}`);
    }
    const text = evaluation.dataOf(context).secret(name);
    if (!Array.isArray(argument)) {
      return { value: text, context };
    }
    let value = parseSecret(name, text);
    for (const item of items) {
      const result = step(value, item);
      if (!result.found) {
        throw evaluationError(
          'get_secret',
          `Could not find "${pythonText(item)}" in nested lookup on secret "${name}". Error was: ` +
            result.failure.reason,
        );
      }
      value = result.value;
    }
    return { value, context };
  },
};

function parseSecret(name: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // The parser's own message quotes the text, which is secret.
    throw evaluationError('get_secret', `Could not parse secret "${name}" as json. Error was: not valid JSON`);
  }
}
