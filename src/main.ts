import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

const interruption = new AbortController();
let interruptions = 0;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interruptions += 1;
    if (interruptions > 1) {
      // asked twice: whoever waits does not want to wait for a clean end
      process.exit(130);
    }
    interruption.abort(new DOMException('Interrupted', 'AbortError'));
  });
}
// a reader that went away (`gantry ... | head`) is no failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCommandLine(process.argv.slice(2), processTerminal(), interruption.signal, {
  start: async (config, log, signal) => (await import('./manager.ts')).startManager(config, log, signal),
  migrate: async (config, log) => (await import('./manager.ts')).migrateDatabase(config, log),
  keys: async (config, log, work) => (await import('./manager.ts')).withKeyRotation(config, log, work),
});

// something that never ends, such as a connection nobody closed, must not keep the program from ending
setTimeout(() => process.exit(), 3000).unref();
