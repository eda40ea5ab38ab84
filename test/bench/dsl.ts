import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { DeploymentPlan, Plan } from '../../src/domain/plan.ts';
import { parseBlueprint } from '../../src/dsl/parse.ts';
import type { DocumentCache, ImportResolver } from '../../src/dsl/parse.ts';
import { prepareDeploymentPlan } from '../../src/dsl/prepare/index.ts';
import { expandPlan } from '../../src/topology/index.ts';
import { chainBlueprint, typesResolver } from './dsl-blueprints.ts';
import { measureReference } from './dsl-reference.ts';
import type { ReferenceFigure } from './dsl-reference.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';

/** How many times faster than the reference parsing and preparing have to be. */
const bars = { parse: 20, prepare: 50 };
/** All-to-all between neighbours: millions of relationships. */
const preparedTemplates = 10;
const preparedInstances = 500;
const linearSizes = [1000, 5000, 20_000];
const cachedBlueprints = 100;

interface Timing<Value> {
  value: Value;
  /** Of the processor, garbage collection included: a busy machine does not change it much. */
  processorSeconds: number;
  seconds: number;
}

/** Peak memory of this process so far. */
const peakRss = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

async function time<Value>(work: () => Promise<Value>): Promise<Timing<Value>> {
  const before = process.cpuUsage();
  const started = performance.now();
  const value = await work();
  const { user, system } = process.cpuUsage(before);
  return { value, processorSeconds: (user + system) / 1e6, seconds: (performance.now() - started) / 1000 };
}

/** The median of several runs by processor time; the first one, which compiles code, is one of them. */
async function timeOften<Value>(runs: number, work: () => Promise<Value>): Promise<Timing<Value>> {
  const timings: Timing<Value>[] = [];
  for (let run = 0; run < runs; run += 1) {
    timings.push(await time(work));
  }
  timings.sort((left, right) => left.processorSeconds - right.processorSeconds);
  return timings[Math.floor(runs / 2)] as Timing<Value>;
}

const mustBe = (what: string, actual: number, expected: number): void => {
  if (actual !== expected) {
    throw new Error(`${what}: ${actual} instead of ${expected}`);
  }
};

/** Reproducible "random" numbers. */
function makeRandom(): (bound: number) => number {
  let state = 1;
  return (bound) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % bound;
  };
}

function prepare(plan: Plan): Promise<DeploymentPlan> {
  return prepareDeploymentPlan(plan, { expand: (copy) => expandPlan(copy, makeRandom()) });
}

/** Seconds per size: time must grow with the instances, not with their square. */
async function measureLinearity(resolver: ImportResolver, log: (line: string) => void): Promise<object[]> {
  const figures: object[] = [];
  for (const size of linearSizes) {
    const plan = await parseBlueprint({ text: chainBlueprint(size), resolver });
    const { value, processorSeconds } = await timeOften(3, () => prepare(plan));
    mustBe(`instances of ${size} nodes`, value.node_instances.length, size);
    const microseconds = rounded((processorSeconds / size) * 1e6);
    log(`prepare ${size} nodes: ${rounded(processorSeconds)} s, ${microseconds} us per instance`);
    figures.push({ instances: size, processorSeconds: rounded(processorSeconds), microsecondsEach: microseconds });
  }
  return figures;
}

async function measureCache(resolver: ImportResolver): Promise<{ cold: number; cached: number }> {
  const parseAll = async (cache: DocumentCache | undefined): Promise<void> => {
    for (let index = 0; index < cachedBlueprints; index += 1) {
      await parseBlueprint({ text: `${chainBlueprint(3)}# ${index}\n`, resolver, cache });
    }
  };
  const cold = await time(() => parseAll(undefined));
  const cached = await time(() => parseAll(new Map()));
  return { cold: rounded(cold.processorSeconds), cached: rounded(cached.processorSeconds) };
}

