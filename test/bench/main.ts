import { parseArgs } from 'node:util';
import { benchLanguage } from './dsl.ts';
import { benchLoad } from './load.ts';
import { benchConcurrent, benchDeployments } from './many.ts';
import { benchFlatness, benchOperations } from './ops.ts';
import type { BenchmarkResult } from './report.ts';
import { benchRest } from './rest.ts';
import { benchIdle, benchLarge, benchLatency } from './single.ts';

interface Options {
  instances: readonly number[] | undefined;
  /** How long to measure; undefined = as long as the scenario does. */
  seconds: number | undefined;
}

/** Every scenario by name. Each starts what it needs, checks that what it measured is right, and cleans up. */
const scenarios: Readonly<Record<string, (options: Options, log: (line: string) => void) => Promise<BenchmarkResult>>> =
  {
    dsl: ({ instances }, log) => benchLanguage(instances?.[0] ?? 1000, log),
    ops: ({ instances }, log) => benchOperations(instances ?? [1000], log),
    'ops-flat': ({ instances }, log) => benchFlatness(instances ?? [100, 1000, 5000], log),
    deployments: ({ instances }, log) => benchDeployments(instances?.[0] ?? 1000, log),
    large: ({ instances }, log) => benchLarge(instances?.[0] ?? 10_000, log),
    latency: ({ instances }, log) => benchLatency(instances?.[0] ?? 300, log),
    concurrent: ({ instances }, log) => benchConcurrent(instances?.[0] ?? 1000, log),
    idle: (_options, log) => benchIdle(log),
    load: ({ seconds }, log) => benchLoad(seconds ?? 300, log),
    rest: ({ instances }, log) => benchRest(instances?.[0] ?? 20_000, log),
  };

function sizesOf(text: string | undefined): readonly number[] | undefined {
  const sizes = text?.split(',').map(Number);
  if (sizes?.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new Error(`--instances takes whole numbers separated by commas, got "${text}"`);
  }
  return sizes;
}

function secondsOf(text: string | undefined): number | undefined {
  const seconds = text === undefined ? undefined : Number(text);
  if (seconds !== undefined && !(seconds >= 1)) {
    throw new Error(`--seconds takes a number of seconds, got "${text}"`);
  }
  return seconds;
}

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, instances: { type: 'string' }, seconds: { type: 'string' } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : ['ops'];
for (const name of names) {
  const scenario = scenarios[name];
  if (!scenario) {
    console.error(`There is no scenario ${name}; there are ${Object.keys(scenarios).join(', ')}.`);
    process.exit(2);
  }
  const log = (line: string): void => console.error(`${name}: ${line}`);
  const result = await scenario({ instances: sizesOf(values.instances), seconds: secondsOf(values.seconds) }, log);
  if (values.json) {
    console.log(JSON.stringify(result));
  } else {
    const percent = `${(result.ratio * 100).toFixed(1)} %`;
    console.log(`${name}: ${result.value} ${result.unit}, ${percent} of ${result.limit} ${result.limitUnit}`);
    console.log(`${name}: peak memory ${result.peakRssMiB} MiB`);
    console.log(JSON.stringify(result));
  }
}
