import { expect } from 'chai';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import type { Delivery } from '../../src/amqp/consumer.ts';
import { deadLettersQueue, managementExchange, operationQueue } from '../../src/amqp/names.ts';
import { UnroutableError } from '../../src/amqp/publisher.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { isRabbitmqInstalled, RabbitmqServer, sharedRabbitmq } from '../kit/rabbitmq.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';
import { until } from '../kit/until.ts';

const anything = (body: unknown): unknown => body;

/** Collects deliveries and lets a test wait for the n-th. */
function collector() {
  const deliveries: Delivery<unknown>[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  return {
    deliveries,
    bodies: () => deliveries.map((delivery) => delivery.body),
    handle: (delivery: Delivery<unknown>) => {
      deliveries.push(delivery);
      for (const entry of waiting) {
        if (deliveries.length >= entry.count) {
          entry.resolve();
        }
      }
    },
    received: (count: number) =>
      new Promise<void>((resolve) => {
        if (deliveries.length >= count) {
          resolve();
        } else {
          waiting.push({ count, resolve });
        }
      }),
  };
}

function suite(makeUrl: () => Promise<string>, isReachedByOthers: boolean) {
  let url: string;
  let connection: BrokerConnection;
  let count = 0;
  const uniqueQueue = () => `queue-${(count += 1)}`;

  before(async function () {
    this.timeout(60_000);
    url = await makeUrl();
  });
  beforeEach(() => {
    connection = connectBroker({ url, log: silentLogger, name: 'test' });
  });
  afterEach(async () => {
    await connection.close();
  });

  it('delivers what is published to the bound queue, with its properties', async () => {
    const queue = uniqueQueue();
    const seen = collector();
    const consumer = connection.consume({
      queue,
      bindings: [{ exchange: managementExchange, routingKey: queue }],
      prefetch: 10,
      read: anything,
      handle: seen.handle,
    });
    await consumer.ready;
    await connection.publish({
      exchange: managementExchange,
      routingKey: queue,
      body: { hello: 'wörld' },
      correlationId: 'c1',
      replyTo: 'r1',
    });
    await seen.received(1);
    const [delivery] = seen.deliveries;
    expect(delivery).to.include({
      correlationId: 'c1',
      replyTo: 'r1',
      exchange: managementExchange,
      routingKey: queue,
    });
    expect(delivery?.body).to.deep.equal({ hello: 'wörld' });
    delivery?.ack();
  });

  it('hands out no more unacknowledged messages than the prefetch', async () => {
    const queue = uniqueQueue();
    const seen = collector();
    const consumer = connection.consume({
      queue,
      bindings: [{ exchange: managementExchange, routingKey: queue }],
      prefetch: 2,
      read: anything,
      handle: seen.handle,
    });
    await consumer.ready;
    const messages = [1, 2, 3].map((body) => ({ exchange: managementExchange, routingKey: queue, body }));
    expect(await connection.publishAll(messages)).to.deep.equal([undefined, undefined, undefined]);
    await seen.received(2);
    expect(seen.deliveries).to.have.length(2);
    seen.deliveries[0]?.ack();
    await seen.received(3);
    expect(seen.bodies()).to.deep.equal([1, 2, 3]);
  });

  it('delivers more while some of the unacknowledged ones only wait', async () => {
    const queue = uniqueQueue();
    const seen = collector();
    const consumer = connection.consume({ queue, bindings: [], prefetch: 2, read: anything, handle: seen.handle });
    await consumer.ready;
    const numbers = Array.from({ length: 12 }, (_, index) => index);
    await connection.publishAll(numbers.map((body) => ({ exchange: '', routingKey: queue, body })));
    await seen.received(2);
    consumer.allowMore(3);
    await seen.received(5);
    expect(await connection.inspectQueue(queue)).to.include({ consumers: 4 });
    expect(seen.deliveries).to.have.length(5);
    consumer.allowMore(0);
    await until('the further consumers to end', async () => (await connection.inspectQueue(queue))?.consumers === 1);
    seen.deliveries.forEach((delivery) => delivery.ack());
    await seen.received(7);
    expect(await connection.inspectQueue(queue)).to.include({ consumers: 1 });
    expect(seen.deliveries).to.have.length(7);
    seen.deliveries.slice(5).forEach((delivery) => delivery.ack());
    consumer.allowMore(5);
    await seen.received(12);
    expect(seen.bodies()).to.have.members(numbers);
    await consumer.close();
  });

  it('delivers unacknowledged messages again when their consumer closes', async () => {
    const queue = uniqueQueue();
    const options = {
      queue,
      bindings: [{ exchange: managementExchange, routingKey: queue }],
      prefetch: 10,
      read: anything,
    };
    const first = collector();
    const consumer = connection.consume({ ...options, handle: first.handle });
    await consumer.ready;
    await connection.publish({ exchange: managementExchange, routingKey: queue, body: 'again' });
    await first.received(1);
    await consumer.close();
    const second = collector();
    connection.consume({ ...options, handle: second.handle });
    await second.received(1);
    expect(second.deliveries[0]).to.include({ body: 'again', isRedelivered: true });
  });

  it('rejects a mandatory message that no queue takes, and only that one', async () => {
    const queue = uniqueQueue();
    const seen = collector();
    const consumer = connection.consume({
      queue,
      bindings: [{ exchange: 'agent_1', routingKey: 'operation' }],
      prefetch: 10,
      read: anything,
      handle: seen.handle,
    });
    await consumer.ready;
    const outcomes = await connection.publishAll(
      [
        { exchange: 'agent_1', routingKey: 'operation', body: 1 },
        { exchange: 'agent_gone', routingKey: 'operation', body: 2 },
      ],
      { isMandatory: true },
    );
    expect(outcomes[0]).to.equal(undefined);
    expect(outcomes[1]).to.be.instanceOf(UnroutableError);
    await seen.received(1);
  });

  it('puts an unreadable message into the dead letters with the reason', async () => {
    const queue = uniqueQueue();
    const malformed: string[] = [];
    const consumer = connection.consume({
      queue,
      bindings: [{ exchange: managementExchange, routingKey: queue }],
      prefetch: 1,
      read: () => {
        throw new Error('no such shape');
      },
      handle: () => undefined,
      onMalformed: (_raw, reason) => malformed.push(reason),
    });
    await consumer.ready;
    const letters = collector();
    connection.consume({ queue: deadLettersQueue, bindings: [], prefetch: 10, read: anything, handle: letters.handle });
    await connection.publish({ exchange: managementExchange, routingKey: queue, body: { odd: true } });
    await letters.received(1);
    expect(letters.deliveries[0]?.body).to.deep.equal({
      reason: 'no such shape',
      queue,
      exchange: managementExchange,
      routing_key: queue,
      content: '{"odd":true}',
    });
    letters.deliveries[0]?.ack();
    expect(malformed).to.deep.equal(['no such shape']);
  });

  it('tries a message again whose handler failed, and puts it away the second time', async () => {
    const queue = uniqueQueue();
    let attempts = 0;
    const consumer = connection.consume({
      queue,
      bindings: [{ exchange: managementExchange, routingKey: queue }],
      prefetch: 1,
      read: anything,
      handle: async () => {
        attempts += 1;
        throw new Error('defect');
      },
    });
    await consumer.ready;
    const letters = collector();
    connection.consume({ queue: deadLettersQueue, bindings: [], prefetch: 10, read: anything, handle: letters.handle });
    await connection.publish({ exchange: managementExchange, routingKey: queue, body: 'x' });
    await letters.received(1);
    expect(attempts).to.equal(2);
    expect(letters.deliveries[0]?.body).to.include({ reason: 'Handling failed twice: defect' });
    letters.deliveries[0]?.ack();
  });

  // nobody but the product itself reaches the in-process broker, and it does not tell consumers
  if (isReachedByOthers) {
    it('subscribes again when somebody deleted the queue', async () => {
      const queue = uniqueQueue();
      const seen = collector();
      const consumer = connection.consume({
        queue,
        bindings: [{ exchange: managementExchange, routingKey: queue }],
        prefetch: 10,
        read: anything,
        handle: seen.handle,
        channelGroup: 'replies',
      });
      await consumer.ready;
      await connection.withChannel((channel) => channel.deleteQueue(queue));
      // messages are lost while there is no queue, so publish until one arrives
      let isReceived = false;
      const received = seen.received(1).then(() => {
        isReceived = true;
      });
      while (!isReceived) {
        await connection.publish({ exchange: managementExchange, routingKey: queue, body: 'after' });
        await new Promise((resolve) => setImmediate(resolve));
      }
      await received;
    });
  }

  it('serves many consumers of a group over one channel, each with its own prefetch', async () => {
    const seen = [collector(), collector(), collector()];
    const queues = seen.map(uniqueQueue);
    const consumers = queues.map((queue, index) =>
      connection.consume({
        queue,
        bindings: [{ exchange: managementExchange, routingKey: queue }],
        prefetch: 5,
        read: anything,
        handle: seen[index]!.handle,
        channelGroup: 'replies',
      }),
    );
    await Promise.all(consumers.map((consumer) => consumer.ready));
    await connection.publishAll(
      queues.map((queue) => ({ exchange: managementExchange, routingKey: queue, body: queue })),
    );
    await Promise.all(seen.map((entry) => entry.received(1)));
    expect(seen.map((entry) => entry.bodies())).to.deep.equal(queues.map((queue) => [queue]));
  });

  it('fails messages that wait when it is closed', async () => {
    await connection.whenConnected();
    await connection.close();
    const outcome = await connection.publish({ exchange: '', routingKey: 'q', body: 1 }).catch((error: Error) => error);
    expect(outcome).to.be.instanceOf(Error).with.property('name', 'BrokerUnavailableError');
  });
}

describe('broker connection over the in-process broker', () => {
  let count = 0;
  suite(async () => `memory:connection-${(count += 1)}`, false);
});

describe('broker connection over RabbitMQ', () => {
  before(function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
  });
  suite(async () => (await sharedRabbitmq()).createVhost('connection'), true);
});

