import type { Command } from 'commander';
import type { ListOptions } from '../../client/pages.ts';
import { UsageError } from '../errors.ts';

/** Options of every `list` command. */
export interface ListCommandOptions {
  size?: number;
  offset?: number;
  sort?: readonly string[];
  search?: string;
  allTenants?: boolean;
}

/** Reads a whole number that is not negative. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new UsageError(`"${text}" is not a whole number`);
  }
  return value;
}

/** Adds the options every list command has. */
export function withListOptions(list: Command): Command {
  return list
    .option('--size <n>', 'items to show', wholeNumber)
    .option('--offset <n>', 'items to skip', wholeNumber)
    .option('--sort <field>', 'sort by a field; -field for descending', (value: string) => [value])
    .option('--search <text>', 'only ids that contain the text')
    .option('--all-tenants', 'of all tenants you may see');
}

/** Query of a list command. */
export function listOptions(options: ListCommandOptions, filters: ListOptions['filters'] = {}): ListOptions {
  return {
    ...(options.size === undefined ? {} : { size: options.size }),
    ...(options.offset === undefined ? {} : { offset: options.offset }),
    ...(options.sort === undefined ? {} : { sort: options.sort }),
    ...(options.search === undefined ? {} : { search: options.search }),
    ...(options.allTenants === true ? { allTenants: true } : {}),
    filters,
  };
}
