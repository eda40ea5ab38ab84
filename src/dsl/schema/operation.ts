import { DslError, logicError } from '../errors.ts';
import { pluginExecutors } from '../types/names.ts';
import { bool, dictOf, either, fields, integer, mapping, number, reference, text } from './element.ts';
import type { CheckContext, Element } from './element.ts';
import { input } from './property.ts';

function checkExecutor(value: string, { path }: CheckContext): void {
  if (!pluginExecutors.includes(value)) {
    const name = `${String(path.at(-3))}.${String(path.at(-2))}`;
    const valid = pluginExecutors.join(',');
    const message = `Operation '${name}' has an illegal executor value '${value}'. valid values are [${valid}]`;
    throw logicError(28, message, { path });
  }
}

function checkRetries(value: number, { path }: CheckContext): void {
  if (value < -1) {
    const rule = 'value must be either -1 to specify unlimited retries or a non negative number';
    throw new DslError('ValueError', `'max_retries' ${rule} but got ${String(value)}.`, { path });
  }
}

function checkNotNegative(value: number, { path }: CheckContext): void {
  if (value < 0) {
    const name = String(path.at(-1));
    throw new DslError('ValueError', `'${name}' value must be a non-negative number but got ${String(value)}.`, {
      path,
    });
  }
}

function operation(inputs: Element): Element {
  const implementation = reference({
    about: '`<plugin>.<function>`, the path or URL of a script, or a script itself.',
  });
  return either(
    implementation,
    fields({
      implementation,
      inputs,
      executor: text({ choices: pluginExecutors, check: checkExecutor, about: 'Who runs the operation.' }),
      max_retries: integer({ since: [1, 1], check: checkRetries, about: 'Retries; -1 = unlimited.' }),
      retry_interval: number({ since: [1, 1], check: checkNotNegative, about: 'Seconds between retries.' }),
      timeout: number({ check: checkNotNegative, about: 'Seconds after which the operation is stopped.' }),
      timeout_recoverable: bool({ about: 'Whether an operation that took too long is retried.' }),
    }),
    { isReference: true },
  );
}

/** Interfaces of a node type or of a side of a relationship type: operation inputs are schemas. */
export const typeInterfaces: Element = dictOf(dictOf(operation(dictOf(input))), {
  about: 'Interfaces with their operations.',
});

/** Interfaces of a node template or of a relationship of one: operation inputs are values. */
export const templateInterfaces: Element = dictOf(dictOf(operation(mapping())), {
  about: 'Interfaces with their operations.',
});
