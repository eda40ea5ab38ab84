import { join } from 'node:path';
import type pg from 'pg';
import { tenantVhost } from '../../../src/amqp/names.ts';
import { until } from '../../kit/until.ts';
import type { Site } from '../site.ts';
import { filesLeft } from './files.ts';
import type { Call, Person, Requests } from './requests.ts';

/** Paths that DELETE (or another call) takes, by what there is. The order is the one in which it goes. */
const removals: readonly { rows: string; method: Call['method']; body?: Call['body'] }[] = [
  {
    rows: `select '/executions/' || execution.id as path, tenant.name as tenant from executions execution
      join tenants tenant on tenant.id = execution.tenant_id where execution.status = 'scheduled'`,
    method: 'POST',
    body: { action: 'cancel' },
  },
  {
    rows: `select '/deployment-modifications/' || modification.id || '/rollback' as path, tenant.name as tenant
      from deployment_modifications modification
      join deployments deployment on deployment.storage_id = modification.deployment_id
      join tenants tenant on tenant.id = deployment.tenant_id where modification.status = 'started'`,
    method: 'POST',
  },
  ...(
    [
      ['deployment_groups', '/deployment-groups/', '?delete_deployments=true&force=true&recursive=true'],
      ['deployments', '/deployments/', '?force=true'],
      ['blueprints', '/blueprints/', '?force=true'],
      ['snapshots', '/snapshots/', ''],
      ['log_bundles', '/log-bundles/', ''],
      ['secrets', '/secrets/', ''],
      ['filters', '/filters/deployments/', ''],
      ['sites', '/sites/', ''],
    ] as const
  ).map(([table, path, query]) => ({
    rows: `select '${path}' || resource.id || '${query}' as path, tenant.name as tenant from ${table} resource
      join tenants tenant on tenant.id = resource.tenant_id ${table === 'filters' ? 'where not is_system_filter' : ''}`,
    method: 'DELETE' as const,
  })),
  {
    rows: `select '/tenants/' || name as path, 'default_tenant' as tenant from tenants where name <> 'default_tenant'`,
    method: 'DELETE',
  },
];

/** Removes all that was made, as people would, until a round finds nothing more. */
export async function removeEverything(requests: Requests, admin: Person, database: pg.Pool): Promise<void> {
  const refused: string[] = [];
  for (const { rows: statement, method, body } of removals) {
    await until(
      statement.slice(0, 60),
      async () => {
        const { rows } = await database.query<{ path: string; tenant: string }>(statement);
        refused.length = 0;
        for (const { path, tenant } of rows) {
          const answer = await requests.send({ person: admin, tenant, method, path, body });
          if (answer.status >= 300) {
            refused.push(`${method} ${path} in ${tenant}: ${answer.status} ${JSON.stringify(answer.body)}`);
          }
        }
        return rows.length === 0;
      },
      30,
    ).catch(() => requests.complaints.push(...refused.map((line) => `cannot be removed: ${line}`)));
  }
}

/** Tables that have rows only because of what was removed. */
const emptyTables = [
  'agents',
  'blueprints',
  'blueprints_labels',
  'deployment_groups',
  'deployment_labels_dependencies',
  'deployment_modifications',
  'deployment_update_steps',
  'deployment_updates',
  'deployments',
  'deployments_labels',
  // those that deleted deployments stay, with their events, as long as executions are kept
  `execution_groups where workflow_id <> 'delete_deployment_environment'`,
  'execution_schedules',
  'filters where not is_system_filter',
  'inter_deployment_dependencies',
  'node_instances',
  'nodes',
  'outbox',
  'secrets',
  'sites',
  'snapshots',
  'executions where deployment_id is not null',
  `operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
    join executions execution on execution.storage_id = graph.execution_id where execution.is_system_workflow is false`,
  `events event left join executions execution on execution.storage_id = event.execution_id
    left join execution_groups on execution_groups.storage_id = event.execution_group_id
    where execution.storage_id is null and execution_groups.storage_id is null`,
];

/** Complaints about rows, files and accounts on the broker that are there although everything was removed. */
export async function whatIsLeft(site: Site, database: pg.Pool): Promise<string[]> {
  const complaints: string[] = [];
  for (const rest of emptyTables) {
    const { rows } = await database.query<{ count: number }>(`select count(*)::integer as count from ${rest}`);
    if (rows[0]?.count !== 0) {
      complaints.push(`${rows[0]?.count} rows are left in ${rest}`);
    }
  }
  return [...complaints, ...filesLeft(join(site.cluster.folder, 'files')), ...(await accountsLeft(site))];
}

/** Virtual hosts of tenants that are gone; the scheduler clears them up a moment later. */
async function accountsLeft({ rabbitmq }: Site): Promise<string[]> {
  const odd = async (): Promise<string[]> => {
    const vhosts = (await rabbitmq.manage('GET', '/api/vhosts')) as { name: string }[];
    const known = ['/', tenantVhost('default_tenant')];
    return vhosts.map(({ name }) => name).filter((name) => !known.includes(name));
  };
  await until('virtual hosts to be removed', async () => (await odd()).length === 0, 30).catch(() => undefined);
  return (await odd()).map((name) => `the virtual host ${name} is left`);
}
