import type { FilterRule } from '../client/pages.ts';
import { UsageError } from './errors.ts';

/** Written operator -> operator of the manager; longer ones first, since some begin with others. */
const operators: readonly (readonly [RegExp, string])[] = [
  [/^([^\s=!]+)\s+is null$/, 'is_null'],
  [/^([^\s=!]+)\s+is not null$/, 'is_not_null'],
  [/^([^\s=!]+)\s+is not empty$/, 'is_not_empty'],
  [/^([^\s=!]+)\s+does-not-contain\s+(.+)$/, 'not_contains'],
  [/^([^\s=!]+)\s+contains\s+(.+)$/, 'contains'],
  [/^([^\s=!]+)\s+starts-with\s+(.+)$/, 'starts_with'],
  [/^([^\s=!]+)\s+ends-with\s+(.+)$/, 'ends_with'],
  [/^([^\s=!]+)\s+is-not\s+(.+)$/, 'is_not'],
  [/^([^\s=!]+)\s*!=\s*(.+)$/, 'not_any_of'],
  [/^([^\s=!]+)\s*=\s*(.+)$/, 'any_of'],
];

/**
 * Reads rules such as `env=test`, `env!=[a,b]` or `created_by contains ann`.
 * @throws UsageError naming the rule that cannot be read
 */
export function parseFilterRules(type: FilterRule['type'], rules: readonly string[]): FilterRule[] {
  return rules.map((rule) => {
    for (const [pattern, operator] of operators) {
      const [, key, values] = pattern.exec(rule.trim()) ?? [];
      if (key !== undefined) {
        return { type, key, operator, values: valuesOf(values) };
      }
    }
    throw new UsageError(`"${rule}" is not a rule`, 'Examples: env=test   env!=[a,b]   "env is null"');
  });
}

function valuesOf(text: string | undefined): string[] {
  if (text === undefined) {
    return [];
  }
  const [, list] = /^\[(.*)\]$/.exec(text) ?? [];
  return list === undefined ? [text] : list.split(',').map((value) => value.trim());
}
