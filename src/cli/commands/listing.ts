import type { FilterRule, ListOptions } from '../../client/pages.ts';
import type { Command, Listing } from '../command-tree.ts';
import { UsageError } from '../errors.ts';
import { parseFilterRules } from '../filter-rules.ts';
import { collect } from '../invocation.ts';
import { parseLabels } from '../inputs.ts';

/** Options of `list` commands, see {@link withListOptions}. */
export interface ListCommandOptions {
  size?: number;
  offset?: number;
  sort?: string;
  descending?: boolean;
  search?: string;
  allTenants?: boolean;
  filterId?: string;
  label?: readonly string[];
  labelRule?: readonly string[];
  attributeRule?: readonly string[];
}

/** Reads a whole number that is not negative. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new UsageError(`"${text}" is not a whole number`);
  }
  return value;
}

/** Options that give rules for what is listed. */
export const ruleOptions = [
  ['--label-rule <rule>', 'rule for labels: env=test, env!=[a,b], "env is null"; repeatable'],
  ['--attribute-rule <rule>', 'rule for attributes: "created_by contains ann"; repeatable'],
] as const;

/** The rules that were given. @throws UsageError naming the one that cannot be read */
export function rulesOf(options: Pick<ListCommandOptions, 'labelRule' | 'attributeRule'>): FilterRule[] {
  return [
    ...parseFilterRules('label', options.labelRule ?? []),
    ...parseFilterRules('attribute', options.attributeRule ?? []),
  ];
}

/**
 * Adds the options that the list's endpoint takes.
 * @param listing members left out are true, but for `hasRules`
 */
export function withListOptions(list: Command, listing: Pick<Listing, 'path' | 'things'> & Partial<Listing>): Command {
  const full: Listing = { isSortable: true, isSearchable: true, hasAllTenants: true, hasRules: false, ...listing };
  list.listing = full;
  list.option('--size <n>', 'items to show', wholeNumber).option('--offset <n>', 'items to skip', wholeNumber);
  if (full.isSortable) {
    list.option('--sort <field>', 'sort by this field').option('--descending', 'sort in descending order');
  }
  if (full.isSearchable) {
    list.option('--search <text>', 'only those whose name contains the text');
  }
  if (full.hasAllTenants) {
    list.option('-a, --all-tenants', 'of all tenants you may see');
  }
  if (full.hasRules) {
    list
      .option('--filter-id <id>', 'only those that match a stored filter')
      .option('-l, --label <labels>', 'only with this label, key:value; repeatable', collect);
    ruleOptions.forEach(([flags, about]) => list.option(flags, about, collect));
  }
  return list;
}

function sortOf({ sort, descending }: ListCommandOptions): string[] | undefined {
  if (sort === undefined) {
    if (descending === true) {
      throw new UsageError('Say what to sort by: --sort FIELD --descending');
    }
    return undefined;
  }
  return [descending === true ? `-${sort.replace(/^[-+]/, '')}` : sort];
}

/** Query of a list command. @throws UsageError when options do not fit together, or a rule cannot be read */
export function listOptions(options: ListCommandOptions, filters: ListOptions['filters'] = {}): ListOptions {
  const { size, offset, search, allTenants, filterId } = options;
  const sort = sortOf(options);
  const labels: FilterRule[] = parseLabels(options.label ?? []).map(({ key, value }) => ({
    type: 'label',
    key,
    operator: 'any_of',
    values: [value],
  }));
  const rules = [...labels, ...rulesOf(options)];
  return {
    ...(size === undefined ? {} : { size }),
    ...(offset === undefined ? {} : { offset }),
    ...(sort === undefined ? {} : { sort }),
    ...(search === undefined ? {} : { search }),
    ...(allTenants === true ? { allTenants } : {}),
    ...(filterId === undefined ? {} : { filterId }),
    ...(rules.length === 0 ? {} : { rules }),
    filters,
  };
}
