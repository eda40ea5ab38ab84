import { deploymentShape } from '../../src/rest/shapes/deployment.ts';
import { parseList, QueryValues } from '../../src/rest/query.ts';
import type { Database } from '../../src/store/database.ts';
import { listDeploymentGroups } from '../../src/store/deployment-groups.ts';
import { getDeployment, listDeployments } from '../../src/store/deployments.ts';
import { listEvents } from '../../src/store/events.ts';
import type { Scope } from '../../src/store/scope.ts';
import type { Session } from '../../src/store/session.ts';
import { startNginxFor } from '../kit/nginx-manager.ts';
import { isNginxInstalled } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { measureAuthentication } from './authentication.ts';
import { Limits } from './limits.ts';
import type { Statement } from './limits.ts';
import { LoadGenerator } from './load-generator.ts';
import type { RequestKind } from './load-requests.ts';
import { rounded } from './report.ts';
import type { BenchmarkResult } from './report.ts';
import { fillManager } from './rest-data.ts';
import { memoryOf, withStack } from './stack-use.ts';
import type { Stack } from './stack.ts';
import type { LatencySummary } from './statistics.ts';

const clientCounts = [1, 32] as const;
const seconds = 2;
const warmUp = 0.5;
const eventsPerDeployment = 50;
/** The line that is set beside Express, and how often. */
const comparedLine = 'deployment';
const comparisons = 3;

/** One kind of request, and the first statement of its answer where that alone says how cheap it could be. */
interface Line {
  readonly name: string;
  readonly request: RequestKind;
  readonly read?: (session: Session) => Promise<unknown>;
}

/** What was measured of one line with a number of clients. */
interface Figures extends LatencySummary {
  readonly clients: number;
  /** The statement of its page alone, with JSON made of the rows. */
  readonly sql?: LatencySummary;
  /** Time of the answer over that of the statement. */
  readonly timesSql?: number;
  /** Answers per second over those of Express with one query. */
  readonly ofExpress: number;
}

const tenant: Scope = { tenantId: 0, viewer: { userId: 0, administers: 'all' } };

function linesOf(deployments: number, instances: readonly string[]): Line[] {
  const page = parseList(new QueryValues('_size=1000'), deploymentShape).query;
  const one = `copy-${Math.ceil(deployments / 2)}`;
  const events = { executionIds: ['execution-7'], size: 1000 };
  const get = (path: string): RequestKind => ({ kind: 'get', path });
  return [
    {
      name: 'empty list',
      request: get('/deployment-groups'),
      read: (session) => listDeploymentGroups(session, tenant, { size: 1000 }),
    },
    {
      name: 'list of 1000 deployments',
      request: get('/deployments?_size=1000'),
      read: (session) =>
        listDeployments(session, tenant, { ...page, fields: page.fields!.filter((f) => f !== 'workflows') }),
    },
    {
      name: comparedLine,
      request: get(`/deployments/${one}`),
      read: (session) => getDeployment(session, tenant, one),
    },
    { name: 'patch of a node instance', request: { kind: 'patch-instance', ids: instances } },
    { name: 'new site', request: { kind: 'put', path: '/sites/site-{n}', body: { location: '32.1,34.8' } } },
    {
      name: 'new deployment',
      request: { kind: 'put', path: '/deployments/new-{n}?async_create=true', body: { blueprint_id: 'original' } },
    },
    {
      name: '1000 events of an execution',
      request: get('/events?execution_id=execution-7&_size=1000'),
      read: (session) => listEvents(session, tenant, events),
    },
    {
      name: '1000 events of all',
      request: get('/events?_size=1000'),
      read: (session) => listEvents(session, tenant, { size: 1000 }),
    },
  ];
}

/** The statement that reads most of what `read` gives. */
async function mainStatement(database: Database, read: NonNullable<Line['read']>): Promise<Statement> {
  const statements: (Statement & { size: number })[] = [];
  const note = async <Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> => {
    const rows = await database.query<Row>(text, values);
    statements.push({ text, values, size: JSON.stringify(rows).length });
    return rows;
  };
  const session: Session = {
    query: note,
    prepared: note,
    lookUp: note,
    transaction: (work) => database.transaction(work),
  };
  await read(session);
  const [first, ...others] = statements;
  if (!first) {
    throw new Error('Nothing was read');
  }
  const { text, values } = others.reduce((largest, next) => (next.size > largest.size ? next : largest), first);
  return { text, values };
}

interface Measurement {
  readonly stack: Stack;
  readonly generator: LoadGenerator;
  readonly limits: Limits;
  readonly headers: Readonly<Record<string, string>>;
  readonly log: (line: string) => void;
}

async function measureLine(
  { stack, generator, limits, headers, log }: Measurement,
  line: Line,
  express: ReadonlyMap<number, LatencySummary>,
): Promise<Figures[]> {
  const statement = line.read && (await mainStatement(stack.database, line.read));
  const figures: Figures[] = [];
  for (const clients of clientCounts) {
    const target = { url: stack.cluster.url, prefix: '/api/v3.1', headers };
    const ours = await generator.run({ ...target, clients, seconds, warmUp, requests: [line.request] });
    if (ours.failed > 0) {
      throw new Error(`${line.name}: ${ours.failed} failed requests, e.g. ${JSON.stringify(ours.failures[0])}`);
    }
    const sql = statement && (await limits.sql(statement, clients, seconds));
    const { count, perSecond, p50, p99 } = ours;
    figures.push({
      ...{ clients, count, perSecond, p50, p99 },
      ...(sql ? { sql, timesSql: rounded(p50 / sql.p50) } : {}),
      ofExpress: rounded(perSecond / (express.get(clients)?.perSecond ?? Number.NaN)),
    });
    const beside = sql ? `, SQL alone ${sql.perSecond}/s (${sql.p50} ms)` : '';
    log(`${line.name}, ${clients} clients: ${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms${beside}`);
  }
  return figures;
}

