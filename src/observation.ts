import { logsQueue, operationQueue, workflowQueue } from './amqp/names.ts';
import type { BrokerConnection } from './amqp/connection.ts';
import type { Config } from './config/config.ts';
import type { Logger } from './log/logger.ts';
import { Metrics } from './metrics/metrics.ts';
import { probeListener } from './rest/probes.ts';
import { serveHttp } from './rest/server.ts';
import type { Runtime } from './runtime/types.ts';
import type { Shutdown } from './shutdown.ts';
import type { Database } from './store/database.ts';
import { countOutbox, countRoles, countUnfinishedExecutions } from './store/measures.ts';

export interface Observed {
  readonly config: Config;
  readonly log: Logger;
  readonly database: Database;
  readonly broker: BrokerConnection;
}

/** Measures the operations that a runtime runs. */
export function measureOperations(runtime: Runtime, metrics: Metrics): Runtime {
  return {
    run: async (request, host, signal) => {
      const started = performance.now();
      const reply = await runtime.run(request, host, signal);
      const outcome = reply.ok
        ? 'succeeded'
        : reply.error.known_exception_type === 'OperationRetry'
          ? 'rescheduled'
          : 'failed';
      metrics.observeOperation(outcome, (performance.now() - started) / 1000);
      return reply;
    },
    stop: () => runtime.stop(),
  };
}

/** What every process measures, and what those that look after all of them measure for all. */
export function makeMetrics({ config, database, broker }: Observed): Metrics {
  const metrics = new Metrics({ instance_name: config.instanceName });
  metrics.add({
    name: 'gantry_database_connections',
    help: 'Database connections of this process',
    label: 'state',
    read: () => ({ ...database.poolState }),
  });
  metrics.add({
    name: 'gantry_broker_connected',
    help: 'Whether this process is connected to the broker',
    read: () => (broker.isConnected ? 1 : 0),
  });
  if (config.roles.includes('scheduler')) {
    addSharedReadings(metrics, { config, database, broker });
  }
  return metrics;
}

/** Numbers that are the same wherever they are asked: only processes of one role ask, so that watching stays cheap. */
function addSharedReadings(
  metrics: Metrics,
  { config, database, broker }: Pick<Observed, 'config' | 'database' | 'broker'>,
): void {
  metrics.add({
    name: 'gantry_executions',
    help: 'Executions that have not ended, by status',
    label: 'status',
    read: () => countUnfinishedExecutions(database),
  });
  metrics.add({
    name: 'gantry_outbox_messages',
    help: 'Messages that are stored but not sent yet',
    read: () => countOutbox(database),
  });
  metrics.add({
    name: 'gantry_processes',
    help: 'Living processes by role',
    label: 'role',
    read: () => countRoles(database, config.executor.staleAfterSeconds),
  });
  metrics.add({
    name: 'gantry_queue_messages',
    help: 'Messages that wait in queues of the broker',
    label: 'queue',
    read: async () => {
      const queues = [workflowQueue, operationQueue, logsQueue];
      const states = await Promise.all(queues.map((queue) => broker.inspectQueue(queue)));
      return Object.fromEntries(queues.map((queue, index) => [queue, states[index]?.messages ?? 0]));
    },
  });
}

/** Serves /metrics, /healthz and /readyz where the configuration asks for it. */
export async function startProbes(observed: Observed, metrics: Metrics, shutdown: Shutdown): Promise<void> {
  const { config, log, database, broker } = observed;
  const { host, port } = config.probes;
  if (port === undefined) {
    return;
  }
  const checks = [
    {
      name: 'database',
      isReady: async () => {
        await database.query('select 1');
        return true;
      },
    },
    { name: 'broker', isReady: () => broker.isConnected },
  ];
  const server = await serveHttp({ host, port }, probeListener({ metrics, checks }));
  shutdown.add('probes', () => server.stop(0));
  log.info('Serving probes', { url: server.url });
}
