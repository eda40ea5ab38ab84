import { setTimeout as delay } from 'node:timers/promises';
import type { RoleName } from '../../src/config/config.ts';
import { chainBlueprint, deploy } from '../kit/blueprints.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { followExecution } from '../../src/client/follow.ts';
import type { GantryClient } from '../../src/client/client.ts';
import { SeededRandom } from './random.ts';
import { describeHung, verifyExecutions } from './verify.ts';

export interface ChaosOptions {
  kills: number;
  seed: number;
  /** Deployments that are installed and uninstalled over and over, all at the same time. */
  deployments?: number;
  log?: (line: string) => void;
}

export interface ChaosResult {
  seed: number;
  kills: number;
  executions: number;
  lost: number;
  hung: number;
  wrong: number;
  rerun: number;
  seconds: number;
}

/** Two of what does the work, so that one is there to take over, and one of the rest. */
const processes: readonly (readonly RoleName[])[] = [
  ['rest'],
  ['executor'],
  ['executor'],
  ['broker'],
  ['broker'],
  ['recorder'],
  ['scheduler'],
];
const levels = 3;
const instancesPerLevel = 3;
/** Seconds after the last kill within which everything must have ended. */
const patience = 180;

/** Installs and uninstalls deployments until it is told to stop; every execution is remembered. */
class Workload {
  readonly executions: string[] = [];
  readonly hung: string[] = [];
  private isStopping = false;
  private readonly limit = new AbortController();
  private readonly client: GantryClient;
  private readonly stopped: Promise<void>[] = [];

  constructor(client: GantryClient) {
    this.client = client;
  }

  start(deploymentId: string): void {
    this.stopped.push(this.cycle(deploymentId));
  }

  /** Lets what runs come to its end. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const timer = setTimeout(() => this.limit.abort(), patience * 1000);
    await Promise.all(this.stopped);
    clearTimeout(timer);
  }

  private async cycle(deploymentId: string): Promise<void> {
    while (!this.isStopping) {
      for (const workflow of ['install', 'uninstall']) {
        if (!(await this.run(deploymentId, workflow))) {
          return;
        }
      }
    }
  }

  /** Whether the execution succeeded, so that the next one makes sense. */
  private async run(deploymentId: string, workflow: string): Promise<boolean> {
    const { id } = await this.client.executions.start(deploymentId, workflow);
    this.executions.push(id);
    try {
      const ended = await followExecution(this.client, id, { signal: this.limit.signal, patience: 300_000 });
      return ended.status === 'terminated';
    } catch (error) {
      if (!this.limit.signal.aborted) {
        throw error;
      }
      this.hung.push(id);
      return false;
    }
  }
}

/** Kills a random process at a random moment and starts it again a little later. */
async function killSome(cluster: ManagerCluster, random: SeededRandom, options: ChaosOptions): Promise<number> {
  const victims = [...cluster.programs.keys()].filter((name) => /^(executor|broker|recorder|scheduler)/.test(name));
  // what does the work is where dying hurts
  const weighted = victims.flatMap((name) => (/^(executor|broker)/.test(name) ? [name, name, name] : [name]));
  const restarts: Promise<unknown>[] = [];
  const down = new Set<string>();
  let kills = 0;
  while (kills < options.kills) {
    await delay(random.between(20, 700));
    const name = random.pick(weighted);
    if (down.has(name)) {
      continue;
    }
    down.add(name);
    kills += 1;
    options.log?.(`kill ${kills}: ${name}`);
    await cluster.kill(name);
    const pause = random.between(0, 1500);
    restarts.push(
      delay(pause)
        .then(() => cluster.restart(name))
        .then((program) => program.ready)
        .then(() => down.delete(name)),
    );
  }
  await Promise.all(restarts);
  return kills;
}

/**
 * Runs workflows on a manager of several processes over a real broker and database while processes are killed, and
 * tells what became of them.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const started = performance.now();
  const random = new SeededRandom(options.seed);
  const [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
  const databaseUrl = await postgres.createDatabase();
  const cluster = await ManagerCluster.start({
    databaseUrl,
    amqpUrl: rabbitmq.url,
    amqpManagementUrl: rabbitmq.managementUrl,
    processes,
    environment: { GANTRY_STALE_AFTER: '2', GANTRY_LOG_LEVEL: 'warn' },
  });
  try {
    const blueprint = chainBlueprint({
      levels,
      instancesPerLevel,
      implementation: 'gantry.sleep',
      inputs: { seconds: 0.05 },
    });
    const workload = new Workload(cluster.client);
    for (let index = 0; index < (options.deployments ?? 4); index += 1) {
      await deploy(cluster.client, `chaos-${index}`, blueprint);
      workload.start(`chaos-${index}`);
    }
    const kills = await killSome(cluster, random, options);
    await workload.stop();
    const findings = await verifyExecutions(
      databaseUrl,
      workload.executions.filter((id) => !workload.hung.includes(id)),
      levels * instancesPerLevel,
    );
    for (const complaint of [
      ...findings.lost,
      ...findings.wrong,
      ...(await describeHung(databaseUrl, workload.hung)),
    ]) {
      options.log?.(complaint);
    }
    return {
      seed: options.seed,
      kills,
      executions: workload.executions.length,
      lost: findings.lost.length,
      hung: workload.hung.length,
      wrong: findings.wrong.length,
      rerun: findings.rerun,
      seconds: Math.round((performance.now() - started) / 1000),
    };
  } finally {
    if (process.env['GANTRY_TEST_VERBOSE'] !== undefined) {
      options.log?.(cluster.logs());
    }
    await cluster.stop();
    await Promise.all([rabbitmq.stop(), postgres.stop()]);
  }
}
