import { expect } from 'chai';
import type { Channel } from 'amqplib';
import { operationError } from '../../src/domain/operation-error.ts';
import type { Deployment } from '../../src/domain/entities.ts';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { readOperationTask, readServiceTask } from '../../src/amqp/envelopes.ts';
import type { OperationTask } from '../../src/amqp/envelopes.ts';
import { tenantVhost } from '../../src/amqp/names.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { changeExecutionStatus } from '../../src/store/executions.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow } from '../kit/engine.ts';
import { isRabbitmqInstalled, RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';

/** What an agent does on the broker: early acknowledgement, replies through its own exchange. */
class FakeAgent {
  readonly tasks: OperationTask[] = [];
  readonly services: string[] = [];
  readonly #name: string;
  readonly #connection: BrokerConnection;
  readonly #answer: (task: OperationTask) => object | undefined;
  readonly #waiting: { count: number; resolve: () => void }[] = [];

  constructor(connection: BrokerConnection, name: string, answer: (task: OperationTask) => object | undefined) {
    this.#connection = connection;
    this.#name = name;
    this.#answer = answer;
  }

  async start(): Promise<void> {
    const common = { prefetch: 5 } as const;
    const operations = this.#connection.consume({
      ...common,
      queue: `${this.#name}_operation`,
      bindings: [{ exchange: this.#name, routingKey: 'operation' }],
      read: readOperationTask,
      handle: (delivery) => {
        delivery.ack();
        this.tasks.push(delivery.body);
        this.#waiting.filter(({ count }) => this.tasks.length >= count).forEach(({ resolve }) => resolve());
        const body = this.#answer(delivery.body);
        if (body) {
          void this.reply(delivery.replyTo ?? '', delivery.correlationId ?? '', body);
        }
      },
    });
    const services = this.#connection.consume({
      ...common,
      queue: `${this.#name}_service`,
      bindings: [{ exchange: this.#name, routingKey: 'service' }],
      read: readServiceTask,
      handle: (delivery) => {
        delivery.ack();
        const { name, kwargs } = delivery.body;
        this.services.push(`${name} ${kwargs['execution_id'] as string}`);
        this.#waiting.filter(({ count }) => count < 0).forEach(({ resolve }) => resolve());
      },
    });
    await Promise.all([operations.ready, services.ready]);
  }

  reply(replyTo: string, correlationId: string, body: object): Promise<void> {
    return this.#connection.publish({ exchange: this.#name, routingKey: replyTo, correlationId, body });
  }

  received(count: number): Promise<void> {
    return this.tasks.length >= count
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  served(): Promise<void> {
    return this.services.length > 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#waiting.push({ count: -1, resolve }));
  }
}

describe('operations on agents', function () {
  this.timeout(60_000);
  let server: RabbitmqServer;
  let test: TestDatabase;
  let manager: EngineProcess;
  let tenant: BrokerConnection;

  before(async function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
    [server, test] = await Promise.all([RabbitmqServer.start(), createTestDatabase()]);
    await server.manage('PUT', `/api/vhosts/${tenantVhost('default_tenant')}`);
    manager = await EngineProcess.start({ databaseUrl: test.url, amqpUrl: server.url, name: 'manager' });
    tenant = connectBroker({
      url: `${server.url}/${tenantVhost('default_tenant')}`,
      log: silentLogger,
      name: 'agent',
      declaresQueues: false,
    });
  });
  after(async () => {
    await manager?.stop();
    await tenant?.close();
    await test?.close();
    await server?.stop();
  });

  /** A deployment whose instances are their own hosts, with an agent each. */
  const deploy = async (agent: string, operation = {}): Promise<Deployment> => {
    const deployment = await seedDeployment(test.database, {
      instances: 1,
      operation: { executor: 'host_agent', max_retries: 1, retry_interval: 0, ...operation },
    });
    await test.database.query(
      `update node_instances set host_id = id, runtime_properties = jsonb_build_object('cloudify_agent',
        jsonb_build_object('queue', $2::text, 'name', $2::text, 'rest_host', 'manager.example'))
        where deployment_id = $1`,
      [deployment.storageId, agent],
    );
    return deployment;
  };

  it('go to the exchange of the agent of the host and are answered through it', async () => {
    const agent = new FakeAgent(tenant, 'agent_a', () => ({ ok: true, result: 'done' }));
    await agent.start();
    const deployment = await deploy('agent_a');
    const execution = await startWorkflow(manager, deployment, 'install');
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(agent.tasks.map(({ context }) => context.task_name)).to.deep.equal([
      'noop.create',
      'noop.configure',
      'noop.start',
    ]);
    expect(agent.tasks[0]?.context).to.include({
      task_queue: 'agent_a',
      task_target: 'agent_a',
      rest_host: 'manager.example',
      executor: 'host_agent',
    });
    const replyQueue = `agent_a_response_${execution.id}`;
    await until('the queue of replies to go', async () => (await tenant.inspectQueue(replyQueue)) === undefined);
  });

  it('fail with a reason when the agent does not listen, and are tried again', async () => {
    const deployment = await deploy('agent_never');
    const execution = await startWorkflow(manager, deployment, 'install');
    const result = await ended(test.database, execution.id);
    expect(result.status).to.equal('failed');
    expect(result.error).to.contain('Timed out waiting for agent: agent_never');
  });

  it('fail at once when the host has no agent', async () => {
    const deployment = await deploy('agent_a');
    await test.database.query(`update node_instances set runtime_properties = '{}' where deployment_id = $1`, [
      deployment.storageId,
    ]);
    const execution = await startWorkflow(manager, deployment, 'install');
    const result = await ended(test.database, execution.id);
    expect(result.error).to.contain('missing cloudify_agent.queue runtime information');
  });

  it('report errors of old agents that answer with a text', async () => {
    const agent = new FakeAgent(tenant, 'agent_old', () => ({ ok: false, error: "KeyError('x')" }));
    await agent.start();
    const execution = await startWorkflow(manager, await deploy('agent_old'), 'install');
    expect((await ended(test.database, execution.id)).error).to.contain("KeyError('x')");
    expect(agent.tasks).to.have.length(1);
  });

  it('are killed at a kill of the execution', async () => {
    const agent = new FakeAgent(tenant, 'agent_k', () => undefined);
    await agent.start();
    const execution = await startWorkflow(manager, await deploy('agent_k'), 'install');
    await agent.received(1);
    await changeExecutionStatus(test.database, execution.id, { event: 'kill', error: '' });
    expect(await ended(test.database, execution.id)).to.include({ status: 'cancelled' });
    await agent.served();
    expect(agent.services).to.deep.equal([`cancel-operation ${execution.id}`]);
  });

  it('survive that an agent deletes its reply queue, as it does after a kill', async () => {
    const agent = new FakeAgent(tenant, 'agent_d', () => undefined);
    await agent.start();
    const execution = await startWorkflow(manager, await deploy('agent_d'), 'install');
    await agent.received(1);
    const replyQueue = `agent_d_response_${execution.id}`;
    await tenant.withChannel((channel: Channel) => channel.deleteQueue(replyQueue));
    const success = { ok: true, result: null };
    // the queue is declared again soon; until then replies are lost, as they would be for an agent
    const replying = (async () => {
      for (let next = 0; next < 3;) {
        await agent.reply(replyQueue, agent.tasks[next]?.id ?? '', success);
        if (agent.tasks.length > next + 1 || next === 2) {
          next += 1;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
    await replying;
  });

  it('give their reply to the next driver when the first one is gone', async () => {
    const agent = new FakeAgent(tenant, 'agent_r', () => undefined);
    await agent.start();
    const execution = await startWorkflow(manager, await deploy('agent_r'), 'install');
    await agent.received(1);
    await manager.stop();
    await agent.reply(`agent_r_response_${execution.id}`, agent.tasks[0]?.id ?? '', {
      ok: false,
      error: operationError({ kind: 'NonRecoverableError', message: 'answered meanwhile' }),
    });
    manager = await EngineProcess.start({ databaseUrl: test.url, amqpUrl: server.url, name: 'manager-2' });
    const result = await ended(test.database, execution.id);
    expect(result.error).to.contain('answered meanwhile');
    expect(agent.tasks).to.have.length(1);
  });
});
