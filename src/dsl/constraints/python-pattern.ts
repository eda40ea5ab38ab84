/** A character of a word, as Python's `\w` has it. */
const WORD = '\\p{L}\\p{M}\\p{N}_';

const SHORTHANDS: Record<string, string | undefined> = {
  d: '\\p{Nd}',
  D: '\\P{Nd}',
  w: `[${WORD}]`,
  W: `[^${WORD}]`,
  s: '\\s',
  S: '\\S',
};

const ANCHORS: Record<string, string | undefined> = {
  A: '(?<![\\s\\S])',
  Z: '(?![\\s\\S])',
  b: `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`,
  B: `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`,
};

const CONTROLS: Record<string, string | undefined> = {
  a: '\\x07',
  f: '\\f',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
};

const HEX_LENGTH: Record<string, number | undefined> = { x: 2, u: 4, U: 8 };
const SYNTAX = /[\\^$.*+?()[\]{}|/]/;
const CLASS_SYNTAX = /[\\^$.*+?()[\]{}|/\-&!#%,:;<=>@`~]/;

/** Thrown inside the translation only. */
class Untranslatable extends Error {}

/**
 * Translates a regular expression written for Python's `re` module, as blueprints have them, and compiles it. Flags
 * of a part, `(?i:...)`, count for the whole pattern; conditional groups are not known.
 *
 * @param anchor match at the start of the text only, as Python's `re.match` does
 * @returns undefined when the pattern is not valid
 */
export function compilePattern(pattern: string, anchor: 'anywhere' | 'start' = 'anywhere'): RegExp | undefined {
  try {
    const translation = new Translation(pattern);
    const source = translation.translate();
    return new RegExp(source, `v${translation.flags}${anchor === 'start' ? 'y' : ''}`);
  } catch (error) {
    if (error instanceof Untranslatable || error instanceof SyntaxError) {
      return undefined;
    }
    throw error;
  }
}

class Translation {
  readonly #flags = new Set<string>();
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    // Flags hold from the start, so they must be known before anything is translated.
    for (const [, flags] of text.matchAll(/\(\?([aiLmsux]+)[:)]/g)) {
      for (const flag of flags as string) {
        this.#flags.add(flag);
      }
    }
  }

  get flags(): string {
    return ['i', 'm', 's'].filter((flag) => this.#flags.has(flag)).join('');
  }

  translate(): string {
    let out = '';
    while (this.#at < this.#text.length) {
      out += this.#next();
    }
    return out;
  }

  #take(): string {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) {
      throw new Untranslatable();
    }
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  /** Takes what matches here, if it does. `expression` must be sticky. */
  #takeMatch(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const match = expression.exec(this.#text);
    if (match === null) {
      return undefined;
    }
    this.#at = expression.lastIndex;
    return match;
  }

  #next(): string {
    if (this.#flags.has('x') && this.#takeMatch(/\s+|#[^\n]*/y) !== undefined) {
      return '';
    }
    const character = this.#take();
    switch (character) {
      case '\\':
        return this.#escape();
      case '[':
        return this.#characterClass();
      case '(':
        return this.#groupStart();
      case '{':
        return this.#braces();
      case '.':
        return this.#flags.has('s') ? '.' : '[^\\n]';
      case '$':
        return this.#flags.has('m') ? '(?=\\n|(?![\\s\\S]))' : '(?=\\n?(?![\\s\\S]))';
      case ')':
      case '|':
      case '^':
      case '*':
      case '+':
      case '?':
        return character;
      default:
        return literal(character);
    }
  }

  #escape(): string {
    const backReference = this.#takeMatch(/[1-9]\d?/y);
    if (backReference !== undefined) {
      return `\\${backReference[0]}(?:)`;
    }
    const character = this.#take();
    const known = ANCHORS[character] ?? SHORTHANDS[character];
    return known ?? this.#escapedLiteral(character);
  }

  /** An escape that stands for one character. */
  #escapedLiteral(character: string): string {
    const length = HEX_LENGTH[character];
    if (length !== undefined) {
      const digits = this.#takeMatch(new RegExp(`[0-9a-fA-F]{${String(length)}}`, 'y'));
      if (digits === undefined) {
        throw new Untranslatable();
      }
      return `\\u{${digits[0]}}`;
    }
    if (character === '0') {
      const digits = this.#takeMatch(/[0-7]{0,2}/y)?.[0] ?? '';
      return `\\u{${Number.parseInt(`0${digits}`, 8).toString(16)}}`;
    }
    const control = CONTROLS[character];
    if (control !== undefined) {
      return control;
    }
    if (/[a-zA-Z0-9]/.test(character)) {
      throw new Untranslatable();
    }
    return literal(character);
  }

  #groupStart(): string {
    if (this.#takeMatch(/\?#[^)]*\)/y) !== undefined || this.#takeMatch(/\?[aiLmsux]+\)/y) !== undefined) {
      return '';
    }
    if (this.#takeMatch(/\?[aiLmsux]+:/y) !== undefined) {
      return '(?:';
    }
    const plain = this.#takeMatch(/\?(?:[:=!]|<[=!])/y);
    if (plain !== undefined) {
      return `(${plain[0]}`;
    }
    const named = this.#takeMatch(/\?P<(\w+)>/y);
    if (named !== undefined) {
      return `(?<${named[1] as string}>`;
    }
    const reference = this.#takeMatch(/\?P=(\w+)\)/y);
    if (reference !== undefined) {
      return `\\k<${reference[1] as string}>`;
    }
    if (this.#text[this.#at] === '?') {
      throw new Untranslatable();
    }
    return '(';
  }

  /** A repetition such as `{2,}`; any other brace is itself. */
  #braces(): string {
    const repetition = this.#takeMatch(/(\d*)(,?)(\d*)\}/y);
    const [whole, least, comma, most] = repetition ?? [];
    if (whole === undefined || (least === '' && (comma === '' || most === ''))) {
      this.#at -= whole?.length ?? 0;
      return '\\{';
    }
    return `{${least === '' ? '0' : (least as string)}${comma as string}${most as string}}`;
  }

  #characterClass(): string {
    let out = this.#takeMatch(/\^/y) === undefined ? '[' : '[^';
    for (let isFirst = true; ; isFirst = false) {
      const character = this.#take();
      if (character === ']' && !isFirst) {
        return `${out}]`;
      }
      const low = this.#classMember(character);
      const hasRange = this.#text[this.#at] === '-' && this.#text[this.#at + 1] !== ']';
      if (!hasRange) {
        out += low.text;
        continue;
      }
      this.#at += 1;
      const high = this.#classMember(this.#take());
      if (low.isSet || high.isSet) {
        throw new Untranslatable();
      }
      out += `${low.text}-${high.text}`;
    }
  }

  #classMember(character: string): { text: string; isSet: boolean } {
    if (character !== '\\') {
      return { text: classLiteral(character), isSet: false };
    }
    const escaped = this.#take();
    const shorthand = SHORTHANDS[escaped];
    if (shorthand !== undefined) {
      return { text: shorthand, isSet: true };
    }
    const isPlain = !/[a-zA-Z0-9]/.test(escaped);
    const text = escaped === 'b' ? '\\x08' : isPlain ? classLiteral(escaped) : this.#escapedLiteral(escaped);
    return { text, isSet: false };
  }
}

function literal(character: string): string {
  return SYNTAX.test(character) ? `\\${character}` : character;
}

function classLiteral(character: string): string {
  return CLASS_SYNTAX.test(character) ? `\\${character}` : character;
}
