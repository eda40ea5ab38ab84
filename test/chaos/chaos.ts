import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { planFaults, servers } from './faults.ts';
import { Injector } from './injector.ts';
import { Site } from './site.ts';
import { verifyExecutions } from './verify.ts';
import { verifyBroker, verifyStore } from './verify-site.ts';
import { describeHung, endsWhileMoving } from './watch.ts';
import { Workload } from './workload.ts';

export interface ChaosOptions {
  kills: number;
  seed: number;
  /** Deployments that live at the same time. */
  deployments?: number;
  /** Hung processes and cut networks for every hundred kills; default 25. */
  others?: number;
  log?: (line: string) => void;
}

export interface ChaosResult {
  kills: number;
  executions: number;
  lost: number;
  hung: number;
  wrong: number;
  rerun: number;
}

/**
 * Leads deployments through their life on a manager of several processes over a real broker and database while
 * everything dies now and then, and tells what became of their executions.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const log = options.log ?? (() => undefined);
  const folder = await mkdtemp(join(tmpdir(), 'gantry-chaos-'));
  const journal = join(folder, 'journal');
  await writeFile(journal, '');
  const site = await Site.start();
  const complaints: string[] = [];
  let result: ChaosResult;
  let left: string[] = [];
  try {
    const workload = new Workload(site.cluster.client, journal);
    for (let index = 0; index < (options.deployments ?? 2); index += 1) {
      await workload.start(`chaos-${index}`);
    }
    const injector = new Injector(site, log);
    const faults = planFaults({
      seed: options.seed,
      kills: options.kills,
      targets: { processes: site.processNames, servers },
      others: options.others ?? 25,
    });
    const kills = await injector.run(faults);
    log('everything is mended; what runs comes to its end');
    if (!(await endsWhileMoving(site.databaseUrl, workload.stop()))) {
      workload.giveUp();
    }
    const hung = [...workload.open];
    const runs = workload.runs.filter(({ id }) => !workload.open.has(id));
    const { incidents } = injector;
    const findings = await verifyExecutions({
      databaseUrl: site.databaseUrl,
      runs,
      sightings: workload.sightings,
      incidents,
      journal,
    });
    const remains =
      hung.length > 0
        ? []
        : [...(await verifyStore(site.databaseUrl)), ...(await verifyBroker(site.rabbitmq, site.processNames))];
    const wrong = [...workload.complaints, ...findings.wrong, ...remains];
    complaints.push(...findings.lost, ...wrong, ...(await describeHung(site.databaseUrl, hung)));
    result = {
      kills,
      executions: workload.runs.length,
      lost: findings.lost.length,
      hung: hung.length,
      wrong: wrong.length,
      rerun: findings.rerun,
    };
  } finally {
    if (complaints.length > 0 || process.env['GANTRY_TEST_VERBOSE'] !== undefined) {
      log(site.cluster.logs());
    }
    complaints.forEach((complaint) => log(complaint));
    await rm(folder, { recursive: true, force: true });
    log('everything is stopped');
    left = await site.stop();
    log('everything has stopped');
  }
  left.forEach((process) => log(`left running: ${process}`));
  return { ...result, wrong: result.wrong + left.length };
}
