import type { Database } from '../../src/store/database.ts';

export type Visibility = 'private' | 'tenant' | 'global';

/** Things of every kind that all have the same name, creator and visibility. */
export interface Family {
  name: string;
  visibility: Visibility;
}

const visible = ['tenant_id', 'creator_id', 'visibility'].join(', ');
const values = '$1::integer, $2::integer, family.visibility';

/** table -> what stores one row of it for each family; later ones refer to earlier ones. */
const inserts: Readonly<Record<string, string>> = {
  blueprints: `insert into blueprints (id, ${visible}, state, main_file_name, plan)
    select label, ${values}, 'uploaded', 'blueprint.yaml', '{"inputs": {}, "nodes": []}' from family`,
  deployments: `insert into deployments (id, ${visible}, display_name, blueprint_id, inputs, outputs, capabilities,
      workflows, groups, scaling_groups)
    select label, ${values}, label, (select storage_id from blueprints where id = label), '{}', '{}',
      '{"found": {"value": 1}}', '{}', '{}', jsonb_build_object(label, jsonb_build_object('members', array[label],
      'properties', '{"planned_instances": 1, "min_instances": 1, "max_instances": 1, "default_instances": 1,
      "current_instances": 1}'::jsonb))
    from family`,
  deployments_labels: `insert into deployments_labels (resource_id, key, value, creator_id)
    select deployment.storage_id, 'k-' || label, label, $2::integer + $1::integer * 0
    from family join deployments deployment on deployment.id = label`,
  nodes: `insert into nodes (id, deployment_id, creator_id, type, type_hierarchy)
    select label, deployment.storage_id, $2::integer + $1::integer * 0, 'cloudify.nodes.Root', '["cloudify.nodes.Root"]'
    from family join deployments deployment on deployment.id = label`,
  node_instances: `insert into node_instances (id, node_id, deployment_id, creator_id, index)
    select label, node.storage_id, node.deployment_id, $2::integer + $1::integer * 0, 1
    from family join nodes node on node.id = label`,
  executions: `insert into executions (id, ${visible}, status, workflow_id, deployment_id)
    select label, ${values}, 'failed', 'install', (select storage_id from deployments where id = label) from family`,
  tasks_graphs: `insert into tasks_graphs (id, execution_id, name)
    select label, execution.storage_id, 'install' from family join executions execution on execution.id = label
    where $1::integer + $2::integer >= 0`,
  operations: `insert into operations (id, tasks_graph_id, name, type)
    select label, graph.storage_id, label, 'RemoteWorkflowTask' from family join tasks_graphs graph on graph.id = label
    where $1::integer + $2::integer >= 0`,
  events: `insert into events (reported_timestamp, kind, ${visible}, execution_id, message)
    select now(), 'log', ${values}, execution.storage_id, label
    from family join executions execution on execution.id = label`,
  secrets: `insert into secrets (id, ${visible}, value) select label, ${values}, null from family`,
  sites: `insert into sites (id, ${visible}) select label, ${values} from family`,
  filters: `insert into filters (kind, id, ${visible}, value)
    select kind, label, ${values}, '[]' from family, unnest(array['blueprints', 'deployments']) as kind`,
  plugins: `insert into plugins (id, ${visible}, archive_name, package_name, package_version)
    select label, ${values}, label || '.wgn', label, '1.0' from family`,
  snapshots: `insert into snapshots (id, ${visible}, status) select label, ${values}, 'created' from family`,
  log_bundles: `insert into log_bundles (id, ${visible}, status) select label, ${values}, 'created' from family`,
  deployment_groups: `insert into deployment_groups (id, ${visible}) select label, ${values} from family`,
  execution_groups: `insert into execution_groups (id, ${visible}, workflow_id) select label, ${values}, 'install' from family`,
  execution_schedules: `insert into execution_schedules (id, ${visible}, deployment_id, workflow_id, rule)
    select label, ${values}, (select storage_id from deployments where id = label), 'install', '{"recurrence": "1 day"}'
    from family`,
  inter_deployment_dependencies: `insert into inter_deployment_dependencies
      (id, ${visible}, dependency_creator, source_deployment_id)
    select label, ${values}, 'component.' || label, (select storage_id from deployments where id = label) from family`,
  plugins_updates: `insert into plugins_updates (id, ${visible}, state, original_blueprint_id)
    select label, ${values}, 'successful', (select storage_id from blueprints where id = label) from family`,
  agents: `insert into agents (id, name, ${visible}, node_instance_id, install_method, state, rabbitmq_exchange)
    select label, label, ${values}, (select storage_id from node_instances where id = label), 'remote', 'started', label
    from family`,
  deployment_modifications: `insert into deployment_modifications
      (id, deployment_id, creator_id, status, modified_nodes, node_instances)
    select label, deployment.storage_id, $2::integer + $1::integer * 0, 'started', '{}', '{}'
    from family join deployments deployment on deployment.id = label`,
  deployment_updates: `insert into deployment_updates (id, deployment_id, creator_id, visibility, state)
    select label, deployment.storage_id, $2::integer + $1::integer * 0, family.visibility, 'successful'
    from family join deployments deployment on deployment.id = label`,
  secrets_providers: `insert into secrets_providers (id, ${visible}, type) select label, ${values}, 'vault' from family`,
};

/** Tables that a family has rows in. */
const familyTables = Object.keys(inserts);

/** Stores families in a tenant, as made by a user. */
export async function addFamilies(
  database: Database,
  owner: { tenantId: number; creatorId: number },
  families: readonly Family[],
): Promise<void> {
  const parameters = [
    owner.tenantId,
    owner.creatorId,
    families.map(({ name }) => name),
    families.map(({ visibility }) => visibility),
  ];
  for (const insert of Object.values(inserts)) {
    await database.query(
      `with family as (select * from unnest($3::text[], $4::text[]) as family (label, visibility)) ${insert}`,
      parameters,
    );
  }
}

/** What is stored of families: their rows as texts, by table. */
export async function readFamilies(database: Database, names: readonly string[]): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const table of familyTables) {
    const column = table === 'events' ? 'message' : table === 'deployments_labels' ? 'value' : 'id';
    const rows = await database.query<{ text: string }>(
      `select row_to_json(found)::text as text from ${table} found where ${column} = any($1) order by 1`,
      [[...names]],
    );
    found[table] = rows.map(({ text }) => text);
  }
  return found;
}
