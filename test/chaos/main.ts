import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    deployments: { type: 'string', default: '4' },
    quiet: { type: 'boolean', default: false },
  },
});
const result = await runChaos({
  kills: Number(values.kills),
  seed: Number(values.seed),
  deployments: Number(values.deployments),
  log: (line) => {
    if (!values.quiet) {
      console.error(line);
    }
  },
});
console.log(JSON.stringify(result));
process.exitCode = result.lost + result.hung + result.wrong === 0 ? 0 : 1;
