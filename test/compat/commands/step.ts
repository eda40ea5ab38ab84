import { cfyCommands } from './all.ts';

/** One `cfy` command as it is tried against the manager. */
export interface Step {
  /** Words after `cfy`. `{name}` stands for what an earlier step kept; quotes keep words together. */
  readonly line: string;
  /** What it has to print. */
  readonly prints?: RegExp;
  /** It has to fail, printing this. */
  readonly refused?: RegExp;
  /** Keeps what the first group matches in the output under a name, for later steps. */
  readonly keeps?: Readonly<Record<string, RegExp>>;
}

/** The steps of one command group, in order. They build on what earlier groups made. */
export interface CommandGroup {
  readonly group: string;
  readonly steps: readonly Step[];
}

/** A step that must succeed. */
export function step(line: string, prints?: RegExp, keeps?: Step['keeps']): Step {
  return { line, ...(prints ? { prints } : {}), ...(keeps ? { keeps } : {}) };
}

/** A step that must fail, with this explanation. */
export function refused(line: string, refusal: RegExp): Step {
  return { line, refused: refusal };
}

/** The command a step tries, such as `deployments labels add`. */
export function commandOf({ line }: Pick<Step, 'line'>): string {
  const words = line.split(' ');
  const length = words.findIndex((_, index) => cfyCommands.includes(words.slice(0, index + 1).join(' ')));
  return words.slice(0, length + 1).join(' ');
}

/** Splits a line into words as a shell does, single quotes only, and fills in what was kept. */
export function wordsOf(line: string, kept: ReadonlyMap<string, string>): string[] {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  return words.map((word) =>
    word.replaceAll(/\{(\w+)\}/g, (placeholder, name: string) => {
      const value = kept.get(name);
      if (value === undefined && !word.startsWith('{"')) {
        throw new Error(`No step before kept ${placeholder} for: cfy ${line}`);
      }
      return value ?? placeholder;
    }),
  );
}
