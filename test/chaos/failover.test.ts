import { expect } from 'chai';
import { chainBlueprint, deploy, runWorkflow } from '../kit/blueprints.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';

const levels = 4;
const instancesPerLevel = 10;

describe('an installation whose database fails over to a standby', function () {
  this.timeout(180_000);
  let rabbitmq: RabbitmqServer;
  let primary: PostgresServer;
  let standby: PostgresServer;
  let cluster: ManagerCluster;

  before(async () => {
    [rabbitmq, primary] = await Promise.all([RabbitmqServer.start(), PostgresServer.start()]);
    standby = await primary.startStandby();
    // what was committed is then on both
    await primary.ask(`alter system set synchronous_standby_names = '*'`);
    await primary.ask('select pg_reload_conf()');
    cluster = await ManagerCluster.start({
      databaseUrl: `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`,
      amqpUrl: rabbitmq.url,
    });
  });
  after(async () => {
    await cluster.stop();
    await Promise.all([rabbitmq.stop(), primary.stop(), standby.stop()]);
  });

  const succeeded = async (server: PostgresServer): Promise<number> => {
    const [row] = await server.ask<{ count: number }>(
      `select count(*)::int as count from operations where type = 'RemoteWorkflowTask' and state = 'succeeded'`,
    );
    return row?.count ?? 0;
  };

  it('continues by itself and runs every operation once', async () => {
    const operations = { implementation: 'gantry.sleep', inputs: { seconds: 0.2 } };
    await deploy(cluster.client, 'chain', chainBlueprint({ levels, instancesPerLevel, ...operations }));
    const installed = runWorkflow(cluster.client, 'chain', 'install');
    await until('the middle of the installation', async () => (await succeeded(primary)) > levels * instancesPerLevel);
    await primary.crash();
    await standby.promote();
    const { execution } = await installed;
    expect(execution.status, `${execution.error}\n${cluster.logs()}`).to.equal('terminated');
    const expected = levels * instancesPerLevel * 3;
    expect(await succeeded(standby)).to.equal(expected);
    expect(
      await standby.ask(
        `select count(*)::int as count, max(attempt) as attempts from operations where type = 'RemoteWorkflowTask'`,
      ),
    ).to.deep.equal([{ count: expected, attempts: 1 }]);
  });
});
