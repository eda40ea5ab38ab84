/** Program of a test: runs a script that never ends, prints its process id and waits to be killed. */
import { builtinPlugins } from '../../../src/runtime/node/builtins.ts';
import { makeRuntime } from '../../../src/runtime/runtime.ts';
import { FakeHost } from './fake-host.ts';
import { scriptRequest } from './operations.ts';

const runtime = makeRuntime({
  defaultTimeoutSeconds: 60,
  temporaryDirectory: process.argv[2] ?? '',
  builtins: builtinPlugins(),
});
const host = new FakeHost().addNode('web');
host.onLog = (entry) => {
  const pid = /^<out> pid (\d+)$/.exec(entry.message)?.[1];
  if (pid !== undefined) {
    process.stdout.write(`${pid}\n`);
  }
};
await runtime.run(scriptRequest({ script_source: 'echo "pid $$"\nexec sleep 50\n' }), host);
