import type { BrokerConnection } from '../amqp/connection.ts';
import type { Consumer, Delivery } from '../amqp/consumer.ts';
import { readOperationTask, readServiceTask } from '../amqp/envelopes.ts';
import type { OperationTask, ServiceTask } from '../amqp/envelopes.ts';
import { managementExchange, operationQueue, routingKeys, serviceExchange, serviceQueue } from '../amqp/names.ts';
import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import type { Logger } from '../log/logger.ts';
import type { OperationHost, Runtime } from '../runtime/types.ts';
import type { Database } from '../store/database.ts';
import { Waits } from '../runtime/waits.ts';
import { OperationDesk } from './operation-desk.ts';

export interface BrokerDependencies {
  config: Config;
  log: Logger;
  database: Database;
  /** Connection to the `/` vhost. */
  broker: BrokerConnection;
  clock: Clock;
  /** Name of this run of the program, as its heartbeat has it. */
  processName: string;
  /** Seconds without heartbeat after which another process counts as dead. */
  staleAfter: () => number;
  runtime: Runtime;
  /** Effects of operations; the manager's is made by `makeOperationHost`. */
  host: OperationHost;
  /** Operations of this process that only wait: others run in their place. */
  waits?: Waits;
  /** Does a service task that is not about operations, such as installing a plugin. */
  serve?: (task: ServiceTask) => Promise<void>;
}

export interface TaskBroker {
  /** Operations that run now. */
  readonly runningCount: number;
  /** Takes no more operations, waits for the running ones up to `graceSeconds`, then kills them without an answer. */
  stop(graceSeconds?: number): Promise<void>;
}

const servicePrefetch = 50;
const defaultGraceSeconds = 10;

/** Starts running operations that are sent to the manager itself. */
export async function startTaskBroker(dependencies: BrokerDependencies): Promise<TaskBroker> {
  const { broker, config, log } = dependencies;
  const waits = dependencies.waits ?? new Waits();
  const desk = new OperationDesk({ ...dependencies, waits });
  const operations: Consumer = broker.consume({
    queue: operationQueue,
    bindings: [{ exchange: managementExchange, routingKey: routingKeys.operation }],
    prefetch: config.broker.maxOperations,
    read: readOperationTask,
    handle: (delivery: Delivery<OperationTask>) => desk.take(delivery),
    onMalformed: (raw, reason) => desk.answerMalformed(raw, reason),
  });
  waits.listen((count) => operations.allowMore(count));
  const services: Consumer = broker.consume({
    queue: serviceQueue(config.instanceName),
    bindings: [{ exchange: serviceExchange, routingKey: routingKeys.service }],
    prefetch: servicePrefetch,
    read: readServiceTask,
    handle: (delivery) => {
      delivery.ack();
      serve(delivery, dependencies, desk).catch((error: unknown) =>
        log.error('A service task failed', { task: delivery.body.name, error }),
      );
    },
  });
  return {
    get runningCount() {
      return desk.runningCount;
    },
    stop: async (graceSeconds = defaultGraceSeconds) => {
      await Promise.all([operations.stop(), services.stop()]);
      await desk.stop(graceSeconds * 1000);
      await Promise.all([operations.close(), services.close()]);
    },
  };
}

async function serve(
  delivery: Delivery<ServiceTask>,
  dependencies: BrokerDependencies,
  desk: OperationDesk,
): Promise<void> {
  const { name, kwargs } = delivery.body;
  switch (name) {
    case 'ping':
      await reply(delivery, dependencies, { time: dependencies.clock.now() / 1000 });
      return;
    case 'cancel-operation':
      if (typeof kwargs['execution_id'] === 'string') {
        desk.kill(kwargs['execution_id']);
      }
      return;
    default:
      await dependencies.serve?.(delivery.body);
  }
}

/** Replies go through the own exchange; through the fan-out they would reach every manager. */
async function reply(delivery: Delivery<ServiceTask>, { broker }: BrokerDependencies, body: object): Promise<void> {
  const { replyTo, correlationId } = delivery;
  if (replyTo !== undefined && correlationId !== undefined) {
    await broker.publish({ exchange: managementExchange, routingKey: replyTo, correlationId, body });
  }
}
