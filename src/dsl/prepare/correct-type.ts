import type { Json } from '../../domain/plan.ts';

const INTEGER = /^\s*[+-]?\d+(?:_\d+)*\s*$/;
const FLOAT = /^\s*[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?\s*$/;

/**
 * Reads text as the number or boolean a type asks for; command lines give every value as text. Text that cannot be
 * read as such, and values that are no text, stay as they are.
 */
export function correctType(value: Json, type: string | undefined): Json {
  if (typeof value !== 'string') {
    return value;
  }
  const isNumber = (type === 'integer' && INTEGER.test(value)) || (type === 'float' && FLOAT.test(value));
  if (isNumber) {
    return Number(value.replaceAll('_', ''));
  }
  if (type === 'boolean' && (value === 'true' || value === 'false')) {
    return value === 'true';
  }
  return value;
}
