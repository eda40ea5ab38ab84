import type { NodeInstanceRow, NodeRow } from '../domain/entities.ts';
import type { PlanScalingGroup } from '../domain/plan.ts';
import { evaluateInstanceFunctions, evaluateNodeFunctions } from '../dsl/functions/index.ts';
import type { EvaluationStorage } from '../dsl/functions/index.ts';
import { getDeployment, listDeployments } from '../store/deployments.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import {
  createNodeInstances,
  deleteNodeInstances,
  getNodeInstance,
  listNodeInstances,
  updateNodeInstance,
} from '../store/node-instances.ts';
import type { NewNodeInstance, NodeInstanceUpdate } from '../store/node-instances.ts';
import { createNodes, deleteNodes, listNodes, updateNode } from '../store/nodes.ts';
import type { NewNode, NodeUpdate } from '../store/nodes.ts';
import type { ListQuery, Page } from '../store/scope.ts';
import type { Session } from '../store/session.ts';
import { listScopeOf, requireDeploymentUpdate, scopeOf } from './caller.ts';
import type { Caller, TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';
import { ownerIds } from './ownership.ts';
import type { SecretReader } from './secret-reader.ts';

/** Something new with the name of the user it is of; undefined = whoever the deployment is of. */
export type Owned<New> = Omit<New, 'creatorId'> & { readonly creator: string | undefined };

async function withOwners<New extends object>(
  session: Session,
  caller: TenantCaller,
  items: readonly (New & { readonly creator: string | undefined })[],
): Promise<(New & { creatorId: number | undefined })[]> {
  const owners = await ownerIds(
    session,
    caller,
    items.map(({ creator }) => creator),
  );
  return items.map(({ creator, ...item }) => ({ ...(item as unknown as New), creatorId: owners.get(creator ?? '') }));
}

/** A node with the number of instances its scaling groups plan. */
export interface CountedNode extends NodeRow {
  readonly actualPlannedNumberOfInstances: number;
}

export interface NodeService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<CountedNode>>;
  /** The same nodes with the functions in their properties evaluated. @throws DslError */
  evaluate(caller: TenantCaller, nodes: readonly CountedNode[], instanceId?: string): Promise<CountedNode[]>;
  /** @throws GantryError conflict_error; forbidden_error without set_owner where another creator is named */
  create(caller: TenantCaller, deploymentId: string, nodes: readonly Owned<NewNode>[]): Promise<void>;
  /** @throws GantryError only_deployment_update */
  update(caller: TenantCaller, deploymentId: string, nodeId: string, update: NodeUpdate): Promise<void>;
  remove(caller: TenantCaller, deploymentId: string, nodeId: string): Promise<void>;
}

export interface NodeInstanceService {
  list(caller: Caller, query: ListQuery, isAllTenants: boolean): Promise<Page<NodeInstanceRow>>;
  get(caller: TenantCaller, id: string): Promise<NodeInstanceRow>;
  /** The same instance with the functions in its runtime properties evaluated. @throws DslError */
  evaluate(caller: TenantCaller, instance: NodeInstanceRow): Promise<NodeInstanceRow>;
  /** @throws GantryError not_found_error, conflict_error; forbidden_error without set_owner for another creator */
  create(caller: TenantCaller, deploymentId: string, instances: readonly Owned<NewNodeInstance>[]): Promise<void>;
  /** @throws GantryError conflict_error when it has changed since `update.version`; only_deployment_update */
  update(caller: TenantCaller, id: string, update: NodeInstanceUpdate, isForced: boolean): Promise<NodeInstanceRow>;
  remove(caller: TenantCaller, id: string): Promise<void>;
}

interface StoredRelationship {
  target_id: string;
  type_hierarchy: string[];
}

/** How often the scaling groups around each node multiply it: node id -> factor. */
function scalingFactors(groups: { [name: string]: PlanScalingGroup }): Map<string, number> {
  const parents = new Map<string, string[]>();
  for (const [name, { members }] of Object.entries(groups)) {
    for (const member of members) {
      parents.set(member, [...(parents.get(member) ?? []), name]);
    }
  }
  const factor = (member: string, seen: ReadonlySet<string>): number =>
    (parents.get(member) ?? []).reduce((product, name) => {
      const group = groups[name];
      return group && !seen.has(name)
        ? product * group.properties.planned_instances * factor(name, new Set([...seen, name]))
        : product;
    }, 1);
  return new Map([...parents.keys()].map((member) => [member, factor(member, new Set())]));
}