/** The same blueprints through the reference, in the same minutes on the same machine. */
async function reference(
  texts: { parse: string; prepare: string },
  log: (line: string) => void,
): Promise<{ parse: ReferenceFigure; prepare: ReferenceFigure } | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-bench-dsl-'));
  try {
    const files = { parse: join(folder, 'parse.yaml'), prepare: join(folder, 'prepare.yaml') };
    await writeFile(files.parse, texts.parse);
    await writeFile(files.prepare, texts.prepare);
    // a process each: the peak memory of one must not be that of the other
    const [parse] = (await measureReference([`parse:${files.parse}`], log)) ?? [];
    const [prepare] = (await measureReference([`prepare:${files.prepare}`], log)) ?? [];
    return parse && prepare ? { parse, prepare } : undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Parsing and preparing blueprints in this process: 1000 node templates; 5000 instances of 10 nodes that are all
 * connected; up to 20 000 nodes; 100 blueprints that import the same types. Where Python can be had, the reference
 * parser does the same.
 * @param templates node templates of the parsed blueprint
 */
export async function benchLanguage(templates: number, log: (line: string) => void): Promise<BenchmarkResult> {
  const resolver = await typesResolver();
  const text = chainBlueprint(templates);
  const parsed = await timeOften(5, () => parseBlueprint({ text, resolver }));
  mustBe('parsed nodes', parsed.value.nodes.length, templates);
  const peakAfterParse = peakRss();
  log(`parse ${templates} templates: ${rounded(parsed.processorSeconds)} s, peak ${peakAfterParse} MiB`);
  const yaml = await timeOften(5, async () => load(text));

  const manyText = chainBlueprint(preparedTemplates, preparedInstances);
  const manyPlan = await parseBlueprint({ text: manyText, resolver });
  const prepared = await timeOften(5, () => prepare(manyPlan));
  const instances = preparedTemplates * preparedInstances;
  const relationships = prepared.value.node_instances.reduce((sum, item) => sum + item.relationships.length, 0);
  mustBe('prepared instances', prepared.value.node_instances.length, instances);
  mustBe('prepared relationships', relationships, (preparedTemplates - 1) * preparedInstances ** 2);
  const peakAfterPrepare = peakRss();
  log(`prepare ${instances} instances, ${relationships} relationships: ${rounded(prepared.processorSeconds)} s`);

  const linear = await measureLinearity(resolver, log);
  const cache = await measureCache(resolver);
  log(`${cachedBlueprints} blueprints with the same types: ${cache.cached} s, without the cache ${cache.cold} s`);

  const measured = await reference({ parse: text, prepare: manyText }, log);
  const timesFaster = measured && {
    parse: rounded(measured.parse.processorSeconds / parsed.processorSeconds),
    prepare: rounded(measured.prepare.processorSeconds / prepared.processorSeconds),
  };
  if (measured && timesFaster) {
    mustBe('instances of the reference', measured.prepare.instances ?? 0, instances);
    mustBe('relationships of the reference', measured.prepare.relationships ?? 0, relationships);
    for (const kind of ['parse', 'prepare'] as const) {
      const verdict = timesFaster[kind] >= bars[kind] ? 'met' : 'MISSED';
      const { processorSeconds, peakRssMiB } = measured[kind];
      log(`${kind} in the reference: ${rounded(processorSeconds)} s, ${peakRssMiB} MiB`);
      log(`${kind}: ${timesFaster[kind]} times as fast; bar ${bars[kind]}: ${verdict}`);
    }
  }
  const value = rounded(templates / parsed.processorSeconds);
  const limit = rounded(templates / yaml.processorSeconds);
  return {
    scenario: 'dsl',
    value,
    unit: 'node templates/s parsed',
    limit,
    limitUnit: 'node templates/s by the YAML parser alone',
    ratio: rounded(value / limit),
    peakRssMiB: peakRss(),
    templates,
    parse: { processorSeconds: rounded(parsed.processorSeconds), seconds: rounded(parsed.seconds), peakAfterParse },
    prepare: {
      processorSeconds: rounded(prepared.processorSeconds),
      seconds: rounded(prepared.seconds),
      instances,
      relationships,
      peakAfterPrepare,
    },
    linear,
    cache: { blueprints: cachedBlueprints, ...cache },
    bars,
    ...(measured && timesFaster ? { reference: measured, timesFaster } : {}),
  };
}