describe('broker connection over a RabbitMQ that fails', () => {
  let server: RabbitmqServer;
  let connection: BrokerConnection;

  before(async function () {
    if (!isRabbitmqInstalled()) {
      this.skip();
    }
    this.timeout(60_000);
    server = await RabbitmqServer.start();
  });
  after(async () => {
    await server?.stop();
  });
  afterEach(async () => {
    await connection?.close();
  });

  it('may be made while the broker is down: messages wait, consumers subscribe later', async function () {
    this.timeout(60_000);
    await server.halt();
    connection = connectBroker({ url: server.url, log: silentLogger, name: 'test' });
    const refused = await connection
      .publish({ exchange: managementExchange, routingKey: 'late', body: 0 }, { whenDown: 'fail' })
      .catch((error: Error) => error.name);
    expect(refused).to.equal('BrokerUnavailableError');
    const seen = collector();
    const consumer = connection.consume({
      queue: 'late',
      bindings: [{ exchange: managementExchange, routingKey: 'late' }],
      prefetch: 10,
      read: anything,
      handle: seen.handle,
    });
    await server.resume();
    await consumer.ready;
    await connection.publish({ exchange: managementExchange, routingKey: 'late', body: 1 });
    await seen.received(1);
    expect(seen.bodies()).to.deep.equal([1]);
    seen.deliveries[0]?.ack();
  });

  it('comes back whenever it is lost, also while it is being made', async function () {
    this.timeout(120_000);
    const server = await sharedRabbitmq();
    const proxy = await TcpProxy.start(server.port);
    const url = proxy.over(await server.createVhost('cut'));
    try {
      // from the first byte of the handshake to the last declaration
      for (let bytes = 0; bytes <= 1600; bytes += 100) {
        proxy.cutAfter(bytes);
        const connection = connectBroker({ url, log: silentLogger, name: `cut after ${bytes}` });
        await connection.publish({ exchange: managementExchange, routingKey: 'operation', body: { bytes } });
        await connection.close();
      }
      const connection = connectBroker({ url, log: silentLogger, name: 'counting' });
      const queue = await connection.inspectQueue(operationQueue);
      await connection.close();
      // one that was sent but not confirmed is sent again
      expect(queue?.messages).to.be.at.least(17);
    } finally {
      await proxy.stop();
    }
  });

  it('goes on after a kill of the broker: nothing confirmed is lost, consumers get what comes later', async function () {
    this.timeout(60_000);
    connection = connectBroker({ url: server.url, log: silentLogger, name: 'test' });
    const seen = new Set<unknown>();
    let arrived: () => void = () => undefined;
    const complete = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const consumer = connection.consume({
      queue: 'restart',
      bindings: [{ exchange: managementExchange, routingKey: 'restart' }],
      prefetch: 100,
      read: anything,
      handle: (delivery) => {
        seen.add(delivery.body);
        delivery.ack();
        if (seen.size === 2000) {
          arrived();
        }
      },
    });
    await consumer.ready;
    const publishing = connection.publishAll(
      Array.from({ length: 2000 }, (_, body) => ({ exchange: managementExchange, routingKey: 'restart', body })),
    );
    await server.halt('SIGKILL');
    await server.resume();
    expect((await publishing).every((outcome) => outcome === undefined)).to.equal(true);
    await complete;
  });
});
