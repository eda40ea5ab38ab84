import { expect } from 'chai';
import { GantryClient } from '../../src/client/client.ts';
import { followExecution } from '../../src/client/follow.ts';
import { roleNames } from '../../src/config/config.ts';
import { deploy, mustRun, noopBlueprint } from '../kit/blueprints.ts';
import { ManagerCluster } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { startNginxFor } from '../kit/nginx-manager.ts';
import type { NginxServer } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { runGantry } from '../kit/program.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { fetchPage, proveHelloWorld } from './hello-world.ts';

describe('five processes behind nginx, over RabbitMQ and PostgreSQL', function () {
  this.timeout(300_000);
  let rabbitmq: RabbitmqServer;
  let postgres: PostgresServer;
  let cluster: ManagerCluster;
  let nginx: NginxServer;
  let front: TestManager;

  before(async () => {
    [rabbitmq, postgres] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
    cluster = await ManagerCluster.start({
      databaseUrl: await postgres.createDatabase(),
      amqpUrl: rabbitmq.url,
      amqpManagementUrl: rabbitmq.managementUrl,
    });
    const port = await freePort();
    nginx = await startNginxFor(port, cluster);
    const url = `http://127.0.0.1:${port}`;
    const { password } = cluster;
    const environment = { GANTRY_URL: url, GANTRY_USERNAME: 'admin', GANTRY_PASSWORD: password };
    front = {
      url,
      password,
      client: new GantryClient({
        url,
        credentials: { kind: 'basic', username: 'admin', password },
        tenant: 'default_tenant',
      }),
      gantry: (...words) => runGantry(words, environment),
      stop: async () => front.client.close(),
    };
  });

  after(async () => {
    await front?.stop();
    await nginx?.stop();
    await cluster?.stop();
    await Promise.all([rabbitmq?.stop(), postgres?.stop()]);
  });

  it('runs every role in a process of its own', () => {
    expect([...cluster.programs.keys()]).to.deep.equal(roleNames.map((role, index) => `${role}-${index + 1}`));
  });

  it('installs the example and takes it away', async () => {
    await proveHelloWorld(front, 'hello-world');
  });

  it('hands out files to those who may have them', async () => {
    await deploy(front.client, 'files', noopBlueprint(1));
    const path = `${front.url}/resources/blueprints/default_tenant/files/blueprint.yaml`;
    expect((await fetch(path)).status).to.equal(401);
    const authorization = `Basic ${Buffer.from(`admin:${front.password}`).toString('base64')}`;
    const answer = await fetch(path, { headers: { authorization, tenant: 'default_tenant' } });
    expect(answer.status).to.equal(200);
    expect(await answer.text()).to.contain('tosca_definitions_version');
    expect(await fetchPage(`${front.url}/resources-local/blueprints/default_tenant/files/blueprint.yaml`)).to.equal(
      undefined,
    );
  });

  it('runs many executions at the same time', async () => {
    const ids = Array.from({ length: 6 }, (_, index) => `many-${index}`);
    await Promise.all(ids.map((id) => deploy(front.client, id, noopBlueprint(20))));
    await Promise.all(ids.map((id) => mustRun(front.client, id, 'install')));
    const { items } = await front.client.deployments.nodeInstances({ size: 1000 });
    expect(items.filter(({ deployment_id: id }) => ids.includes(id)).map(({ state }) => state)).to.deep.equal(
      Array<string>(120).fill('started'),
    );
  });

  it('follows an execution without a gap while the REST service is killed', async () => {
    await deploy(front.client, 'followed', noopBlueprint(500));
    const { id } = await front.client.executions.start('followed', 'install');
    const seen: number[] = [];
    let killed: Promise<void> | undefined;
    const ended = await followExecution(front.client, id, {
      patience: 120_000,
      onEvents: (events) => {
        seen.push(...events.map((event) => event._storage_id));
        killed ??= cluster.kill('rest-1').then(async () => {
          await cluster.restart('rest-1');
        });
      },
    });
    await killed;
    await cluster.whenReady();
    expect(ended.status).to.equal('terminated');
    const { items } = await front.client.executions.events({ filters: { execution_id: id }, size: 20_000 });
    expect(seen.length).to.equal(new Set(seen).size);
    expect([...seen].sort()).to.deep.equal(items.map((event) => event._storage_id).sort());
  });

  it('goes on when one of two processes of a role is killed', async () => {
    await cluster.launch('executor-9', ['executor']);
    await cluster.launch('broker-9', ['broker']);
    await cluster.whenReady();
    await cluster.kill('executor-2');
    await cluster.kill('broker-3');
    await deploy(front.client, 'survivor', noopBlueprint(5));
    await mustRun(front.client, 'survivor', 'install');
    await Promise.all([cluster.restart('executor-2'), cluster.restart('broker-3')]);
    await cluster.whenReady();
  });
});
