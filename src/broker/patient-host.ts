import { setTimeout as delay } from 'node:timers/promises';
import type { OperationHost } from '../runtime/types.ts';
import { isConnectionError } from '../store/database-errors.ts';

/** Milliseconds an operation waits for the database; the clients of `ctx` do not wait longer by themselves. */
const defaultLimit = 25_000;
const firstPause = 50;
const longestPause = 1000;

/**
 * Keeps short absences of the database from operations: what they ask for is asked again until an answer comes. All of
 * it may be repeated: a change of a node instance that was stored unheard is refused as a conflict the second time,
 * which the runtime resolves by what it changed.
 * @param limit milliseconds after which an operation hears of the failure all the same
 */
export function patientHost(host: OperationHost, limit = defaultLimit): OperationHost {
  const patiently =
    <Words extends unknown[], Result>(call: (...words: Words) => Promise<Result>) =>
    (...words: Words): Promise<Result> =>
      repeated(() => call(...words), limit);
  return {
    getNode: patiently((...words) => host.getNode(...words)),
    getNodeInstance: patiently((...words) => host.getNodeInstance(...words)),
    updateNodeInstance: patiently((...words) => host.updateNodeInstance(...words)),
    evaluateFunctions: patiently((...words) => host.evaluateFunctions(...words)),
    getSecret: patiently((...words) => host.getSecret(...words)),
    readResource: patiently((...words) => host.readResource(...words)),
    downloadResource: patiently((...words) => host.downloadResource(...words)),
    writeDeploymentFile: patiently((...words) => host.writeDeploymentFile(...words)),
    deleteDeploymentFile: patiently((...words) => host.deleteDeploymentFile(...words)),
    ask: patiently((...words) => host.ask(...words)),
    // these do not throw
    log: (...words) => host.log(...words),
    sendEvent: (...words) => host.sendEvent(...words),
  };
}

async function repeated<Result>(call: () => Promise<Result>, limit: number): Promise<Result> {
  const deadline = performance.now() + limit;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      return await call();
    } catch (error) {
      if (!isConnectionError(error) || performance.now() + pause > deadline) {
        throw error;
      }
      await delay(pause);
    }
  }
}
