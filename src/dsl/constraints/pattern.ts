/**
 * Compiles a regular expression written for Python's `re` module.
 *
 * @returns undefined when the pattern is not valid
 */
export function compilePattern(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern);
  } catch {
    return undefined;
  }
}
