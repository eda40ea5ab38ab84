import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { followExecution } from '../../src/client/follow.ts';
import { chainBlueprint, deploy, mustRun, noopBlueprint } from '../kit/blueprints.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';
import { fetchPage } from './hello-world.ts';

/** Takes about a second to install, so that servers can go away in the middle. */
const slow = chainBlueprint({
  levels: 3,
  instancesPerLevel: 3,
  implementation: 'gantry.sleep',
  inputs: { seconds: 0.2 },
});

describe('outages of servers', function () {
  this.timeout(300_000);
  let rabbitmq: RabbitmqServer;
  let postgres: PostgresServer;
  let cluster: ManagerCluster | undefined;

  before(async () => {
    [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') {
      console.error(cluster?.logs());
    }
    await cluster?.stop();
    cluster = undefined;
  });

  after(async () => {
    await Promise.all([rabbitmq?.stop(), postgres?.stop()]);
  });

  async function start(isReadyAwaited = true): Promise<ManagerCluster> {
    cluster = await ManagerCluster.start({
      databaseUrl: await postgres.createDatabase(),
      amqpUrl: rabbitmq.url,
      amqpManagementUrl: rabbitmq.managementUrl,
      isReadyAwaited,
      environment: { GANTRY_STALE_AFTER: '2' },
    });
    return cluster;
  }

  /** Starts an installation and waits until some of its operations are done, so that it is in the middle. */
  async function startInstall(manager: ManagerCluster): Promise<string> {
    await deploy(manager.client, 'slow', slow);
    const { id } = await manager.client.executions.start('slow', 'install');
    await until('the middle of the installation', async () => {
      const { finished_operations: finished } = await manager.client.executions.get(id);
      return finished > 3;
    });
    return id;
  }

  it('answers requests before the broker is there, and runs what was asked for once it is', async () => {
    await rabbitmq.halt();
    const manager = await start(false);
    await until('the REST service', () => fetchPage(`${manager.url}/api/v3.1/ok`));
    const uploaded = deploy(manager.client, 'early', noopBlueprint(2));
    await delay(500);
    await rabbitmq.resume();
    await uploaded;
    await mustRun(manager.client, 'early', 'install');
  });

  it('starts before the database is there', async () => {
    const databaseUrl = await postgres.createDatabase();
    await postgres.halt();
    cluster = await ManagerCluster.start({
      databaseUrl,
      amqpUrl: rabbitmq.url,
      amqpManagementUrl: rabbitmq.managementUrl,
      isReadyAwaited: false,
    });
    await delay(1000);
    await postgres.resume();
    await cluster.whenReady();
    await deploy(cluster.client, 'late', noopBlueprint(2));
    await mustRun(cluster.client, 'late', 'install');
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`goes on after the broker was away in the middle of an execution (${signal})`, async () => {
      const manager = await start();
      const id = await startInstall(manager);
      await rabbitmq.halt(signal);
      await delay(1000);
      await rabbitmq.resume();
      expect((await followExecution(manager.client, id, { patience: 120_000 })).status).to.equal('terminated');
    });
  }

  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    it(`goes on after the database was away in the middle of an execution (${signal})`, async () => {
      const manager = await start();
      const id = await startInstall(manager);
      await postgres.halt(signal);
      await delay(1500);
      await postgres.resume();
      expect((await followExecution(manager.client, id, { patience: 120_000 })).status).to.equal('terminated');
    });
  }

  it('says that the database is away instead of waiting for ever', async () => {
    const manager = await start();
    await postgres.halt();
    const answer = await fetch(`${manager.url}/api/v3.1/blueprints`, {
      headers: { authorization: `Basic ${Buffer.from(`admin:${manager.password}`).toString('base64')}` },
    });
    await postgres.resume();
    expect(answer.status).to.equal(503);
    await until('the manager to answer again', async () =>
      manager.client.status().then(
        ({ status }) => status === 'OK',
        () => false,
      ),
    );
  });
});