/** Makes the use cases of nodes. */
export function createNodeService(dependencies: ServiceDependencies, secrets: SecretReader): NodeService {
  const { database } = dependencies;
  return {
    async list(caller, query, isAllTenants) {
      const scope = listScopeOf(caller, isAllTenants, 'node_list');
      const page = await listNodes(database, scope, query);
      const deploymentIds = [...new Set(page.items.map(({ deploymentId }) => deploymentId))];
      const factors = new Map<string, Map<string, number>>();
      if (deploymentIds.length > 0 && query.fields?.includes('plannedNumberOfInstances') !== false) {
        const { items } = await listDeployments(database, scope, {
          all: true,
          filters: { id: deploymentIds },
          fields: ['id', 'scalingGroups'],
        });
        for (const deployment of items) {
          factors.set(deployment.id, scalingFactors(deployment.scalingGroups ?? {}));
        }
      }
      const items = page.items.map((node) => ({
        ...node,
        actualPlannedNumberOfInstances:
          node.plannedNumberOfInstances * (factors.get(node.deploymentId)?.get(node.id) ?? 1),
      }));
      return { ...page, items };
    },

    async evaluate(caller, nodes, instanceId) {
      const evaluated: CountedNode[] = [];
      const storages = new Map<string, EvaluationStorage>();
      for (const node of nodes) {
        let storage = storages.get(node.deploymentId);
        if (!storage) {
          const deployment = await getDeployment(database, scopeOf(caller), node.deploymentId, { fields: ['id'] });
          storage = createEvaluationStorage(database, deployment, secrets.accessOf(caller));
          storages.set(node.deploymentId, storage);
        }
        const self = {
          id: node.id,
          properties: node.properties,
          relationships: (node.relationships as unknown as StoredRelationship[]).map((relationship) => ({
            targetId: relationship.target_id,
            typeHierarchy: relationship.type_hierarchy,
          })),
        };
        const { properties } = await evaluateNodeFunctions({ properties: node.properties }, self, storage, instanceId);
        evaluated.push({ ...node, properties });
      }
      return evaluated;
    },

    create: (caller, deploymentId, nodes) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields: ['id'] });
        requireOwnTenant(caller, deployment);
        await createNodes(transaction, deployment.storageId, await withOwners(transaction, caller, nodes));
      }),

    update: (caller, deploymentId, nodeId, update) => {
      requireDeploymentUpdate(caller);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields: ['id'] });
        requireOwnTenant(caller, deployment);
        await updateNode(transaction, deployment.storageId, nodeId, update);
      });
    },

    remove: (caller, deploymentId, nodeId) => {
      requireDeploymentUpdate(caller);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields: ['id'] });
        requireOwnTenant(caller, deployment);
        await deleteNodes(transaction, deployment.storageId, [nodeId]);
      });
    },
  };
}

/** Makes the use cases of node instances. */
export function createNodeInstanceService(
  dependencies: ServiceDependencies,
  secrets: SecretReader,
): NodeInstanceService {
  const { database } = dependencies;
  return {
    list: (caller, query, isAllTenants) =>
      listNodeInstances(database, listScopeOf(caller, isAllTenants, 'node_instance_list'), query),

    get: (caller, id) => getNodeInstance(database, scopeOf(caller), id),

    async evaluate(caller, instance) {
      const deployment = await getDeployment(database, scopeOf(caller), instance.deploymentId, { fields: ['id'] });
      const storage = createEvaluationStorage(database, deployment, secrets.accessOf(caller));
      const self = {
        id: instance.id,
        nodeId: instance.nodeId,
        index: instance.index,
        runtimeProperties: instance.runtimeProperties,
        relationships: (instance.relationships as unknown as { target_id: string; target_name: string }[]).map(
          ({ target_id, target_name }) => ({ targetId: target_id, targetName: target_name }),
        ),
        scalingGroups: instance.scalingGroups,
      };
      return { ...instance, runtimeProperties: await evaluateInstanceFunctions(self, storage) };
    },

    create: (caller, deploymentId, instances) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields: ['id'] });
        requireOwnTenant(caller, deployment);
        await createNodeInstances(transaction, deployment.storageId, await withOwners(transaction, caller, instances));
      }),

    update: (caller, id, update, isForced) => {
      if (update.relationships) {
        requireDeploymentUpdate(caller);
      }
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const instance = await updateNodeInstance(transaction, scopeOf(caller), id, update, { force: isForced });
        requireOwnTenant(caller, instance);
        return instance;
      });
    },

    remove: (caller, id) => {
      requireDeploymentUpdate(caller);
      return database.transactionAs(actorOf(caller), async (transaction) => {
        const instance = await getNodeInstance(transaction, scopeOf(caller), id);
        requireOwnTenant(caller, instance);
        const scope = { tenantId: instance.tenantId };
        const deployment = await getDeployment(transaction, scope, instance.deploymentId, { fields: ['id'] });
        await deleteNodeInstances(transaction, deployment.storageId, [id]);
      });
    },
  };
}
