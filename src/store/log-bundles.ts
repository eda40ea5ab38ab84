/** How the processes of the product are asked for their logs, and what else a log bundle tells. */
import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';
import { onlyRow } from './values.ts';

/** Told the id of a log bundle: every process gives its logs. */
export const logsWantedChannel = 'gantry_logs_wanted';
/** Told `<id of the bundle> <process>`. */
export const logsGivenChannel = 'gantry_logs_given';

export async function askForLogs(session: Session, bundleId: string): Promise<void> {
  await session.query('select pg_notify($1, $2)', [logsWantedChannel, bundleId]);
}

export async function tellLogsGiven(session: Session, bundleId: string, process: string): Promise<void> {
  await session.query('select pg_notify($1, $2)', [logsGivenChannel, `${bundleId} ${process}`]);
}

/** The state of the manager as far as it helps to understand its logs; nothing secret is in it. */
export async function describeManager(session: Session): Promise<JsonObject> {
  const { state } = onlyRow(
    await session.query<{ state: JsonObject }>(
      `select json_build_object(
         'database', version(),
         'database_bytes', pg_database_size(current_database()),
         'connections', (select count(*) from pg_stat_activity where datname = current_database()),
         'migrations', (select json_agg(name order by name) from schema_marks),
         'processes', (select json_agg(row_to_json(process) order by process.name) from processes process),
         'managers', (select json_agg(json_build_object('hostname', hostname, 'private_ip', private_ip,
            'version', version, 'last_seen', last_seen)) from managers),
         'maintenance', (select status from maintenance_mode),
         'outbox', (select count(*) from outbox),
         'executions', (select json_object_agg(status, count) from (
            select status, count(*) as count from executions group by status) as counts),
         'unfinished_executions', (select json_agg(json_build_object('id', id, 'workflow_id', workflow_id, 'status',
            status, 'created_at', created_at, 'executor', executor)) from (
              select * from executions where status not in ('terminated', 'failed', 'cancelled')
              order by created_at limit 1000) as unfinished),
         'failed_executions', (select json_agg(json_build_object('id', id, 'workflow_id', workflow_id, 'ended_at',
            ended_at, 'error', left(error, 2000))) from (
              select * from executions where status = 'failed' order by ended_at desc limit 100) as failed),
         'settings', (select json_object_agg(scope || '.' || name, value) from config
            where not admin_only and name !~ 'password|secret|token')
       ) as state`,
    ),
  );
  return state;
}
