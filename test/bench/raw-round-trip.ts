import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import amqp from 'amqplib';

/** What the broker itself is capable of: the limit that a benchmark's figure is compared with. */
export interface RoundTripRate {
  perSecond: number;
  medianMilliseconds: number;
}

const taskQueue = 'bench-tasks';
const replyQueue = 'bench-replies';
/** About the size of an operation's message. */
const bodyBytes = 1500;

/** The other side: takes tasks, answers each with a confirmed persistent message, then acknowledges the task. */
async function work(url: string, prefetch: number): Promise<void> {
  const connection = await amqp.connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(prefetch);
  await channel.assertQueue(taskQueue, { durable: true });
  await channel.assertQueue(replyQueue, { durable: true });
  await channel.consume(taskQueue, (message) => {
    if (message) {
      const { correlationId } = message.properties as { correlationId: string };
      channel.sendToQueue(replyQueue, message.content, { persistent: true, correlationId }, () => channel.ack(message));
    }
  });
  process.send?.('ready');
  await once(process, 'message');
  await connection.close();
  process.disconnect();
}

async function measure(url: string, inFlight: number, seconds: number): Promise<RoundTripRate> {
  const connection = await amqp.connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(inFlight);
  const body = Buffer.alloc(bodyBytes, 'x');
  const started = performance.now();
  const sentAt = new Map<string, number>();
  const latencies: number[] = [];
  let sequence = 0;
  const send = (): void => {
    sequence += 1;
    sentAt.set(String(sequence), performance.now());
    channel.sendToQueue(taskQueue, body, { persistent: true, correlationId: String(sequence) });
  };
  await new Promise<void>((resolve, reject) => {
    channel
      .consume(replyQueue, (message) => {
        if (!message) {
          return;
        }
        const { correlationId } = message.properties as { correlationId: string };
        latencies.push(performance.now() - (sentAt.get(correlationId) ?? 0));
        sentAt.delete(correlationId);
        channel.ack(message);
        if (performance.now() - started < seconds * 1000) {
          send();
        } else if (sentAt.size === 0) {
          resolve();
        }
      })
      .catch(reject);
    for (let count = 0; count < inFlight; count += 1) {
      send();
    }
  });
  const elapsed = (performance.now() - started) / 1000;
  await channel.deleteQueue(taskQueue);
  await channel.deleteQueue(replyQueue);
  await connection.close();
  latencies.sort((left, right) => left - right);
  return {
    perSecond: Math.round(latencies.length / elapsed),
    medianMilliseconds: Number((latencies[Math.floor(latencies.length / 2)] ?? 0).toFixed(2)),
  };
}

/**
 * Measures persistent, confirmed round trips between two processes: publish, consume, reply, acknowledge.
 * @param url vhost to use; its queues are removed afterwards
 * @param seconds how long to measure
 */
export async function measureRoundTrips(url: string, inFlight = 100, seconds = 3): Promise<RoundTripRate> {
  const worker = fork(fileURLToPath(import.meta.url), [url, String(inFlight)], { execArgv: ['--import', 'tsx'] });
  const ended = once(worker, 'exit');
  await once(worker, 'message');
  try {
    return await measure(url, inFlight, seconds);
  } finally {
    worker.send('stop');
    await ended;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await work(process.argv[2] ?? '', Number(process.argv[3]));
}
