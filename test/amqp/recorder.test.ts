import { expect } from 'chai';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { eventsExchange, logsExchange } from '../../src/amqp/names.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { Execution } from '../../src/domain/entities.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { startRecorder } from '../../src/recorder/recorder.ts';
import type { Recorder } from '../../src/recorder/recorder.ts';
import { createExecutions } from '../../src/store/executions.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { seedTenant } from '../kit/engine.ts';
import { isRabbitmqInstalled, sharedRabbitmq } from '../kit/rabbitmq.ts';

function suite(makeUrl: () => Promise<string>) {
  let test: TestDatabase;
  let broker: BrokerConnection;
  let recorder: Recorder;
  let execution: Execution;

  before(async function () {
    this.timeout(120_000);
    const url = await makeUrl();
    test = await createTestDatabase();
    broker = connectBroker({ url, log: silentLogger, name: 'test' });
    const { tenantId, userId: creatorId } = await seedTenant(test.database);
    const [created] = await createExecutions(test.database, [
      {
        id: 'e1',
        tenantId,
        creatorId,
        visibility: 'tenant',
        workflowId: 'install',
        status: 'started',
        parameters: {},
      },
    ]);
    execution = created!;
  });
  beforeEach(async () => {
    const clock = { now: () => Date.now() };
    const config = loadConfig({});
    recorder = await startRecorder({ config, log: silentLogger, database: test.database, broker, clock });
  });
  afterEach(async () => {
    await recorder.stop();
    await test.database.query('delete from events');
  });
  after(async () => {
    await broker?.close();
    await test?.close();
  });

  const line = (text: string, executionId = execution.id): object => ({
    type: 'cloudify_log',
    logger: 'ctx.t1',
    level: 'info',
    message: { text },
    context: { execution_id: executionId },
  });
  /** Resolves with the stored messages once there are `count`, told by the database. */
  const stored = async (count: number): Promise<string[]> => {
    let unlisten: (() => Promise<void>) | undefined;
    const read = async (): Promise<string[]> => {
      const rows = await test.database.query<{ message: string }>('select message from events order by storage_id');
      return rows.map(({ message }) => message);
    };
    const messages = await new Promise<string[]>((resolve, reject) => {
      const look = (): void => {
        read().then((found) => (found.length >= count ? resolve(found) : undefined), reject);
      };
      test.database.listen('gantry_events', look).then((stop) => {
        unlisten = stop;
        look();
      }, reject);
    });
    await unlisten?.();
    return messages;
  };

  it('stores logs and events that libraries publish', async () => {
    await broker.publish({ exchange: logsExchange, routingKey: '', body: line('a log') });
    const event = { ...line('an event'), type: 'cloudify_event', event_type: 'plugin_event' };
    await broker.publish({ exchange: eventsExchange, routingKey: 'events', body: event });
    expect((await stored(2)).sort()).to.deep.equal(['a log', 'an event']);
  });

  it('leaves out lines of executions that do not exist, and keeps the others', async () => {
    await broker.publishAll([
      { exchange: logsExchange, routingKey: '', body: line('lost', 'nobody') },
      { exchange: logsExchange, routingKey: '', body: line('kept') },
    ]);
    expect(await stored(1)).to.deep.equal(['kept']);
  });

  it('continues after an unreadable message', async () => {
    await broker.publishAll([
      { exchange: logsExchange, routingKey: '', body: { type: 'nonsense' } },
      { exchange: logsExchange, routingKey: '', body: line('after') },
    ]);
    expect(await stored(1)).to.deep.equal(['after']);
  });

  it('stores received messages before it stops', async () => {
    const bodies = Array.from({ length: 50 }, (_, index) => line(`line ${index}`));
    await broker.publishAll(bodies.map((body) => ({ exchange: logsExchange, routingKey: '', body })));
    await stored(1);
    await recorder.stop();
    const rows = await test.database.query('select from events');
    expect(rows.length).to.be.greaterThan(0);
  });
}

describe('recorder over the in-process broker', () => {
  suite(async () => 'memory:recorder');
});

describe('recorder over RabbitMQ', () => {
  before(function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
  });
  suite(async () => (await sharedRabbitmq()).createVhost('recorder'));
});
