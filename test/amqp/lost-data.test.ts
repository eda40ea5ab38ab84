import { expect } from 'chai';
import { operationQueue } from '../../src/amqp/names.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow } from '../kit/engine.ts';
import { HeldOperations } from '../kit/held-operations.ts';
import { isRabbitmqInstalled, RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';

describe('a broker that comes back without its data', function () {
  this.timeout(300_000);
  let test: TestDatabase;
  let server: RabbitmqServer;
  const processes: EngineProcess[] = [];
  let count = 0;

  const start = async (options: Partial<Parameters<typeof EngineProcess.start>[0]>): Promise<EngineProcess> => {
    count += 1;
    const name = `lost-${count}`;
    // nobody is to take anything over, however long the broker takes to come back
    const environment = { GANTRY_STALE_AFTER: '60', ...options.environment };
    const common = { databaseUrl: test.url, amqpUrl: server.url, name };
    const process = await EngineProcess.start({ ...common, ...options, environment });
    processes.push(process);
    return process;
  };

  before(async function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
    test = await createTestDatabase();
    server = await RabbitmqServer.start();
  });
  after(async () => {
    await Promise.all(processes.splice(0).map((process) => process.stop(0)));
    await server?.stop();
    await test?.close();
  });

  it('gets operations again that were sent, and none runs twice', async () => {
    const operations = new HeldOperations();
    // one runs, one is with its worker, the others are in the queue
    await start({ roles: ['broker'], run: operations.run, environment: { GANTRY_MAX_OPERATIONS: '1' } });
    const executor = await start({ roles: ['executor'] });
    const deployment = await seedDeployment(test.database, { instances: 4 });
    operations.hold();
    const execution = await startWorkflow(executor, deployment, 'install');
    await operations.started(1);
    await until('three operations to wait in the queue', async () => {
      const queue = await executor.connection.inspectQueue(operationQueue);
      return queue?.messages === 3;
    });
    await server.loseData();
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(new Set(operations.keys()).size).to.equal(12);
    expect(operations.keys()).to.have.length(12);
    const attempts = await test.database.query<{ attempt: number }>(
      `select distinct attempt from operations where type = 'RemoteWorkflowTask'`,
    );
    expect(attempts).to.deep.equal([{ attempt: 1 }]);
  });

  it('gets lost replies again', async () => {
    const operations = new HeldOperations();
    await Promise.all(processes.splice(0).map((process) => process.stop(0)));
    const executor = await start({ roles: ['executor', 'broker'], run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 3 });
    operations.hold();
    const execution = await startWorkflow(executor, deployment, 'install');
    await operations.started(3);
    const losing = server.loseData();
    // they end while nobody can be told
    operations.release();
    await losing;
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(operations.keys()).to.have.length(9);
  });
});
