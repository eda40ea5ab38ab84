/** The facts that intrinsic functions of a stored deployment read: one statement per kind of fact. */
import type { Json, JsonObject } from '../domain/plan.ts';
import type { RevealSecret } from '../domain/resources.ts';
import type {
  CapabilityOwner,
  Consumer,
  EvaluationNode,
  EvaluationNodeInstance,
  EvaluationStorage,
  SystemFacts,
} from '../dsl/functions/index.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Viewer } from './scope.ts';
import { secretContentColumns, secretContentSource, toStoredSecret } from './secrets.ts';
import type { SecretContentRow } from './secrets.ts';
import type { Session } from './session.ts';
import { Parameters } from './values.ts';

/** The deployment whose functions are evaluated. */
export interface EvaluatedDeployment {
  storageId: number;
  tenantId: number;
}

export interface EvaluationAccess {
  /** On whose behalf: decides which secrets and deployments can be read. Undefined = nothing is hidden. */
  viewer?: Viewer | undefined;
  reveal: RevealSecret;
}

interface NodeRow {
  id: string;
  properties: JsonObject;
  relationships: { target_id: string; type_hierarchy: string[] }[];
}

interface InstanceRow {
  id: string;
  node_id: string;
  index: number;
  runtime_properties: JsonObject;
  relationships: { target_name: string; target_id: string }[];
  scaling_groups: { name: string; id: string }[];
}

type DeclaredValues = { [name: string]: { value: Json } };

function toNode({ id, properties, relationships }: NodeRow): EvaluationNode {
  return {
    id,
    properties,
    relationships: relationships.map((relationship) => ({
      targetId: relationship.target_id,
      typeHierarchy: relationship.type_hierarchy,
    })),
  };
}

function toInstance(row: InstanceRow): EvaluationNodeInstance {
  return {
    id: row.id,
    nodeId: row.node_id,
    index: row.index,
    runtimeProperties: row.runtime_properties,
    relationships: row.relationships.map((relationship) => ({
      targetName: relationship.target_name,
      targetId: relationship.target_id,
    })),
    scalingGroups: row.scaling_groups,
  };
}

const instanceColumns = `instance.id, node.id as node_id, instance.index, instance.runtime_properties,
  instance.relationships, instance.scaling_groups
  from node_instances instance join nodes node on node.storage_id = instance.node_id
  where instance.deployment_id = $1`;

class StoredFacts implements EvaluationStorage {
  readonly #session: Session;
  readonly #deployment: EvaluatedDeployment;
  readonly #access: EvaluationAccess;

  constructor(session: Session, deployment: EvaluatedDeployment, access: EvaluationAccess) {
    this.#session = session;
    this.#deployment = deployment;
    this.#access = access;
  }

  /** What the viewer may see, as a condition over a tenant-scoped table. */
  #visible(alias: string, parameters: Parameters): string {
    const { viewer } = this.#access;
    return scopeCondition(
      { tenant: `${alias}.tenant_id`, creator: `${alias}.creator_id`, visibility: `${alias}.visibility` },
      { tenantId: this.#deployment.tenantId, ...(viewer ? { viewer } : {}) },
      parameters,
    );
  }

  async inputs(): Promise<JsonObject> {
    const [row] = await this.#session.prepared<{ inputs: JsonObject | null }>(
      'select inputs from deployments where storage_id = $1',
      [this.#deployment.storageId],
    );
    return row?.inputs ?? {};
  }

  async nodes(ids: readonly string[]): Promise<EvaluationNode[]> {
    const rows = await this.#session.prepared<NodeRow>(
      'select id, properties, relationships from nodes where deployment_id = $1 and id = any($2)',
      [this.#deployment.storageId, ids],
    );
    return rows.map(toNode);
  }

  async instances(ids: readonly string[]): Promise<EvaluationNodeInstance[]> {
    const rows = await this.#session.prepared<InstanceRow>(
      `select ${instanceColumns} and instance.id = any($2) order by instance.index, instance.storage_id`,
      [this.#deployment.storageId, ids],
    );
    return rows.map(toInstance);
  }

  async instancesOf(nodeIds: readonly string[]): Promise<EvaluationNodeInstance[]> {
    const rows = await this.#session.prepared<InstanceRow>(
      `select ${instanceColumns} and node.id = any($2) order by instance.index, instance.storage_id`,
      [this.#deployment.storageId, nodeIds],
    );
    return rows.map(toInstance);
  }

