import { DslError } from './errors.ts';
import type { Path } from './errors.ts';

/** Collects the mistakes of one stage, so that a person sees all of them and not one per upload. */
export class Problems {
  private readonly found: DslError[] = [];
  private readonly limit: number;

  constructor(limit = 50) {
    this.limit = limit;
  }

  get count(): number {
    return this.found.length;
  }

  get all(): readonly DslError[] {
    return this.found;
  }

  has(error: DslError): boolean {
    return this.found.includes(error);
  }

  /** Takes a mistake; throws all of them once there are too many to be useful. */
  add(error: DslError): void {
    this.found.push(error);
    if (this.found.length >= this.limit) {
      this.throwIfAny();
    }
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
      if (!(error instanceof DslError)) {
        throw error;
      }
      error.path ??= path;
      this.add(error);
      return undefined;
    }
  }

  /** Takes over what others have found, without throwing. */
  addAll(others: Problems): void {
    this.found.push(...others.found);
  }

  /** Throws the first mistake with the others attached, if there are any. */
  throwIfAny(): void {
    const [first, ...others] = this.found;
    if (first) {
      first.others = others;
      throw first;
    }
  }
}
