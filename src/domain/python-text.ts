/**
 * The text of a value as the old manager (written in Python) prints it: `True`, `None`, `{'a': 1}`, `[1, 'b']`.
 * `concat` and error messages show values this way, and scripts of existing blueprints rely on the spelling.
 */
export function pythonText(value: unknown): string {
  return typeof value === 'string' ? value : pythonRepr(value);
}

/** Like {@link pythonText}, but with strings quoted: how a value looks inside a list or mapping. */
export function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) {
    return 'None';
  }
  if (value === true) {
    return 'True';
  }
  if (value === false) {
    return 'False';
  }
  if (typeof value === 'string') {
    return quote(value);
  }
  if (typeof value === 'number') {
    return numberText(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(pythonRepr).join(', ')}]`;
  }
  if (typeof value === 'object') {
    const items = Object.entries(value).map(([key, item]) => `${quote(key)}: ${pythonRepr(item)}`);
    return `{${items.join(', ')}}`;
  }
  return typeof value;
}

/** The name of a value's type as error messages show it: `str`, `int`, `float`, `bool`, `list`, `dict`, `NoneType`. */
export function pythonTypeName(value: unknown): string {
  if (value === null || value === undefined) {
    return 'NoneType';
  }
  if (Array.isArray(value)) {
    return 'list';
  }
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float';
    default:
      return 'dict';
  }
}

function numberText(value: number): string {
  if (Number.isNaN(value)) {
    return 'nan';
  }
  if (value === Infinity) {
    return 'inf';
  }
  if (value === -Infinity) {
    return '-inf';
  }
  if (Number.isInteger(value)) {
    return BigInt(value).toString();
  }
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e16) {
    return value.toString();
  }
  // Exponents have at least two digits: 1e-05.
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = '';
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (ESCAPES[character] !== undefined) {
      out += ESCAPES[character];
    } else if (character === mark) {
      out += `\\${character}`;
    } else if (code < 0x20 || code === 0x7f) {
      out += `\\x${code.toString(16).padStart(2, '0')}`;
    } else {
      out += character;
    }
  }
  return mark + out + mark;
}
