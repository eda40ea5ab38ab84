import type { GantryClient } from '../../src/client/client.ts';
import type { Database } from '../../src/store/database.ts';
import type { Transaction } from '../../src/store/session.ts';
import { deploy, noopBlueprint } from '../kit/blueprints.ts';

/** The deployment that all others are copies of. */
const original = 'original';
/** More than there are clients, so that each changes an instance of its own. */
const instances = 64;
const executions = 1000;

/** A statement that copies rows of a table, with other values for some columns. */
async function copyStatement(
  transaction: Transaction,
  table: string,
  replaced: Readonly<Record<string, string>>,
  from: string,
): Promise<string> {
  const rows = await transaction.query<{ name: string }>(
    `select column_name as name from information_schema.columns where table_schema = 'public' and table_name = $1`,
    [table],
  );
  const kept = rows.map(({ name }) => name).filter((name) => name !== 'storage_id' && !(name in replaced));
  const columns = [...kept, ...Object.keys(replaced)].join(', ');
  const values = [...kept.map((name) => `template.${name}`), ...Object.values(replaced)].join(', ');
  return `insert into ${table} (${columns}) select ${values} from ${table} template, ${from}`;
}

export interface SampleSizes {
  readonly deployments: number;
  readonly events: number;
}

async function fill(transaction: Transaction, sizes: SampleSizes): Promise<void> {
  // the triggers of so many rows would take longer than the rows themselves
  await transaction.query(`set local session_replication_role = replica`);
  await transaction.query(
    await copyStatement(
      transaction,
      'deployments',
      { id: `'copy-' || n`, created_at: `now() - n * interval '1 second'` },
      `generate_series(1, ${sizes.deployments}) n where template.id = '${original}'`,
    ),
  );
  await transaction.query(
    `insert into deployments_labels (resource_id, key, value, creator_id)
     select storage_id, label.key, label.value, creator_id from deployments,
       (values ('csys-env-type', 'vm'), ('owner', 'bench')) as label (key, value) where id like 'copy-%'`,
  );
  await transaction.query(
    await copyStatement(
      transaction,
      'executions',
      { id: `'execution-' || n`, created_at: `now() - n * interval '1 second'`, token_hash: 'null' },
      `generate_series(1, ${executions}) n where template.workflow_id = 'create_deployment_environment'`,
    ),
  );
  await transaction.query(
    `insert into events (timestamp, reported_timestamp, kind, tenant_id, creator_id, visibility, execution_id, message,
       event_type, operation, node_instance_id)
     select now() - n * interval '10 milliseconds', now() - n * interval '10 milliseconds', 'event', 0, 0, 'tenant',
       execution.storage_id, 'Task succeeded ''gantry.noop''', 'task_succeeded', 'cloudify.interfaces.lifecycle.create',
       'worker_' || n % 1000
     from generate_series(1, ${sizes.events}) n join executions execution on execution.id = 'execution-' || (1 + n % ${executions})`,
  );
}

/**
 * Puts many deployments, executions and events into a manager: one deployment is made as people do, the others are
 * copies of its rows.
 * @returns ids of node instances of the original
 */
export async function fillManager(client: GantryClient, database: Database, sizes: SampleSizes): Promise<string[]> {
  await deploy(client, original, noopBlueprint(instances));
  await database.transaction((transaction) => fill(transaction, sizes));
  await database.query('vacuum (analyze)');
  const rows = await database.query<{ id: string }>(
    `select instance.id from node_instances instance join deployments deployment
       on deployment.storage_id = instance.deployment_id where deployment.id = $1 order by 1`,
    [original],
  );
  return rows.map(({ id }) => id);
}