async function measureExpress(
  { generator, limits, log }: Measurement,
  id: string,
): Promise<Map<number, LatencySummary>> {
  const figures = new Map<number, LatencySummary>();
  for (const clients of clientCounts) {
    const { count, perSecond, p50, p99 } = await generator.run({
      ...{ url: limits.url, clients, seconds, warmUp },
      requests: [{ kind: 'get', path: `/deployments/${id}` }],
    });
    figures.set(clients, { count, perSecond, p50, p99 });
    log(`Express with one query, ${clients} clients: ${perSecond}/s, p50 ${p50} ms, p99 ${p99} ms`);
  }
  return figures;
}

interface Comparison {
  readonly express: ReadonlyMap<number, LatencySummary>;
  readonly figures: readonly Figures[];
}

/** Measures Express and a line in turn, so that both meet the same machine, and gives the round in the middle. */
async function compareWithExpress(measurement: Measurement, line: Line): Promise<Comparison> {
  const rounds: Comparison[] = [];
  for (let round = 0; round < comparisons; round += 1) {
    const express = await measureExpress(measurement, 'copy-1');
    rounds.push({ express, figures: await measureLine(measurement, line, express) });
  }
  const share = ({ figures }: Comparison): number => figures.at(-1)?.ofExpress ?? 0;
  const [middle] = rounds.sort((one, other) => share(one) - share(other)).slice(Math.floor(comparisons / 2));
  return middle as Comparison;
}

/** The same get through the product's nginx; undefined where there is none. */
async function measureNginx({ stack, generator, headers, log }: Measurement, line: Line): Promise<number | undefined> {
  if (!isNginxInstalled()) {
    return undefined;
  }
  const port = await freePort();
  const nginx = await startNginxFor(port, stack.cluster);
  try {
    const url = `http://127.0.0.1:${port}`;
    const target = { url, prefix: '/api/v3.1', headers, clients: 32, seconds, warmUp };
    const { perSecond } = await generator.run({ ...target, requests: [line.request] });
    log(`${line.name}, 32 clients, through nginx: ${perSecond}/s`);
    return perSecond;
  } finally {
    await nginx.stop();
  }
}

async function measureAll(measurement: Measurement, lines: readonly Line[]): Promise<Partial<BenchmarkResult>> {
  const get = lines.find(({ name }) => name === comparedLine);
  if (!get) {
    throw new Error(`There is no line ${comparedLine}`);
  }
  const { express, figures } = await compareWithExpress(measurement, get);
  const results: Record<string, readonly Figures[]> = { [get.name]: figures };
  for (const line of lines.filter((entry) => entry !== get)) {
    results[line.name] = await measureLine(measurement, line, express);
  }
  const throughNginx = await measureNginx(measurement, get);
  const [alone, many] = figures;
  const list = results['list of 1000 deployments'] ?? [];
  const limit = express.get(32)?.perSecond ?? Number.NaN;
  return {
    value: many?.perSecond ?? 0,
    limit,
    ratio: rounded((many?.perSecond ?? 0) / limit),
    getOfExpress: Object.fromEntries([alone, many].map((figure) => [figure?.clients, figure?.ofExpress])),
    listTimesSql: Object.fromEntries(list.map((figure) => [figure.clients, figure.timesSql])),
    getThroughNginx: throughNginx,
    express: Object.fromEntries(express),
    lines: results,
  };
}

/**
 * Requests per second of the REST process beside Express with one query, and beside its statements alone.
 * @param deployments rows to choose from; there are fifty times as many events
 */
export async function benchRest(deployments: number, log: (line: string) => void): Promise<BenchmarkResult> {
  const processes = [['rest'], ['executor', 'broker', 'recorder', 'scheduler']] as const;
  return withStack({ processes }, async (stack) => {
    const { client, password, programs } = stack.cluster;
    const sizes = { deployments, events: deployments * eventsPerDeployment };
    const instances = await fillManager(client, stack.database, sizes);
    // what the requests begin is not carried out: only the REST process is measured
    await programs.get('all-2')?.stop();
    log(`${sizes.deployments} deployments and ${sizes.events} events are in place`);
    const limits = await Limits.start(stack.databaseUrl);
    const generator = await LoadGenerator.start();
    const authorization = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`;
    const headers = { authorization, tenant: 'default_tenant' };
    try {
      const measurement = { stack, generator, limits, headers, log };
      const figures = await measureAll(measurement, linesOf(deployments, instances));
      const authentication = await measureAuthentication(stack.database, client, password);
      log(`authentication: ${JSON.stringify(authentication)} ms`);
      return {
        scenario: 'rest',
        value: 0,
        unit: 'answers/s, one deployment, 32 clients',
        limit: 0,
        limitUnit: 'answers/s of Express with one query, 32 clients',
        ratio: 0,
        ...figures,
        authenticationMilliseconds: authentication,
        ...memoryOf(stack),
      };
    } finally {
      await Promise.all([generator.stop(), limits.stop()]);
    }
  });
}
