const mask = '***';
/** Shorter values would tear texts apart without protecting anything. */
const shortest = 4;

/**
 * Makes a function that hides secret values in texts: as they are, in base64, as a URL part and as a JSON string.
 * @param values of secrets; those below four characters are left alone
 */
export function createRedactor(values: Iterable<string>): (text: string) => string {
  const forms = new Set<string>();
  for (const value of values) {
    if (value.length >= shortest) {
      forms.add(value);
      forms.add(encodeURIComponent(value));
      forms.add(JSON.stringify(value).slice(1, -1));
      forms.add(Buffer.from(value).toString('base64'));
    }
  }
  // a secret may contain another one
  const ordered = [...forms].sort((one, other) => other.length - one.length);
  if (ordered.length === 0) {
    return (text) => text;
  }
  const pattern = new RegExp(ordered.map((form) => form.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')).join('|'), 'g');
  return (text) => text.replaceAll(pattern, mask);
}
