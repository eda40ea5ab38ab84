import { operationError } from '../../src/domain/operation-error.ts';
import type { OperationRequest } from '../../src/runtime/types.ts';
import type { OperationFunction } from './engine.ts';

/** Counts operations, and lets a test hold them. */
export class HeldOperations {
  readonly runs: { key: string; request: OperationRequest }[] = [];
  readonly aborted: string[] = [];
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;

  readonly run: OperationFunction = async (request, signal) => {
    const key = `${request.context.operation?.name.split('.').at(-1) ?? ''} ${request.context.node_id ?? ''}`;
    this.runs.push({ key, request });
    this.#waiting.filter(({ count }) => this.runs.length >= count).forEach(({ resolve }) => resolve());
    if (this.#gate) {
      const killed = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await Promise.race([this.#gate, killed]);
      if (signal.aborted) {
        this.aborted.push(key);
        return { ok: false, error: operationError({ kind: 'NonRecoverableError', message: 'Process terminated' }) };
      }
    }
    return { ok: true, result: null };
  };

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  release(): void {
    this.#gate = undefined;
    this.#open();
  }

  started(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.runs.length >= count) {
        resolve();
      } else {
        this.#waiting.push({ count, resolve });
      }
    });
  }

  keys(): string[] {
    return this.runs.map(({ key }) => key).sort();
  }
}
