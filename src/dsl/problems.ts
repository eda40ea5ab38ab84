import { DslError } from './errors.ts';
import type { Path } from './errors.ts';

/** The most mistakes that are listed of one blueprint; more usually have a common cause. */
const maxProblems = 100;

/**
 * Thrown where work cannot go on because of a mistake that is known already. It is no mistake of its own:
 * {@link Problems.attempt} gives the work up without a word.
 */
export class KnownMistake extends Error {
  override readonly name = 'KnownMistake';

  constructor() {
    super('This depends on something that is wrong itself');
  }
}

/**
 * Collects the mistakes of a blueprint, so that a person sees all of them and not one per upload. It knows which
 * entries of which sections are wrong, so that what refers to them is not blamed for it.
 */
export class Problems {
  private readonly found: DslError[] = [];
  private readonly limit: number;
  /** Section -> its entries that are wrong, or depend on something wrong. */
  private readonly broken = new Map<string, Set<string>>();
  private readonly brokenSections = new Set<string>();
  private total = 0;
  /** Mistakes found in stages that have ended. */
  private settled = 0;

  constructor(limit = maxProblems) {
    this.limit = limit;
  }

  /** Mistakes so far, those over the limit too. */
  get count(): number {
    return this.total;
  }

  get isFull(): boolean {
    return this.total >= this.limit;
  }

  get all(): readonly DslError[] {
    return this.found;
  }

  /** Takes a mistake. Those over the limit are not listed. */
  add(error: DslError): void {
    const { others } = error;
    error.others = [];
    this.addAll([error, ...others]);
    this.markBroken(error.path);
  }

  /** Takes mistakes that do not keep anything else from being checked. */
  addAll(errors: readonly DslError[]): void {
    this.total += errors.length;
    const unlisted = errors.filter((error) => !this.found.includes(error));
    this.found.push(...unlisted.slice(0, Math.max(0, this.limit - this.found.length)));
  }

  /**
   * Runs `work`, without which a section cannot be read: its mistake comes before all others of the stage, and the
   * section is given up.
   */
  attemptSection<T>(section: string, work: () => T): T | undefined {
    const before = this.found.length;
    const result = this.attempt([section], work);
    this.found.splice(this.settled, 0, ...this.found.splice(before));
    this.settled += this.found.length - before;
    return result;
  }

  /**
   * Runs `work` and collects the mistake it throws. `path` is where it stands if the mistake does not say, in the
   * blueprint, or dotted in the plan.
   *
   * @returns the result, or undefined when there was a mistake
   */
  attempt<T>(path: Path | string, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (error instanceof DslError) {
        error.path ??= path;
        this.add(error);
      } else if (!(error instanceof KnownMistake)) {
        throw error;
      }
      this.markBroken(path);
      return undefined;
    }
  }

  /** Whether an entry of a section is wrong, or depends on something that is. */
  isBroken(section: string, name: string): boolean {
    return this.brokenSections.has(section) || (this.broken.get(section)?.has(name) ?? false);
  }

  /** Whether the section as a whole cannot be read. */
  isSectionBroken(section: string): boolean {
    return this.brokenSections.has(section);
  }

  /** Names of the entries of a section that are wrong. */
  brokenIn(section: string): ReadonlySet<string> {
    return this.broken.get(section) ?? new Set();
  }

  /** Whether the section or anything in it is wrong. */
  hasBroken(section: string): boolean {
    return this.brokenSections.has(section) || this.broken.has(section);
  }

  /** Gives up what depends on an entry that is known to be wrong. */
  requireSound(section: string, name: string): void {
    if (this.isBroken(section, name)) {
      throw new KnownMistake();
    }
  }

  /** Ends a stage: its first mistake stays the first, whatever breaks off later stages. */
  settle(): void {
    this.settled = this.found.length;
  }

  /** The mistake to throw when `error` broke off the work, with all others attached. */
  brokenOffBy(error: DslError): DslError {
    const [head = error, ...others] = this.found.includes(error)
      ? this.found
      : this.found.toSpliced(this.settled, 0, error);
    head.others = others;
    return head;
  }

  /** Throws the first mistake with the others attached, if there are any. */
  throwIfAny(): void {
    const [first, ...others] = this.found;
    if (first) {
      first.others = others;
      throw first;
    }
  }

  private markBroken(path: Path | string | undefined): void {
    if (typeof path !== 'object' || path.length === 0) {
      return;
    }
    const [section, name] = path.map(String) as [string, string?];
    if (name === undefined) {
      this.brokenSections.add(section);
      return;
    }
    const names = this.broken.get(section) ?? new Set<string>();
    names.add(name);
    this.broken.set(section, names);
  }
}

/** Mistakes by where they stand: those of the main file first, then file by file; those without a place come last. */
export function inOrderOfPlace(errors: readonly DslError[], mainFile: string | undefined): DslError[] {
  const files = new Map<string | undefined, number>([[mainFile, 0]]);
  for (const { location } of errors) {
    if (location && !files.has(location.file)) {
      files.set(location.file, files.size);
    }
  }
  const rank = ({ location }: DslError): readonly number[] => [
    location ? (files.get(location.file) ?? 0) : Number.MAX_SAFE_INTEGER,
    location?.line ?? Number.MAX_SAFE_INTEGER,
    location?.column ?? 0,
  ];
  return errors
    .map((error) => ({ error, rank: rank(error) }))
    .sort((a, b) => a.rank.map((part, at) => part - (b.rank[at] ?? 0)).find((part) => part !== 0) ?? 0)
    .map(({ error }) => error);
}
