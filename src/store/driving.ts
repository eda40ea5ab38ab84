import type { Json, JsonObject } from '../domain/plan.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { hasDrift, isStatusOk } from './instance-status.ts';
import type { Session } from './session.ts';
import { isAmong } from './values.ts';

/**
 * Of the given executions, those that `executor` drives; they stay locked until the transaction ends, so that nobody
 * takes them over while their progress is stored.
 */
export async function lockDrivenExecutions(
  session: Session,
  executor: string,
  ids: readonly string[],
): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    'select id from executions where id = any($1) and executor = $2 order by storage_id for no key update',
    [ids, executor],
  );
  return rows.map((row) => row.id);
}

/** A change of system properties; `update` makes the new ones of the stored ones. */
export interface SystemPropertiesChange {
  instanceId: string;
  update: (properties: JsonObject) => JsonObject;
}

/**
 * Read-modify-write of the system properties of many node instances of one deployment, all in one transaction; what
 * they say about status and drift follows. Instances that are gone are left out.
 */
export async function changeSystemProperties(
  session: Session,
  deploymentStorageId: number,
  changes: readonly SystemPropertiesChange[],
): Promise<void> {
  await session.transaction(async (transaction) => {
    const rows = await transaction.prepared<{ id: string; system_properties: JsonObject }>(
      `select id, system_properties from node_instances where deployment_id = $1 and id = any($2)
        order by storage_id for no key update`,
      [deploymentStorageId, changes.map((change) => change.instanceId)],
    );
    const properties = new Map(rows.map((row) => [row.id, row.system_properties]));
    for (const { instanceId, update } of changes) {
      const current = properties.get(instanceId);
      if (current) {
        properties.set(instanceId, update(current));
      }
    }
    const ids = [...properties.keys()];
    const values = [...properties.values()];
    await transaction.prepared(
      `update node_instances set system_properties = change.properties::jsonb, version = version + 1,
          is_status_check_ok = change.is_ok, has_configuration_drift = change.has_drift
        from unnest($1::text[], $2::text[], $3::boolean[], $4::boolean[]) as change (id, properties, is_ok, has_drift)
        where node_instances.id = change.id and node_instances.deployment_id = $5`,
      [
        ids,
        values.map((value) => JSON.stringify(value)),
        values.map(isStatusOk),
        values.map(hasDrift),
        deploymentStorageId,
      ],
    );
  });
}

function member(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}

/** Where the agent of a host listens. */
export interface AgentAddress {
  hostId: string;
  /** Its exchange. */
  queue: string;
  name: string;
  /** How it reaches the manager. */
  restHost: Json | undefined;
}

/**
 * The agents of host instances, from the runtime property `cloudify_agent`; hosts without one (or with an incomplete
 * one) are left out.
 */
export async function findAgents(session: Session, hostIds: readonly string[]): Promise<AgentAddress[]> {
  const rows = await session.prepared<{ id: string; agent: Json }>(
    `select id, runtime_properties -> 'cloudify_agent' as agent from node_instances where id = any($1)`,
    [hostIds],
  );
  return rows.flatMap(({ id, agent }) => {
    const queue = member(agent, 'queue');
    const name = member(agent, 'name');
    return typeof queue === 'string' && queue !== '' && typeof name === 'string' && name !== ''
      ? [{ hostId: id, queue, name, restHost: member(agent, 'rest_host') }]
      : [];
  });
}

/** Status of executions by id; unknown ids are left out. */
export async function findStatuses(
  session: Session,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ExecutionStatus>> {
  const rows = await session.prepared<{ id: string; status: ExecutionStatus }>(
    'select id, status from executions where id = any($1)',
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row.status]));
}

/** Of the given operations, those of which no worker has taken the message. */
export async function findUntaken(session: Session, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await session.prepared<{ id: string }>(
    `select id from operations where id = any($1) and state in ('pending', 'sending', 'sent')`,
    [ids],
  );
  return new Set(rows.map(({ id }) => id));
}

/** Whether any execution is under way. */
export async function isAnythingActive(session: Session): Promise<boolean> {
  const [row] = await session.prepared<{ any: boolean }>(
    `select exists (select from executions where ${isAmong('status', activeExecutionStatuses)}) as any`,
  );
  return row?.any ?? false;
}

/** The instances of a deployment as they are, in the shape clients know: kept with a modification. */
export async function snapshotInstances(session: Session, deploymentStorageId: number): Promise<JsonObject[]> {
  const rows = await session.prepared<{ instance: JsonObject }>(
    `select jsonb_build_object('id', instance.id, 'node_id', node.id, 'index', instance.index,
       'host_id', instance.host_id, 'state', instance.state, 'version', instance.version,
       'relationships', instance.relationships, 'runtime_properties', instance.runtime_properties,
       'system_properties', instance.system_properties, 'scaling_groups', instance.scaling_groups) as instance
     from node_instances instance join nodes node on node.storage_id = instance.node_id
     where instance.deployment_id = $1 order by instance.storage_id`,
    [deploymentStorageId],
  );
  return rows.map((row) => row.instance);
}
