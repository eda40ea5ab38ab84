import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { startScheduler } from '../../src/scheduler/scheduler.ts';
import type { SystemWorkflow } from '../../src/executor/system-workflow.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow } from '../kit/engine.ts';
import { HeldOperations } from '../kit/held-operations.ts';
import { isRabbitmqInstalled, sharedRabbitmq } from '../kit/rabbitmq.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';
import { until } from '../kit/until.ts';

describe('an execution during failures', () => {
  let test: TestDatabase;
  let amqpUrl: string;
  let processes: EngineProcess[] = [];
  let count = 0;

  const start = async (options: Partial<Parameters<typeof EngineProcess.start>[0]> = {}): Promise<EngineProcess> => {
    count += 1;
    const process = await EngineProcess.start({ databaseUrl: test.url, amqpUrl, name: `manager-${count}`, ...options });
    processes.push(process);
    return process;
  };

  before(async function () {
    this.timeout(120_000);
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
    test = await createTestDatabase();
    await sharedRabbitmq();
  });
  beforeEach(async () => {
    amqpUrl = await (await sharedRabbitmq()).createVhost('failures');
  });
  afterEach(async () => {
    await Promise.all(processes.map((process) => process.stop(0)));
    processes = [];
  });
  after(() => test?.close());

  it('runs an operation of a dead worker again, and marks it as resumed', async function () {
    this.timeout(60_000);
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(1);
    // this worker seemed to be dead for a while; another one took the operation, and is dead by now
    await test.database.query(`update operations set worker = 'dead', attempt = attempt + 1 where state = 'started'`);
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs.map(({ request }) => [request.context.task_name, request.context.resume])).to.deep.equal([
      ['noop.create', undefined],
      ['noop.create', true],
      ['noop.configure', undefined],
      ['noop.start', undefined],
    ]);
    const attempts = await test.database.query<{ attempt: number; state: string }>(
      `select operations.attempt, operations.state from operations
        join tasks_graphs graph on graph.storage_id = tasks_graph_id
        join executions execution on execution.storage_id = execution_id
        where execution.id = $1 and type = 'RemoteWorkflowTask' order by operations.storage_id`,
      [execution.id],
    );
    expect(attempts.map(({ state }) => state)).to.deep.equal(['succeeded', 'succeeded', 'succeeded']);
    expect(attempts[0]?.attempt).to.equal(3);
  });

  it('continues when the database goes away in the middle of a workflow', async () => {
    const resumed: boolean[] = [];
    const workflow: SystemWorkflow = async ({ isResume }) => {
      resumed.push(isResume);
      if (resumed.length === 1) {
        throw new Error('Connection terminated unexpectedly');
      }
      return undefined;
    };
    const process = await start({ systemWorkflows: new Map([['install', workflow]]) });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(process, deployment, 'install');
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(resumed).to.deep.equal([false, true]);
  });

  it('continues in another process when only its executor cannot reach the broker', async function () {
    this.timeout(120_000);
    const proxy = await TcpProxy.start((await sharedRabbitmq()).port);
    const operations = new HeldOperations();
    await start({ roles: ['broker'], run: operations.run });
    const lonely = await start({ roles: ['executor'], amqpUrl: proxy.over(amqpUrl) });
    const deployment = await seedDeployment(test.database, { instances: 2 });
    operations.hold();
    const execution = await startWorkflow(lonely, deployment, 'install');
    await operations.started(2);
    const other = await start({ roles: ['executor'] });
    const { config, database, connection: broker } = other;
    const clock = { now: () => Date.now() };
    const common = { config, database, broker, clock, log: silentLogger, newId: randomUUID };
    const scheduler = await startScheduler({ ...common, staleAfter: () => 2 });
    proxy.become('refuse');
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(6);
    // the end is stored a moment before the process has forgotten the execution
    await until('both executors to be idle', () =>
      [lonely, other].every((each) => each.executor?.running().length === 0),
    );
    proxy.become('pass');
    await lonely.connection.whenConnected();
    await scheduler.stop();
    await proxy.stop();
  });
});
