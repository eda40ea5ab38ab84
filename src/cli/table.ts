import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { colors } from './colors.ts';

/** What stands beside the text of a cell: a border and a space on each side; one more border at the end. */
const cellFrame = 3;
/** Columns that hold longer texts are not made narrower than this. */
const narrowest = 12;
/** The first column names the row, so it is kept in one piece up to this length. */
const longestName = 40;

function widthOf(text: string): number {
  return Math.max(0, ...text.split('\n').map((line) => stripVTControlCharacters(line).length));
}

/** Breaks a text into lines, between words where it can. */
function wrap(text: string, width: number): string {
  if (widthOf(text) <= width) {
    return text;
  }
  return stripVTControlCharacters(text)
    .split('\n')
    .flatMap((line) => wrapLine(line, width))
    .join('\n');
}

/** Where a line ends: at a space, else behind a sign within a word, else where there is no more room. */
function breakOf(line: string, width: number): number {
  const space = line.lastIndexOf(' ', width);
  if (space > 0) {
    return space;
  }
  const sign = /^.*[-_./:,]/.exec(line.slice(0, width));
  return sign ? sign[0].length : width;
}

function wrapLine(line: string, width: number): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const end = breakOf(rest, width);
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/**
 * Widths of columns that fit side by side, the widest given way first.
 * @param natural widths of their longest texts
 * @param room columns of the screen without borders
 * @returns undefined when they do not fit
 */
function fit(natural: readonly number[], room: number): number[] | undefined {
  const least = natural.map((width, index) => Math.min(width, index === 0 ? longestName : narrowest));
  const widths = (limit: number): number[] =>
    natural.map((width, index) => Math.max(least[index] ?? 0, Math.min(width, limit)));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  if (sum(least) > room) {
    return undefined;
  }
  let limit = Math.max(...natural);
  while (sum(widths(limit)) > room) {
    limit -= 1;
  }
  return widths(limit);
}

function draw(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: titles.map((title) => colors.bold(title)),
    style: { head: [], border: [], compact: true },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  rows.forEach((row) => table.push([...row]));
  return table.toString();
}

/** One row as lines of name and value, for tables that are too wide for a screen. */
function drawRecord(titles: readonly string[], row: readonly string[]): string {
  const width = Math.max(...titles.map((title) => title.length));
  return titles
    .map((title, index) => [title, row[index] ?? ''] as const)
    .filter(([, value]) => value !== '')
    .map(([title, value]) => `${colors.bold(title.padEnd(width))}  ${value}`)
    .join('\n');
}

/** A table as text. */
export interface DrawnTable {
  readonly text: string;
  /** Titles of columns there was no room for. */
  readonly hidden: readonly string[];
}

/**
 * Draws a table. On a screen that is too narrow long texts are broken into lines, then the last columns are left out,
 * half of them at most; what does not fit even then is shown row by row.
 * @param columns of the screen; undefined where nothing has to fit, as in files and pipes
 */
export function drawTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
): DrawnTable {
  if (columns === undefined) {
    return { text: draw(titles, rows), hidden: [] };
  }
  const natural = titles.map((title, index) =>
    rows.reduce((width, row) => Math.max(width, widthOf(row[index] ?? '')), title.length),
  );
  for (let count = titles.length; count * 2 >= titles.length; count -= 1) {
    const widths = fit(natural.slice(0, count), columns - count * cellFrame - 1);
    if (widths) {
      const wrapped = [titles, ...rows].map((row) => widths.map((width, index) => wrap(row[index] ?? '', width)));
      return { text: draw(wrapped[0] ?? [], wrapped.slice(1)), hidden: titles.slice(count) };
    }
  }
  return { text: rows.map((row) => drawRecord(titles, row)).join('\n\n'), hidden: [] };
}
