import pg from 'pg';
import { deadLettersQueue, executorResponsesQueue, operationQueue, workflowQueue } from '../../src/amqp/names.ts';
import type { RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';

interface QueueFacts {
  name: string;
  messages?: number;
}

/** Rows that exist only while something is under way. */
const leftovers: Readonly<Record<string, string>> = {
  'messages in the outbox': 'select count(*)::integer as count from outbox',
  'executions that have not ended': 'select count(*)::integer as count from executions where ended_at is null',
  'deployment modifications that have not ended': `select count(*)::integer as count from deployment_modifications
    where status = 'started'`,
  'transactions that nobody ends': `select count(*)::integer as count from pg_stat_activity
    where datname = current_database() and state = 'idle in transaction' and state_change < now() - interval '20 s'`,
};

/** Complaints about what is left in the database when nothing runs any more; what is cleared up soon is waited for. */
export async function verifyStore(databaseUrl: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const complaints: string[] = [];
    for (const [what, statement] of Object.entries(leftovers)) {
      const count = async (): Promise<number> => (await client.query<{ count: number }>(statement)).rows[0]?.count ?? 0;
      await until(what, async () => (await count()) === 0, 30).catch(async () => {
        complaints.push(`${await count()} ${what} are left`);
      });
    }
    return complaints;
  } finally {
    await client.end();
  }
}

/** Complaints about what is left on the broker when nothing runs any more but these processes. */
export async function verifyBroker(rabbitmq: RabbitmqServer, processNames: readonly string[]): Promise<string[]> {
  const replyQueues = new Set(processNames.map(executorResponsesQueue));
  const odd = async (): Promise<string[]> => {
    const queues = (await rabbitmq.manage('GET', '/api/queues')) as QueueFacts[];
    return queues.flatMap(({ name, messages = 0 }) => {
      if (/_response(s)?_/.test(name) && !replyQueues.has(name)) {
        return [`queue ${name} was not deleted`];
      }
      const isWork = [workflowQueue, operationQueue, deadLettersQueue, ...replyQueues].includes(name);
      return isWork && messages > 0 ? [`${messages} messages are left in ${name}`] : [];
    });
  };
  // the figures of the management API are some seconds old
  await until('the queues to be empty', async () => (await odd()).length === 0, 30).catch(() => undefined);
  return odd();
}
