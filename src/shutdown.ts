import type { Logger } from './log/logger.ts';

/** What has to be ended: in the opposite order of its start, each part whatever becomes of the others. */
export class Shutdown {
  private readonly steps: { part: string; end: () => Promise<unknown> }[] = [];
  private readonly log: Logger;
  private running: Promise<void> | undefined;

  constructor(log: Logger) {
    this.log = log;
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
      await end().catch((error: unknown) => this.log.error('A part did not stop cleanly', { part, error }));
    }
  }
}
