import { dump } from 'js-yaml';
import { colors } from './colors.ts';
import { drawTable } from './table.ts';
import type { Terminal } from './terminal.ts';

export type OutputFormat = 'table' | 'json' | 'yaml';

/** One column of a table. */
export interface Column<Item> {
  title: string;
  value: (item: Item) => unknown;
}

/** Text of one cell: nothing for absent values, JSON for structures. */
function cellText(value: unknown): string {
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

/** A value as YAML that every reader takes the same way. */
function yamlOf(value: unknown): string {
  // what JSON leaves out is left out here, too
  const plain: unknown = JSON.parse(JSON.stringify(value ?? null));
  return dump(plain, { lineWidth: -1, noRefs: true });
}

/** Lines of one field: structures as YAML below their name, since one line of JSON is not readable. */
function fieldLines(title: string, width: number, value: unknown): string {
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) {
    return `${colors.bold(title.padEnd(width))}  ${cellText(value)}`.trimEnd();
  }
  return `${colors.bold(title)}\n${yamlOf(value).trimEnd().replaceAll(/^/gm, '  ')}`;
}

/** Writes results in the format the person asked for. */
export class Output {
  readonly format: OutputFormat;
  private readonly terminal: Terminal;
  private readonly isQuiet: boolean;
  private readonly things: string | undefined;

  /** @param options `things`: what the command lists, for the sentence that there is none */
  constructor(
    format: OutputFormat,
    terminal: Terminal,
    options: { isQuiet?: boolean; things?: string | undefined } = {},
  ) {
    this.format = format;
    this.terminal = terminal;
    this.isQuiet = options.isQuiet === true;
    this.things = options.things;
  }

  /** A list: a table for people, an array for programs. */
  list<Item>(items: readonly Item[], columns: readonly Column<Item>[], total = items.length): void {
    if (this.format !== 'table') {
      this.data(items);
      return;
    }
    if (items.length > 0) {
      const titles = columns.map((column) => column.title);
      const rows = items.map((item) => columns.map((column) => cellText(column.value(item))));
      const { text, hidden } = drawTable(titles, rows, this.terminal.screenColumns);
      this.line(text);
      if (hidden.length > 0) {
        this.note(`No room for: ${hidden.join(', ')} (--json shows everything)`);
      }
    } else if (total > 0) {
      this.line(`Only ${total} in all; see --offset`);
    } else {
      this.line(this.things === undefined ? 'Nothing to show.' : `No ${this.things}.`);
    }
    if (total > items.length && items.length > 0) {
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
      this.line(fieldLines(field.title, width, field.value(item)));
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
    this.terminal.stdout.write(
      this.format === 'yaml' ? yamlOf(value) : `${JSON.stringify(value ?? null, undefined, 2)}\n`,
    );
  }

  /** A line of the result. */
  line(text: string): void {
    this.terminal.stdout.write(`${text}\n`);
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
      this.terminal.stderr.write(`${text}\n`);
    }
  }
}
