import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { runEmbeddedChaos } from './embedded.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    deployments: { type: 'string', default: '2' },
    others: { type: 'string', default: '25' },
    embedded: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
});
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(1).padStart(6);
const result = await (values.embedded ? runEmbeddedChaos : runChaos)({
  kills: Number(values.kills),
  seed: Number(values.seed),
  deployments: Number(values.deployments),
  others: Number(values.others),
  log: (line) => {
    if (!values.quiet) {
      console.error(`${seconds()} ${line}`);
    }
  },
});
console.log(JSON.stringify(result));
// Not by itself: Node can wait for ever, when it ends, for sockets that were reset while they were paused.
process.exit(result.lost + result.hung + result.wrong === 0 ? 0 : 1);
