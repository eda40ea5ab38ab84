import type { Session } from './session.ts';
import { isOneOf, Parameters } from './values.ts';

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

/** Expression for the states of the node instances of a deployment: an array, or null. */
export function instanceStatesOf(storageId: string): string {
  return `(select array_agg(distinct state) from node_instances where deployment_id = ${storageId})`;
}

/** Expression for the types of the nodes of a deployment: an array, or null. */
export function typesOf(storageId: string): string {
  return `(select array_agg(distinct ancestor.name) from nodes, jsonb_array_elements_text(type_hierarchy) as ancestor (name)
    where deployment_id = ${storageId})`;
}

/** Reads the activity of many deployments with one statement; those without nodes have empty lists. */
export async function readDeploymentActivity(
  session: Session,
  deploymentStorageIds: readonly number[],
): Promise<ReadonlyMap<number, DeploymentActivityRow>> {
  const parameters = new Parameters();
  const rows = await session.prepared<Row>(
    `select deployment.storage_id as deployment_id, ${instanceStatesOf('deployment.storage_id')} as states,
       ${typesOf('deployment.storage_id')} as types
     from deployments deployment where ${isOneOf('deployment.storage_id', deploymentStorageIds, 'bigint', parameters)}`,
    parameters.values,
  );
  return new Map(
    rows.map(({ deployment_id, states, types }) => [
      deployment_id,
      { deploymentStorageId: deployment_id, instanceStates: states ?? [], types: types ?? [] },
    ]),
  );
}

/** Ids of the node instances that were created and not deleted again, by storage id of their deployment. */
export async function findLiveInstancesOf(
  session: Session,
  deploymentStorageIds: readonly number[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const rows = await session.prepared<{ deployment: number; ids: string[] }>(
    `select deployment_id as deployment, array_agg(id order by storage_id) as ids from node_instances
     where deployment_id = any($1) and state not in ('uninitialized', 'deleted') group by deployment_id`,
    [[...deploymentStorageIds]],
  );
  return new Map(rows.map(({ deployment, ids }) => [deployment, ids]));
}
