import type { Json } from '../../domain/plan.ts';

/** What stands in logs in place of a secret. */
const mask = '***';

/** Shorter values are left alone: masking every `1` or `no` would make logs unreadable and hide nothing. */
const shortestSecret = 3;

/** The same for texts inside a JSON document, where most are names and the like. */
const shortestLeaf = 6;

/** Shortest part of an encoded secret that is masked: shorter ones also stand in texts that hide nothing. */
const shortestEncoded = 8;

/** The texts inside a JSON document, such as the password of `{"user": ..., "password": ...}`. */
function leavesOf(value: string): string[] {
  if (!/^\s*[[{]/.test(value)) {
    return [];
  }
  const leaves: string[] = [];
  try {
    JSON.parse(value, (_key, leaf: unknown) => {
      if (typeof leaf === 'string' && leaf.length >= shortestLeaf) {
        leaves.push(leaf);
      }
      return leaf;
    });
  } catch {
    return [];
  }
  return leaves;
}

/** What base64 makes of a text wherever it stands in what is encoded, e.g. behind a user name in an HTTP header. */
function base64Forms(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    // the first and the last characters also hold bits of what stands around it
    const start = offset === 0 ? 0 : offset + 1;
    const end = Math.floor(((offset + bytes.length) * 8) / 6);
    const core = whole.slice(start, end);
    return core.length >= shortestEncoded ? [core, core.replaceAll('+', '-').replaceAll('/', '_')] : [];
  });
}

/** Keeps the secret values an operation has seen out of everything it writes. */
export class SecretFilter {
  readonly #values = new Set<string>();
  #pattern: RegExp | undefined;
  #longest = 0;

  /** Length of the longest masked text; text cut in two must overlap by this much. */
  get longest(): number {
    return this.#longest;
  }

  /**
   * Adds secrets. Lines of a longer text (a private key), texts inside a JSON document, and what JSON, URLs and base64
   * make of them count as secrets as well.
   */
  add(values: Iterable<string | null | undefined>): void {
    for (const value of values) {
      if (typeof value !== 'string' || value.trim().length < shortestSecret || this.#values.has(value)) {
        continue;
      }
      const lines = value.split(/\r?\n/).filter((line) => line.trim().length >= 8);
      const parts = [value, ...(lines.length > 1 ? lines : []), ...leavesOf(value)];
      const forms = parts.flatMap((text) => [
        text,
        JSON.stringify(text).slice(1, -1),
        encodeURIComponentSafely(text),
        ...base64Forms(text),
      ]);
      for (const text of forms) {
        this.#values.add(text);
        this.#longest = Math.max(this.#longest, text.length);
      }
      this.#pattern = undefined;
    }
  }

  /** A JSON value with every known secret masked in its texts and names. */
  applyToJson(value: Json): Json {
    if (this.#values.size === 0) {
      return value;
    }
    if (typeof value === 'string') {
      return this.apply(value);
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.applyToJson(item));
    }
    return typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([name, item]) => [this.apply(name), this.applyToJson(item)]))
      : value;
  }

  /** The text with every known secret masked. */
  apply(text: string): string {
    if (this.#values.size === 0 || text === '') {
      return text;
    }
    this.#pattern ??= new RegExp(
      [...this.#values]
        .sort((left, right) => right.length - left.length)
        .map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
        .join('|'),
      'g',
    );
    return text.replace(this.#pattern, mask);
  }
}

function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
