import { WriterStoppedError } from './progress-writer.ts';

/**
 * What one run of an execution stores of its progress. The store refuses progress of another process, but cannot tell two
 * runs in one process apart: the next one may begin only when nothing of this one is under way.
 */
export class RunWrites {
  readonly #pending = new Set<Promise<unknown>>();
  #isClosed = false;

  /**
   * Stores something for the run.
   * @param store resolves after the commit
   * @throws WriterStoppedError after `close`, and what storing fails with
   */
  async add(store: () => Promise<void>): Promise<void> {
    if (this.#isClosed) {
      throw new WriterStoppedError('The run of the execution is over');
    }
    const writing = store();
    const settled = writing
      .catch(() => undefined)
      .finally(() => {
        this.#pending.delete(settled);
      });
    this.#pending.add(settled);
    return writing;
  }

  /** Takes nothing more; resolves when all that was taken is stored or has failed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#pending);
  }
}
