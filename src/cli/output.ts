import type { Writable } from 'node:stream';
import Table from 'cli-table3';
import { colors } from './colors.ts';
import { stringify } from 'yaml';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** One column of a table. */
export interface Column<Item> {
  title: string;
  value: (item: Item) => unknown;
}

/** Text of one cell: nothing for absent values, JSON for structures. */
export function cellText(value: unknown): string {
  if (value === undefined || value === null) {
    return '';
  }
  if (typeof value === 'string') {
    return value;
  }
  return JSON.stringify(value);
}

const statusColours: Readonly<Record<string, (text: string) => string>> = {
  terminated: colors.green,
  completed: colors.green,
  uploaded: colors.green,
  started: colors.cyan,
  active: colors.green,
  OK: colors.green,
  Active: colors.green,
  good: colors.green,
  failed: colors.red,
  invalid: colors.red,
  Fail: colors.red,
  Inactive: colors.red,
  cancelled: colors.yellow,
  requires_attention: colors.yellow,
};

/** Shows statuses in the colour of their meaning. */
export function colourStatus(status: string): string {
  return statusColours[status]?.(status) ?? status;
}

/** Short form of a timestamp on the wire: `2030-01-31 12:00:00`. */
export function shortTime(timestamp: string | null | undefined): string {
  return timestamp ? timestamp.replace('T', ' ').replace(/\.\d+Z?$/, '') : '';
}

function renderTable<Item>(items: readonly Item[], columns: readonly Column<Item>[]): string {
  const table = new Table({
    head: columns.map((column) => colors.bold(column.title)),
    style: { head: [], border: [], compact: true },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const item of items) {
    table.push(columns.map((column) => cellText(column.value(item))));
  }
  return table.toString();
}

/** Writes results in the format the person asked for. */
export class Output {
  readonly format: OutputFormat;
  private readonly stdout: Writable;
  private readonly stderr: Writable;
  private readonly isQuiet: boolean;

  constructor(format: OutputFormat, stdout: Writable, stderr: Writable, isQuiet: boolean) {
    this.format = format;
    this.stdout = stdout;
    this.stderr = stderr;
    this.isQuiet = isQuiet;
  }

  /** A list: a table for people, an array for programs. */
  list<Item>(items: readonly Item[], columns: readonly Column<Item>[], total = items.length): void {
    if (this.format !== 'table') {
      this.data(items);
      return;
    }
    this.line(items.length > 0 ? renderTable(items, columns) : 'Nothing to show.');
    if (total > items.length) {
      this.note(`${items.length} of ${total} shown; see --size and --offset`);
    }
  }

  /** One thing: name and value per line for people, an object for programs. */
  item<Item>(item: Item, fields: readonly Column<Item>[]): void {
    if (this.format !== 'table') {
      this.data(item);
      return;
    }
    const width = Math.max(...fields.map((field) => field.title.length));
    for (const field of fields) {
      this.line(`${colors.bold(field.title.padEnd(width))}  ${cellText(field.value(item))}`);
    }
  }

  /** Names and values, such as outputs. */
  mapping(values: Readonly<Record<string, unknown>>): void {
    if (this.format !== 'table') {
      this.data(values);
      return;
    }
    const entries = Object.entries(values).map(([name, value]) => ({ name, value }));
    this.list(entries, [
      { title: 'name', value: (entry) => entry.name },
      { title: 'value', value: (entry) => entry.value },
    ]);
  }

  /** Machine readable output of any value. */
  data(value: unknown): void {
    this.stdout.write(this.format === 'yaml' ? stringify(value) : `${JSON.stringify(value, undefined, 2)}\n`);
  }

  /** A line of the result. */
  line(text: string): void {
    this.stdout.write(`${text}\n`);
  }

  /** The result of an action: a sentence for people, `value` for programs. */
  done(sentence: string, value: unknown): void {
    if (this.format !== 'table') {
      this.data(value);
    } else if (!this.isQuiet) {
      this.line(sentence);
    }
  }

  /** Something beside the result: progress, advice. Never on standard output. */
  note(text: string): void {
    if (!this.isQuiet) {
      this.stderr.write(`${text}\n`);
    }
  }
}
