import type { Execution } from '../domain/entities.ts';
import { isExecutionEnded } from '../domain/states.ts';
import type { Database } from '../store/database.ts';
import { findExecution } from '../store/executions.ts';

/** Channel on which the store tells ids of executions whose status changed. */
const channel = 'gantry_executions';

/** Lets requests wait for executions: told by the database, nothing is polled. */
export interface ExecutionWaiter {
  /**
   * Waits until the execution has ended or is gone.
   * @param timeout milliseconds
   * @returns the execution as it is then, also when the time is over; undefined when it is gone
   */
  waitUntilEnded(executionId: string, timeout: number, signal?: AbortSignal): Promise<Execution | undefined>;
  stop(): Promise<void>;
}

/** Starts listening; one connection serves all who wait in this process. */
export async function startExecutionWaiter(database: Database): Promise<ExecutionWaiter> {
  const wakers = new Map<string, Set<() => void>>();
  const unlisten = await database.listen(channel, (payload) => {
    // no payload: notifications may have been missed, so everybody looks again
    const woken = payload === undefined ? [...wakers.values()] : [wakers.get(payload)];
    for (const group of woken) {
      group?.forEach((wake) => wake());
    }
  });

  const enter = (executionId: string, wake: () => void): (() => void) => {
    const group = wakers.get(executionId) ?? new Set();
    wakers.set(executionId, group);
    group.add(wake);
    return () => {
      group.delete(wake);
      if (group.size === 0) {
        wakers.delete(executionId);
      }
    };
  };

  return {
    async waitUntilEnded(executionId, timeout, signal) {
      let isOver = false;
      let wake: () => void = () => undefined;
      let woken = new Promise<void>((resolve) => (wake = resolve));
      const leave = enter(executionId, () => wake());
      const finish = (): void => {
        isOver = true;
        wake();
      };
      const timer = setTimeout(finish, timeout);
      signal?.addEventListener('abort', finish, { once: true });
      try {
        for (;;) {
          const execution = await findExecution(database, executionId);
          if (!execution || isExecutionEnded(execution.status) || isOver || signal?.aborted) {
            return execution;
          }
          await woken;
          woken = new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        leave();
      }
    },
    stop: unlisten,
  };
}
