import { parseArgs } from 'node:util';
import { runStress } from './stress.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '16' },
    kills: { type: 'string', default: '0' },
    quiet: { type: 'boolean', default: false },
  },
});
const started = performance.now();
const result = await runStress({
  seconds: Number(values.seconds),
  seed: Number(values.seed),
  clients: Number(values.clients),
  kills: Number(values.kills),
  log: (line) => {
    if (!values.quiet) {
      console.error(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} ${line}`);
    }
  },
});
const { complaints: _told, ...figures } = result;
console.log(JSON.stringify(figures));
// Not by itself: Node can wait for ever, when it ends, for sockets that were reset while they were paused.
process.exit(result.hung + result.wrong === 0 ? 0 : 1);
