import { loadavg, availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Seconds without any progress after which what runs counts as hung, on an idle machine. */
const patience = 60;

/** Anything that changes while an execution goes on. */
const progressStatement = `
  select concat_ws(' ', (select count(*) from events), (select max(storage_id) from executions),
    (select string_agg(concat(state, ':', count), ',') from
      (select state, count(*) as count from operations group by state order by state) states),
    (select string_agg(status, ',' order by storage_id) from executions where ended_at is null)) as progress`;

/**
 * Waits for work to end as long as it makes progress.
 * @returns whether it ended; false when nothing has moved for a time that grows with the load of the machine
 */
export async function endsWhileMoving(databaseUrl: string, work: Promise<void>): Promise<boolean> {
  let isOver = false;
  const over = work.then(() => {
    isOver = true;
  });
  let last = '';
  let stalledFor = 0;
  while (!isOver) {
    await Promise.race([over, delay(1000)]);
    const progress = await readProgress(databaseUrl);
    const load = (loadavg()[0] ?? 0) / availableParallelism();
    stalledFor = progress === last ? stalledFor + 1 / Math.max(1, load) : 0;
    last = progress;
    if (stalledFor > patience) {
      return false;
    }
  }
  return true;
}

async function readProgress(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ progress: string }>(progressStatement);
    return rows[0]?.progress ?? '';
  } catch {
    return '';
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What the store says about executions that did not end: who drives them and how far their operations are. */
export async function describeHung(databaseUrl: string, executionIds: readonly string[]): Promise<string[]> {
  if (executionIds.length === 0) {
    return [];
  }
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      `select execution.id, execution.workflow_id, execution.status, execution.executor,
         extract(epoch from now() - execution.claimed_at)::integer as claimed_seconds_ago,
         (select extract(epoch from now() - last_seen)::integer from processes where name = execution.executor)
           as executor_seen_seconds_ago,
         (select jsonb_agg(line) from (
           select concat_ws(' ', operation.type, operation.state, operation.worker, count(*)) as line
           from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
           where graph.execution_id = execution.storage_id and operation.state not in ('succeeded', 'pending')
           group by operation.type, operation.state, operation.worker) lines) as open_operations
       from executions execution where execution.id = any($1)`,
      [executionIds],
    );
    return rows.map((row) => `hung: ${JSON.stringify(row)}`);
  } finally {
    await client.end();
  }
}
