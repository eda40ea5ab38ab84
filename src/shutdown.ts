import type { Logger } from './log/logger.ts';

/** Milliseconds a part may take to stop before the next one is stopped all the same; a task broker waits 10 s itself. */
const defaultLimit = 20_000;

/** What has to be ended: in the opposite order of its start, each part whatever becomes of the others. */
export class Shutdown {
  private readonly steps: { part: string; end: () => Promise<unknown> }[] = [];
  private readonly log: Logger;
  private readonly limit: number;
  private running: Promise<void> | undefined;

  /** @param limit milliseconds that each part may take */
  constructor(log: Logger, limit = defaultLimit) {
    this.log = log;
    this.limit = limit;
  }

  add(part: string, end: () => Promise<unknown>): void {
    this.steps.push({ part, end });
  }

  /** Ends everything once, however often it is called. */
  run(): Promise<void> {
    this.running ??= this.endAll();
    return this.running;
  }

  private async endAll(): Promise<void> {
    for (const { part, end } of this.steps.reverse()) {
      this.log.debug('Stopping', { part });
      await this.endOne(part, end).catch((error: unknown) =>
        this.log.error('A component failed to stop cleanly', { part, error }),
      );
    }
  }

  /** A part that waits for something that never comes must not keep the process from ending. */
  private async endOne(part: string, end: () => Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.log.error('A component did not stop in time', { part, milliseconds: this.limit });
        resolve();
      }, this.limit);
    });
    await Promise.race([end(), late]).finally(() => clearTimeout(timer));
  }
}
