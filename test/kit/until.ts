import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `condition` gives something other than undefined or false, and returns it. For tests of other processes,
 * which can only be asked again; inside one process wait for an event.
 * @param what completes "Waited ... for", said when it never came
 * @param seconds how long to go on; generous, since it only decides how long a failing test takes
 */
export async function until<Result>(
  what: string,
  condition: () => Promise<Result | undefined | false> | Result | undefined | false,
  seconds = 60,
): Promise<Result> {
  const deadline = performance.now() + seconds * 1000;
  for (let pause = 10; ; pause = Math.min(pause * 1.5, 250)) {
    const result = await condition();
    if (result !== undefined && result !== false) {
      return result;
    }
    if (performance.now() > deadline) {
      throw new Error(`Waited ${seconds} s for ${what}`);
    }
    await delay(pause);
  }
}
