import { readFile, stat } from 'node:fs/promises';
import { load } from 'js-yaml';
import type { LabelShape } from '../client/types.ts';
import { UsageError } from './errors.ts';

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseYaml(text: string, origin: string): unknown {
  if (text.trim() === '') {
    return null;
  }
  try {
    return load(text);
  } catch (error) {
    throw new UsageError(
      `${origin} is not YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
      `Put a text with signs of YAML in quotes of its own: name='"@text"'`,
    );
  }
}

async function parseOne(text: string): Promise<Record<string, unknown>> {
  const isFile = await stat(text).then(
    (information) => information.isFile(),
    () => false,
  );
  if (isFile) {
    const content = parseYaml(await readFile(text, 'utf8'), text) ?? {};
    if (!isMapping(content)) {
      throw new UsageError(`${text} must hold a mapping of names to values`);
    }
    return content;
  }
  if (text.trimStart().startsWith('{')) {
    const content = parseYaml(text, 'The mapping');
    if (isMapping(content)) {
      return content;
    }
  }
  const values: Record<string, unknown> = {};
  for (const part of text.split(';')) {
    const separator = part.indexOf('=');
    if (separator <= 0) {
      throw new UsageError(
        `"${text}" is neither name=value, a mapping in braces nor a file`,
        'Examples: -i port=8080   -i \'{"port": 8080}\'   -i inputs.yaml',
      );
    }
    values[part.slice(0, separator).trim()] = parseYaml(part.slice(separator + 1), part);
  }
  return values;
}

/**
 * Joins `-i` options: each is `name=value` (several separated by `;`), a mapping in braces, or a YAML or JSON file.
 * Values are read as YAML, so `port=80` is a number and `port='"80"'` is text. Later options win.
 * @throws UsageError naming the option that cannot be read
 */
export async function parseInputs(options: readonly string[]): Promise<Record<string, unknown>> {
  const inputs: Record<string, unknown> = {};
  for (const option of options) {
    Object.assign(inputs, await parseOne(option));
  }
  return inputs;
}

/**
 * Reads one value as YAML: `80` is a number, `[a, b]` a list.
 * @throws UsageError when it cannot be read
 */
export function parseValue(text: string): unknown {
  return parseYaml(text, 'The value');
}

/**
 * Reads labels written `key:value` or `key=value`, several separated by commas.
 * @throws UsageError naming the label that cannot be read
 */
export function parseLabels(options: readonly string[]): LabelShape[] {
  return options
    .flatMap((option) => option.split(','))
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const separator = part.search(/[:=]/);
      if (separator <= 0 || separator === part.length - 1) {
        throw new UsageError(`"${part}" is not a label`, 'Write labels as key:value,other:value');
      }
      return { key: part.slice(0, separator).trim(), value: part.slice(separator + 1).trim() };
    });
}