  async secrets(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const parameters = new Parameters();
    const { viewer } = this.#access;
    const conditions = [`secret.id = any(${parameters.add(names)})`, this.#visible('secret', parameters)];
    if (viewer && viewer.administers !== 'all') {
      const user = parameters.add(viewer.userId);
      const administered = parameters.add([...viewer.administers]);
      conditions.push(
        `(not secret.is_hidden_value or secret.creator_id = ${user} or secret.tenant_id = any(${administered}::integer[]))`,
      );
    }
    const own = parameters.add(this.#deployment.tenantId);
    const rows = await this.#session.prepared<SecretContentRow>(
      // the tenant's own secret comes last and so wins over a global one of the same name
      `select ${secretContentColumns} from ${secretContentSource} where ${conditions.join(' and ')}
        order by (secret.tenant_id = ${own})`,
      parameters.values,
    );
    const wanted = new Map(rows.map((row) => [row.key, toStoredSecret(row)]));
    const values = await Promise.all(
      [...wanted].map(async ([key, secret]) => [key, await this.#access.reveal(secret)] as const),
    );
    return new Map(values);
  }

  async deployments(ids: readonly string[]): Promise<ReadonlyMap<string, CapabilityOwner>> {
    const parameters = new Parameters();
    const wanted = parameters.add(ids);
    const rows = await this.#session.prepared<{
      id: string;
      storage_id: number;
      tenant_id: number;
      capabilities: DeclaredValues | null;
    }>(
      `select deployment.id, deployment.storage_id, deployment.tenant_id, deployment.capabilities
        from deployments deployment where deployment.id = any(${wanted}) and ${this.#visible('deployment', parameters)}`,
      parameters.values,
    );
    return new Map(
      rows.map((row) => [
        row.id,
        {
          capabilities: row.capabilities ?? {},
          storage: new StoredFacts(this.#session, { storageId: row.storage_id, tenantId: row.tenant_id }, this.#access),
        },
      ]),
    );
  }

  async groupMembers(groupIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const parameters = new Parameters();
    const wanted = parameters.add(groupIds);
    const rows = await this.#session.prepared<{ group_id: string; members: string[] | null }>(
      `select deployment_group.id as group_id,
          (select array_agg(deployment.id order by deployment.id) from deployment_groups_deployments member
            join deployments deployment on deployment.storage_id = member.deployment_id
            where member.deployment_group_id = deployment_group.storage_id) as members
        from deployment_groups deployment_group
        where deployment_group.id = any(${wanted}) and ${this.#visible('deployment_group', parameters)}`,
      parameters.values,
    );
    return new Map(rows.map(({ group_id, members }) => [group_id, members ?? []]));
  }

  async labelValues(keys: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
    const rows = await this.#session.prepared<{ key: string; values: string[] }>(
      `select key, array_agg(value order by created_at, value) as values from deployments_labels
        where resource_id = $1 and key = any($2) group by key`,
      [this.#deployment.storageId, keys],
    );
    return new Map(rows.map(({ key, values }) => [key, values]));
  }

  async consumers(): Promise<Consumer[]> {
    return this.#session.prepared<Consumer>(
      `select distinct source.id, source.display_name as name from inter_deployment_dependencies dependency
        join deployments source on source.storage_id = dependency.source_deployment_id
        where dependency.target_deployment_id = $1 order by source.id`,
      [this.#deployment.storageId],
    );
  }

  async system(): Promise<SystemFacts> {
    const [row] = await this.#session.prepared<SystemFacts>(
      `select tenants.name as "tenantName", deployment.id as "deploymentId", deployment.display_name as "deploymentName",
          blueprints.id as "blueprintId", users.username as owner
        from deployments deployment join tenants on tenants.id = deployment.tenant_id
        join blueprints on blueprints.storage_id = deployment.blueprint_id
        join users on users.id = deployment.creator_id
        where deployment.storage_id = $1`,
      [this.#deployment.storageId],
    );
    return row ?? { tenantName: '', deploymentId: '', deploymentName: '', blueprintId: '', owner: '' };
  }
}

/** The facts of a stored deployment for `evaluateFunctions`, `evaluateOutputs` and `evaluateCapabilities`. */
export function createEvaluationStorage(
  session: Session,
  deployment: EvaluatedDeployment,
  access: EvaluationAccess,
): EvaluationStorage {
  return new StoredFacts(session, deployment, access);
}
