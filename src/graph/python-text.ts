import type { Json } from '../domain/plan.ts';

/**
 * A value as Python prints it inside a text: texts as they are, lists and dictionaries in Python notation. Event
 * messages have always shown results and parameters this way.
 */
export function pythonText(value: Json): string {
  return typeof value === 'string' ? value : notation(value);
}

function notation(value: Json): string {
  if (value === null) {
    return 'None';
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'string') {
    return quoted(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(notation).join(', ')}]`;
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(([key, entry]) => `${quoted(key)}: ${notation(entry)}`);
    return `{${entries.join(', ')}}`;
  }
  return String(value);
}

function quoted(text: string): string {
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return escaped.includes("'") && !escaped.includes('"') ? `"${escaped}"` : `'${escaped.replaceAll("'", "\\'")}'`;
}
