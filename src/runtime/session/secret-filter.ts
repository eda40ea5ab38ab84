/** What stands in logs in place of a secret. */
const mask = '***';

/** Shorter values are left alone: masking every `1` or `no` would make logs unreadable and hide nothing. */
const shortestSecret = 3;

/** Keeps the secret values an operation has seen out of everything it writes. */
export class SecretFilter {
  readonly #values = new Set<string>();
  #pattern: RegExp | undefined;
  #longest = 0;

  /** Length of the longest masked text; text cut in two must overlap by this much. */
  get longest(): number {
    return this.#longest;
  }

  /** Adds secrets; lines of a longer text (a private key) and the value inside JSON text count as secrets as well. */
  add(values: Iterable<string | null | undefined>): void {
    for (const value of values) {
      if (typeof value !== 'string' || value.trim().length < shortestSecret || this.#values.has(value)) {
        continue;
      }
      const lines = value.split(/\r?\n/).filter((line) => line.trim().length >= 8);
      const quoted = JSON.stringify(value).slice(1, -1);
      for (const text of [value, quoted, encodeURIComponentSafely(value), ...(lines.length > 1 ? lines : [])]) {
        this.#values.add(text);
        this.#longest = Math.max(this.#longest, text.length);
      }
      this.#pattern = undefined;
    }
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
