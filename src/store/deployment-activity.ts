import type { Session } from './session.ts';

/** What is going on in a deployment, as far as it decides which workflows may start. */
export interface DeploymentActivityRow {
  deploymentStorageId: number;
  /** Every state some node instance has. */
  instanceStates: readonly string[];
  /** Every type some node has or is derived from. */
  types: readonly string[];
}

interface Row {
  deployment_id: number;
  states: string[] | null;
  types: string[] | null;
}

/** Reads the activity of many deployments with one statement; those without nodes have empty lists. */
export async function readDeploymentActivity(
  session: Session,
  deploymentStorageIds: readonly number[],
): Promise<ReadonlyMap<number, DeploymentActivityRow>> {
  const rows = await session.prepared<Row>(
    `select wanted.id as deployment_id,
        (select array_agg(distinct state) from node_instances where deployment_id = wanted.id) as states,
        (select array_agg(distinct name) from nodes, jsonb_array_elements_text(type_hierarchy) as name
         where deployment_id = wanted.id) as types
      from unnest($1::bigint[]) as wanted (id)`,
    [deploymentStorageIds],
  );
  return new Map(
    rows.map(({ deployment_id, states, types }) => [
      deployment_id,
      { deploymentStorageId: deployment_id, instanceStates: states ?? [], types: types ?? [] },
    ]),
  );
}

/** Ids of the node instances of a deployment that were created and not deleted again. */
export async function findLiveInstances(session: Session, deploymentStorageId: number): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select id from node_instances where deployment_id = $1 and state not in ('uninitialized', 'deleted')
      order by storage_id`,
    [deploymentStorageId],
  );
  return rows.map(({ id }) => id);
}
