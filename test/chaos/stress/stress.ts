import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { residentMemory } from '../../bench/memory.ts';
import { planFaults } from '../faults.ts';
import { Injector } from '../injector.ts';
import { SeededRandom } from '../random.ts';
import { Site } from '../site.ts';
import { verifyBroker } from '../verify-site.ts';
import { describeHung, endsWhileMoving } from '../watch.ts';
import { chooseAction } from './actions.ts';
import { packVariants, workFolder } from './blueprint.ts';
import { judgeFiles } from './files.ts';
import { judgeStore } from './judge.ts';
import { removeEverything, whatIsLeft } from './remains.ts';
import { Requests } from './requests.ts';
import type { Person } from './requests.ts';
import { Visit, prepare } from './world.ts';
import type { Shared } from './world.ts';

export interface StressOptions {
  /** Length of the load. */
  readonly seconds: number;
  readonly seed: number;
  readonly clients?: number;
  /** Processes that are killed meanwhile. */
  readonly kills?: number;
  readonly log?: (line: string) => void;
}

export interface StressResult {
  readonly seconds: number;
  /** Answers that came, and those of them that refused what was asked for. */
  readonly answers: number;
  readonly refusals: number;
  readonly executions: number;
  /** Executions that had not ended when nothing moved any more. */
  readonly hung: number;
  /** Whatever else was not as it should be: how much, and what. */
  readonly wrong: number;
  readonly complaints: readonly string[];
  /** Transactions that had to be made again since they were in each other's way. */
  readonly deadlocks: number;
  /** MiB by which the process that grew most has grown since the first third of the load. */
  readonly growth: number;
}

/** MiB; what the heap of a process takes while it finds its size is less. */
const tolerableGrowth = 200;

/**
 * Lets many people do everything at once on a manager of several processes over a real broker and database; then looks
 * whether what is stored contradicts itself, removes everything, and looks for what is left.
 */
export async function runStress(options: StressOptions): Promise<StressResult> {
  const log = options.log ?? (() => undefined);
  const folder = await workFolder();
  const site = await Site.start({ restProcesses: 2, environment: { TMPDIR: folder.path } });
  const database = new pg.Pool({ connectionString: site.databaseUrl, max: 2 });
  database.on('error', () => undefined);
  const complaints: string[] = [];
  try {
    const result = await load(site, database, folder.path, options, complaints, log);
    if (complaints.length > 0) {
      log(site.cluster.logs());
    }
    return { ...result, wrong: complaints.length, complaints };
  } finally {
    await database.end();
    const left = await site.stop();
    complaints.push(...left);
    complaints.forEach((complaint) => log(complaint));
    await folder.dispose();
  }
}

async function load(
  site: Site,
  database: pg.Pool,
  folder: string,
  options: StressOptions,
  complaints: string[],
  log: (line: string) => void,
): Promise<Omit<StressResult, 'wrong' | 'complaints'>> {
  const { seconds, seed, clients = 16, kills = 0 } = options;
  const journal = join(folder, 'journal');
  await writeFile(journal, '');
  const requests = new Requests(site.restUrls, kills > 0);
  const admin: Person = { name: 'admin', password: site.cluster.password, isReader: false };
  const shared = await prepare(requests, admin, await packVariants(journal));
  log('the load begins');
  const until = performance.now() + seconds * 1000;
  const people = Array.from({ length: clients }, async (_, index) => {
    const random = new SeededRandom(seed * 1000 + index);
    while (performance.now() < until) {
      const visit = new Visit(requests, shared, random);
      await chooseAction(visit).run(visit);
    }
  });
  const targets = { processes: site.processNames, servers: [] };
  const faults = new Injector(site, log).run(planFaults({ seed, kills, targets, others: 0 }));
  faults.catch(() => undefined);
  await delay((seconds * 1000) / 3);
  const before = memoryOf(site);
  await Promise.all([...people, faults]);
  log('the load is over; what runs comes to its end');
  const hung = await settle(site, database, requests, shared);
  complaints.push(...(await describeHung(site.databaseUrl, hung)));
  if (hung.length === 0) {
    complaints.push(...(await judgeStore(database)), ...(await judgeFiles(site, database, kills > 0)));
  }
  const growth = Math.max(...[...memoryOf(site)].map(([name, now]) => now - (before.get(name) ?? now)));
  if (growth > tolerableGrowth) {
    complaints.push(`a process grew by ${growth} MiB: ${JSON.stringify([...before, ...memoryOf(site)])}`);
  }
  const deadlocks = await count(
    database,
    'select deadlocks::integer as count from pg_stat_database where datname = current_database()',
  );
  describeDeadlocks(site.postgres.log).forEach(log);
  const executions = await count(database, 'select max(storage_id)::integer as count from executions');
  log('everything is removed');
  await removeEverything(requests, admin, database);
  complaints.push(...(await whatIsLeft(site, database)));
  complaints.push(...(await verifyBroker(site.rabbitmq, site.processNames)), ...requests.complaints);
  [...requests.counts].sort().forEach(([key, times]) => log(`${String(times).padStart(6)} ${key}`));
  return { seconds, ...requests.totals(), executions, hung: hung.length, deadlocks, growth };
}

const open = `status not in ('terminated', 'failed', 'cancelled', 'scheduled')`;

/** Lets go on what people have stopped, and waits until nothing runs any more. @returns what hangs */
async function settle(site: Site, database: pg.Pool, requests: Requests, { admin }: Shared): Promise<string[]> {
  let isGivenUp = false;
  const work = async (): Promise<void> => {
    for (;;) {
      const { rows } = await database.query<{ id: string; status: string; tenant: string }>(
        `select execution.id, execution.status, tenant.name as tenant from executions execution
         join tenants tenant on tenant.id = execution.tenant_id where ${open}`,
      );
      if (rows.length === 0 || isGivenUp) {
        return;
      }
      for (const { id, tenant } of rows.filter(({ status }) => status === 'paused')) {
        const call = { person: admin, tenant, path: `/executions/${id}` };
        await requests.send({ ...call, method: 'PUT', path: `${call.path}/breakpoints`, body: { breakpoints: [] } });
        await requests.send({ ...call, method: 'POST', body: { action: 'unpause' } });
      }
      // executions of groups without room wait until somebody gives them some
      await database.query('update execution_groups set concurrency = 5 where concurrency = 0');
      await delay(300);
    }
  };
  if (await endsWhileMoving(site.databaseUrl, work())) {
    return [];
  }
  isGivenUp = true;
  const { rows } = await database.query<{ id: string }>(`select id from executions where ${open}`);
  return rows.map(({ id }) => id);
}

function memoryOf(site: Site): Map<string, number> {
  return new Map(
    [...site.cluster.programs].flatMap(([name, { pid }]) => {
      const memory = residentMemory(pid);
      return memory === undefined ? [] : [[name, memory]];
    }),
  );
}

async function count(database: pg.Pool, statement: string): Promise<number> {
  const { rows } = await database.query<{ count: number | null }>(statement);
  return rows[0]?.count ?? 0;
}

/** What the server has written about deadlocks: who waited for whom, with which statements. */
function describeDeadlocks(lines: string): string[] {
  return lines
    .split(/^(?=\d{4}-\d\d-\d\d )/m)
    .filter((entry) => /Process \d+ waits for|CONTEXT:/.test(entry))
    .map((entry) => entry.replaceAll(/\s+/g, ' '));
}
