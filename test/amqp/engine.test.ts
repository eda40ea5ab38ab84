import { once } from 'node:events';
import { expect } from 'chai';
import type { Execution } from '../../src/domain/entities.ts';
import { operationError } from '../../src/domain/operation-error.ts';
import { changeExecutionStatus, createExecutions, findExecution } from '../../src/store/executions.ts';
import { resetOperations } from '../../src/store/operations.ts';
import { workflowMessage } from '../../src/amqp/workflow-message.ts';
import { managementExchange } from '../../src/amqp/names.ts';
import { isReleased } from '../../src/executor/system-workflow.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../../src/executor/system-workflow.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { startScheduler } from '../../src/scheduler/scheduler.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow, succeed } from '../kit/engine.ts';
import type { OperationFunction } from '../kit/engine.ts';
import { isRabbitmqInstalled, sharedRabbitmq } from '../kit/rabbitmq.ts';
import { HeldOperations } from '../kit/held-operations.ts';
import { until } from '../kit/until.ts';

function suite(makeUrl: () => Promise<string>) {
  let test: TestDatabase;
  let amqpUrl: string;
  let processes: EngineProcess[] = [];
  let count = 0;

  const start = async (options: Partial<Parameters<typeof EngineProcess.start>[0]> = {}): Promise<EngineProcess> => {
    count += 1;
    const process = await EngineProcess.start({
      databaseUrl: test.url,
      amqpUrl,
      name: `manager-${count}`,
      ...options,
    });
    processes.push(process);
    return process;
  };
  const statesOf = async (executionId: string): Promise<Record<string, number>> => {
    const rows = await test.database.query<{ state: string; count: number }>(
      `select operations.state, count(*) from operations join tasks_graphs on tasks_graphs.storage_id = tasks_graph_id
        join executions on executions.storage_id = execution_id
        where executions.id = $1 and type = 'RemoteWorkflowTask' group by 1 order by 1`,
      [executionId],
    );
    return Object.fromEntries(rows.map((row) => [row.state, row.count]));
  };
  const eventsOf = async (executionId: string): Promise<string[]> => {
    const rows = await test.database.query<{ message: string }>(
      `select message from events join executions on executions.storage_id = execution_id
        where executions.id = $1 order by events.storage_id`,
      [executionId],
    );
    return rows.map((row) => row.message);
  };
  const act = async (execution: Execution, event: string): Promise<void> => {
    expect(await changeExecutionStatus(test.database, execution.id, { event, error: '' })).to.not.equal(undefined);
  };

  before(async function () {
    this.timeout(120_000);
    test = await createTestDatabase();
  });
  beforeEach(async () => {
    amqpUrl = await makeUrl();
  });
  afterEach(async () => {
    await Promise.all(processes.map((process) => process.stop(0)));
    processes = [];
  });
  after(async () => {
    await test.close();
  });

  it('runs every operation of a workflow once, and tells its sending, start and end in this order', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 2 });
    const execution = await startWorkflow(process, deployment, 'install');
    const result = await ended(test.database, execution.id);
    expect(result).to.include({ status: 'terminated', error: '' });
    expect(result.finishedOperations).to.equal(result.totalOperations);
    expect(operations.runs).to.have.length(6);
    expect(new Set(operations.keys())).to.have.length(6);
    expect(await statesOf(execution.id)).to.deep.equal({ succeeded: 6 });
    const states = await test.database.query<{ state: string }>(
      'select state from node_instances where deployment_id = $1',
      [deployment.storageId],
    );
    expect(states.map((row) => row.state)).to.deep.equal(['started', 'started']);
    const events = await eventsOf(execution.id);
    expect(events[0]).to.equal("Starting 'install' workflow execution");
    expect(events.at(-1)).to.equal("'install' workflow execution succeeded");
    const told = await test.database.query<{ messages: string[] }>(
      `select array_agg(message order by reported_timestamp, events.storage_id) as messages
        from events join executions on executions.storage_id = execution_id
        where executions.id = $1 and event_type like '%task%' and operation is not null group by node_instance_id`,
      [execution.id],
    );
    const ofEach = ['create', 'configure', 'start'].flatMap((name) =>
      ['Sending task', 'Task started', 'Task succeeded'].map((step) => `${step} 'noop.${name}'`),
    );
    expect(told.map(({ messages }) => messages)).to.deep.equal([ofEach, ofEach]);
  });

  it('gives operations the context that plugins rely on', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1, operation: { inputs: { port: 8080 } } });
    const execution = await startWorkflow(process, deployment, 'install');
    await ended(test.database, execution.id);
    const { context, inputs } = operations.runs[0]!.request;
    expect(inputs).to.deep.equal({ port: 8080 });
    expect(context).to.deep.include({
      type: 'operation',
      task_name: 'noop.create',
      execution_id: execution.id,
      workflow_id: 'install',
      tenant: { name: 'default_tenant' },
      deployment_id: deployment.id,
      blueprint_id: deployment.id,
      node_name: 'web',
      operation: { name: 'cloudify.interfaces.lifecycle.create', retry_number: 0, max_retries: 60 },
      task_queue: managementExchange,
      task_target: managementExchange,
      execution_creator_username: 'admin',
      local: false,
    });
    expect(context.execution_token).to.be.a('string').with.length(32);
  });

  it('tries a failed operation again and fails the execution when the attempts are used up', async () => {
    let attempts = 0;
    const run: OperationFunction = async ({ context }) => {
      if (context.task_name !== 'noop.configure') {
        return { ok: true, result: null };
      }
      attempts += 1;
      return {
        ok: false,
        error: operationError({ kind: 'RecoverableError', message: `boom ${attempts}`, type: 'Boom' }),
      };
    };
    const process = await start({ run });
    const deployment = await seedDeployment(test.database, {
      instances: 1,
      operation: { max_retries: 2, retry_interval: 0 },
    });
    const execution = await startWorkflow(process, deployment, 'install');
    const result = await ended(test.database, execution.id);
    expect(result.status).to.equal('failed');
    expect(result.error).to.match(
      /^Task failed: noop\.configure \(web_\S+:cloudify\.interfaces\.lifecycle\.configure\): Boom `boom 3`$/,
    );
    expect(attempts).to.equal(3);
    expect(await statesOf(execution.id)).to.deep.equal({ failed: 3, pending: 1, succeeded: 1 });
    const events = await eventsOf(execution.id);
    expect(events).to.include("Task failed 'noop.configure' -> boom 3 [retry 2/2]");
    expect(events.at(-1)).to.equal(`'install' workflow execution failed: ${result.error ?? ''}`);
  });

  it('calls an operation again that asked for it', async () => {
    let attempts = 0;
    const run: OperationFunction = async ({ context }) => {
      attempts += 1;
      return context.operation?.retry_number === 0 && context.task_name === 'noop.start'
        ? { ok: false, error: operationError({ kind: 'OperationRetry', message: 'not yet', retryAfter: 0 }) }
        : { ok: true, result: null };
    };
    const process = await start({ run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(process, deployment, 'install');
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(attempts).to.equal(4);
    expect(await statesOf(execution.id)).to.deep.equal({ rescheduled: 1, succeeded: 3 });
  });

  it('changes nothing in a dry run', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(process, deployment, 'install', { isDryRun: true });
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.deep.equal([]);
    expect(await statesOf(execution.id)).to.deep.equal({});
    const events = await eventsOf(execution.id);
    expect(events[0]).to.equal("Starting 'install' workflow execution (dry run)");
    expect(events).to.include("Task succeeded 'noop.create' (dry run)");
    expect(events.at(-1)).to.equal("'install' workflow execution succeeded (dry run)");
  });

  it('starts nothing new after a cancel, keeps the answers of what runs, and goes on from there after a resume', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(1);
    await act(execution, 'cancel');
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    operations.release();
    await until('the answer', async () => (await statesOf(execution.id))['response-sent'] === 1);
    expect(await statesOf(execution.id)).to.deep.equal({ pending: 2, 'response-sent': 1 });
    expect(operations.aborted).to.deep.equal([]);
    await resetOperations(test.database, [execution.id], false);
    const resumed = await changeExecutionStatus(test.database, execution.id, { event: 'resume', error: '' });
    await process.connection.publish(workflowMessage(resumed!));
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(3);
    const events = await eventsOf(execution.id);
    expect(events).to.include("'install' workflow execution cancelled");
    expect(events).to.include("Resuming 'install' workflow execution");
  });

  it('goes on with an execution that was resumed before the process that drove it had let go of it', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(1);
    await process.connection.publish(workflowMessage(execution));
    // messages are taken in their order: when the next one has been, so has that one
    const other = await startWorkflow(process, await seedDeployment(test.database, { instances: 1 }), 'install');
    await operations.started(2);
    await test.database.query(
      `update executions set status = 'pending', resume = true, executor = null, claimed_at = null where id = $1`,
      [execution.id],
    );
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(await ended(test.database, other.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(6);
  });

  it('ends at a forced cancel although its workflow does not heed a cancel', async () => {
    let begin: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => (begin = resolve));
    const deaf: SystemWorkflow = () => {
      begin();
      return new Promise(() => undefined);
    };
    const process = await start({ systemWorkflows: new Map([['install', deaf]]) });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(process, deployment, 'install');
    await hasBegun;
    await act(execution, 'cancel');
    await act(execution, 'force-cancel');
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    expect((await eventsOf(execution.id)).at(-1)).to.equal("'install' workflow execution cancelled");
  });

  it('lets a workflow of the product tell a cancel from the end of its process, after which another goes on', async () => {
    const ends: string[] = [];
    let begin: () => void = () => undefined;
    const begins = (): Promise<void> => new Promise((resolve) => (begin = resolve));
    const workflow: SystemWorkflow = async ({ signal }) => {
      begin();
      await once(signal, 'abort');
      ends.push(isReleased(signal) ? 'released' : 'cancelled');
      throw signal.reason;
    };
    const systemWorkflows = new Map([['install', workflow]]);
    let hasBegun = begins();
    const first = await start({ systemWorkflows });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(first, deployment, 'install');
    await hasBegun;
    hasBegun = begins();
    await first.executor?.stop();
    await start({ systemWorkflows });
    await hasBegun;
    await act(execution, 'cancel');
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    expect(ends).to.deep.equal(['released', 'cancelled']);
  });

  it('lets a workflow of the product remove what it has left of an execution that is cancelled while nobody runs it', async () => {
    const discarded: string[] = [];
    const run: SystemWorkflow = async () => undefined;
    const workflow = Object.assign(run, {
      discard: async (context: SystemWorkflowContext) => void discarded.push(context.execution.id),
    });
    const waiting = await start({ roles: ['broker'] });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(waiting, deployment, 'install');
    await act(execution, 'cancel');
    await start({ roles: ['executor'], systemWorkflows: new Map([['install', workflow]]) });
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    expect(discarded).to.deep.equal([execution.id]);
  });

  it('ends running operations at a kill', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 2 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(2);
    await act(execution, 'kill');
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    await process.taskBroker!.stop(30);
    expect(operations.aborted).to.have.length(2);
  });

  it('drives an execution once, however many messages announce it at the same time', async () => {
    const operations = new HeldOperations();
    const waiting = await start({ roles: ['broker'], run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 5 });
    const execution = await startWorkflow(waiting, deployment, 'install');
    await Promise.all(Array.from({ length: 4 }, () => waiting.connection.publish(workflowMessage(execution))));
    await start({ roles: ['executor'] });
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(15);
    const events = await eventsOf(execution.id);
    expect(events.filter((event) => event.endsWith(" 'install' workflow execution"))).to.have.length(1);
  });

  it('runs nothing of an execution that was cancelled before it began', async () => {
    const operations = new HeldOperations();
    const waiting = await start({ roles: ['broker'], run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(waiting, deployment, 'install');
    await act(execution, 'cancel');
    await start({ roles: ['executor'] });
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    expect(operations.runs).to.deep.equal([]);
  });

  it('hands executions over at a graceful stop: another process goes on, no operation runs twice', async () => {
    const operations = new HeldOperations();
    const worker = await start({ roles: ['broker'], run: operations.run });
    const first = await start({ roles: ['executor'] });
    await start({ roles: ['executor'] });
    const deployment = await seedDeployment(test.database, { instances: 20 });
    operations.hold();
    const execution = await startWorkflow(worker, deployment, 'install');
    await operations.started(20);
    const driver = (await findExecution(test.database, execution.id))?.executor;
    const driving = processes.find((process) => process.config.instanceName === driver)!;
    await driving.stop();
    processes = processes.filter((process) => process !== driving);
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(60);
    expect(new Set(operations.keys())).to.have.length(60);
    expect(first.config.instanceName).to.be.a('string');
  });

  it('takes over from a process that vanished, and the vanished one changes nothing any more', async function () {
    this.timeout(60_000);
    const operations = new HeldOperations();
    const worker = await start({ roles: ['broker'], run: operations.run });
    const vanished = await start({ roles: ['executor'] });
    const deployment = await seedDeployment(test.database, { instances: 5 });
    operations.hold();
    const execution = await startWorkflow(worker, deployment, 'install');
    await operations.started(5);
    await vanished.vanish();
    const scheduler = await startScheduler({
      config: worker.config,
      log: silentLogger,
      database: test.database,
      broker: worker.connection,
      clock: { now: () => Date.now() },
      newId: () => '',
      staleAfter: () => 2,
    });
    await start({ roles: ['executor'] });
    operations.release();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    await scheduler.stop();
    expect(new Set(operations.keys())).to.have.length(15);
    expect(operations.runs).to.have.length(15);
  });

  it('answers a repeated message of a finished operation from the store', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(1);
    const { request } = operations.runs[0]!;
    const repeat = {
      exchange: managementExchange,
      routingKey: 'operation',
      correlationId: request.context.task_id ?? '',
      replyTo: `executor_responses_${process.config.instanceName}`,
      body: { cloudify_task: { kwargs: { ...request.inputs, __cloudify_context: request.context } } },
    };
    await process.connection.publishAll([repeat, repeat]);
    operations.release();
    await process.connection.publishAll([repeat, repeat]);
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    expect(operations.runs).to.have.length(3);
  });

  it('starts queued executions of a deployment one after the other', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const scheduler = await startScheduler({
      config: process.config,
      log: silentLogger,
      database: test.database,
      broker: process.connection,
      clock: { now: () => Date.now() },
      newId: () => '',
      staleAfter: () => 2,
    });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    operations.hold();
    const execution = await startWorkflow(process, deployment, 'install');
    await operations.started(1);
    const queued = await createExecutions(
      test.database,
      ['uninstall', 'install'].map((workflowId, index) => ({
        id: `${execution.id}-${index}`,
        tenantId: deployment.tenantId,
        creatorId: execution.creatorId,
        visibility: 'tenant' as const,
        workflowId,
        status: 'queued' as const,
        parameters: {},
        deploymentStorageId: deployment.storageId,
      })),
    );
    operations.release();
    for (const { id } of queued) {
      expect(await ended(test.database, id)).to.include({ status: 'terminated' });
    }
    await scheduler.stop();
    const order = operations.runs.map(({ request }) => request.context.execution_id);
    expect(order).to.deep.equal([...order].sort((left, right) => order.indexOf(left) - order.indexOf(right)));
    expect(new Set(order)).to.have.length(3);
  });

  it('scales a node out and in again', async () => {
    const operations = new HeldOperations();
    const process = await start({ run: operations.run });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const counts = async (): Promise<unknown> => {
      const rows = await test.database.query(
        `select number_of_instances as number, planned_number_of_instances as planned,
          (select count(*) from node_instances where node_id = nodes.storage_id and state = 'started') as started,
          (select count(*) from node_instances where node_id = nodes.storage_id) as actual
          from nodes where deployment_id = $1`,
        [deployment.storageId],
      );
      return rows[0];
    };
    await ended(test.database, (await startWorkflow(process, deployment, 'install')).id);
    const scale = async (delta: number): Promise<void> => {
      const parameters = { scalable_entity_name: 'web', delta };
      const execution = await startWorkflow(process, deployment, 'scale', { parameters });
      expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    };
    await scale(2);
    expect(await counts()).to.deep.equal({ number: 3, planned: 3, started: 3, actual: 3 });
    await scale(-1);
    expect(await counts()).to.deep.equal({ number: 2, planned: 2, started: 2, actual: 2 });
    expect(operations.runs).to.have.length(3 + 6 + 2);
    const modifications = await test.database.query<{ status: string }>(
      'select status from deployment_modifications where deployment_id = $1',
      [deployment.storageId],
    );
    expect(modifications.map(({ status }) => status)).to.deep.equal(['finished', 'finished']);
  });

  it('runs many executions at the same time', async function () {
    this.timeout(60_000);
    const process = await start({ run: succeed });
    const deployments = await Promise.all(
      Array.from({ length: 30 }, () => seedDeployment(test.database, { instances: 2 })),
    );
    const executions = await Promise.all(
      deployments.map((deployment) => startWorkflow(process, deployment, 'install')),
    );
    const results = await Promise.all(executions.map(({ id }) => ended(test.database, id)));
    expect(results.map(({ status }) => status)).to.deep.equal(Array(30).fill('terminated'));
  });
}

describe('engine over the in-process broker', () => {
  let count = 0;
  suite(async () => `memory:engine-${(count += 1)}`);
});

describe('engine over RabbitMQ', () => {
  before(async function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
    this.timeout(60_000);
    await sharedRabbitmq();
  });
  suite(async () => (await sharedRabbitmq()).createVhost('engine'));
});
