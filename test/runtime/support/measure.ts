/**
 * Prints what operations cost on this machine: `npx tsx test/runtime/support/measure.ts`.
 */
import { FakeHost } from './fake-host.ts';
import { contextOf, resultOf, scriptRequest, startRuntime } from './operations.ts';
import type { OperationRequest } from '../../../src/runtime/types.ts';

const test = await startRuntime();
const host = new FakeHost().addNode('web', { port: 8080 });
host.resources.set('empty.sh', '#!/bin/sh\n:\n');
host.resources.set('calls.sh', '#!/bin/bash\nfor i in {1..100}; do ctx node properties port >/dev/null; done\n');
host.resources.set(
  'sourced.sh',
  '#!/bin/bash\n. ctx-sh\nfor i in {1..100}; do ctx node properties port >/dev/null; done\n',
);

/** Runs an operation `count` times, `inFlight` at once, and answers with the milliseconds for one. */
async function measure(request: OperationRequest, count: number, inFlight: number): Promise<number> {
  let started = 0;
  const begin = performance.now();
  const worker = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      resultOf(await test.runtime.run(request, host));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (performance.now() - begin) / count;
}

function report(what: string, milliseconds: number): void {
  console.log(`${what.padEnd(44)} ${milliseconds.toFixed(4)} ms  ${Math.round(1000 / milliseconds)}/s`);
}

const noop = { context: contextOf('noop'), inputs: {} };
await measure(noop, 2000, 1);
report('built-in no-op', await measure(noop, 50_000, 10));
const empty = scriptRequest({ script_path: 'empty.sh' });
await measure(empty, 20, 4);
report('empty script, one at a time', await measure(empty, 200, 1));
report('empty script, 8 in flight', await measure(empty, 1000, 8));
report('ctx call of a script', (await measure(scriptRequest({ script_path: 'calls.sh' }), 3, 1)) / 100);
report('ctx call with ctx-sh', (await measure(scriptRequest({ script_path: 'sourced.sh' }), 3, 1)) / 100);
await test.stop();
