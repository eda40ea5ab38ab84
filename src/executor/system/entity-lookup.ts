import type { FilterRule } from '../../domain/filter.ts';
import type { Json, JsonObject, Plan } from '../../domain/plan.ts';
import { pythonEquals } from '../../dsl/constraints/index.ts';
import type { EntityLookup } from '../../dsl/constraints/index.ts';
import { evaluateCapabilities } from '../../dsl/functions/index.ts';
import { listBlueprints } from '../../store/blueprints.ts';
import { listDeployments } from '../../store/deployments.ts';
import { createEvaluationStorage } from '../../store/evaluation-storage.ts';
import type { EvaluationAccess } from '../../store/evaluation-storage.ts';
import { getFilter } from '../../store/filters.ts';
import { listNodeInstances } from '../../store/node-instances.ts';
import { listNodes } from '../../store/nodes.ts';
import type { ListQuery, Page, Scope } from '../../store/scope.ts';
import { listSecrets } from '../../store/secrets.ts';
import type { Session } from '../../store/session.ts';

export interface EntityLookupOptions {
  session: Session;
  /** What the person who creates the deployment sees. */
  scope: Scope;
  access: EvaluationAccess;
  /** The blueprint, in which nodes, groups and operations are looked for when no deployment is named. */
  plan: Plan;
}

type NamedType = Parameters<EntityLookup['find']>[0];

const patternOperators = new Map<string, 'contains' | 'starts_with' | 'ends_with' | 'any_of'>([
  ['contains', 'contains'],
  ['starts_with', 'starts_with'],
  ['ends_with', 'ends_with'],
  ['equals_to', 'any_of'],
]);

/** Finds the entities that inputs of a new deployment name. */
export function createEntityLookup(options: EntityLookupOptions): EntityLookup {
  return {
    scope: 'blueprint',
    find: async (type, value, filters) => {
      switch (type) {
        case 'deployment_id':
          return findResource(options, 'deployments', 'display_name', value, filters);
        case 'blueprint_id':
          return findResource(options, 'blueprints', 'id', value, filters);
        case 'secret_key':
          return findSecret(options, value, filters);
        case 'capability_value':
          return (await capabilities(options, filters)).filter((item) => isValid(item, filters));
        default:
          return (await namesOf(options, type, filters)).filter(
            (name) => isNamed(name, patternOf(filters)) && isValid(name, filters),
          );
      }
    },
  };
}

/** Blueprints or deployments of that id which pass the filters. */
async function findResource(
  { session, scope }: EntityLookupOptions,
  kind: 'blueprints' | 'deployments',
  nameAttribute: string,
  value: Json,
  filters: JsonObject,
): Promise<Json[]> {
  if (typeof value !== 'string') {
    return [];
  }
  const { filter_id: filterId, labels, tenants } = filters;
  const stored = typeof filterId === 'string' ? (await getFilter(session, scope, kind, filterId)).rules : [];
  const rules: FilterRule[] = [...stored, ...labelRules(labels), ...patternRules(nameAttribute, patternOf(filters))];
  if (Array.isArray(tenants)) {
    rules.push({ type: 'attribute', key: 'tenant_name', operator: 'any_of', values: texts(tenants) });
  }
  const query: ListQuery = { filters: { id: [value] }, rules, fields: ['id'], size: 1 };
  const list: (session: Session, scope: Scope, query: ListQuery) => Promise<Page<{ id: string }>> =
    kind === 'deployments' ? listDeployments : listBlueprints;
  return (await list(session, scope, query)).items.map(({ id }) => id);
}

async function findSecret({ session, scope }: EntityLookupOptions, value: Json, filters: JsonObject): Promise<Json[]> {
  if (typeof value !== 'string') {
    return [];
  }
  const rules = patternRules('key', patternOf(filters));
  const page = await listSecrets(session, scope, { filters: { id: [value] }, rules, fields: ['id'], size: 1 });
  return page.items.map(({ id }) => id);
}

/** Values of the capabilities of the named deployment whose names pass the pattern. */
async function capabilities({ session, scope, access }: EntityLookupOptions, filters: JsonObject): Promise<Json[]> {
  const query = { filters: { id: [text(filters['deployment_id'])] }, size: 1 };
  const [deployment] = (await listDeployments(session, scope, query)).items;
  if (!deployment) {
    return [];
  }
  const declared = (deployment.capabilities ?? {}) as unknown as Parameters<typeof evaluateCapabilities>[0];
  const values = await evaluateCapabilities(declared, createEvaluationStorage(session, deployment, access));
  const pattern = patternOf(filters);
  return Object.entries(values).flatMap(([name, value]) => (isNamed(name, pattern) ? [value] : []));
}

/** Names of that type in the named deployment, or else in the blueprint. */
async function namesOf(options: EntityLookupOptions, type: NamedType, filters: JsonObject): Promise<string[]> {
  const { session, scope, plan } = options;
  const deploymentId = filters['deployment_id'];
  const inDeployment = { filters: { deploymentId: [text(deploymentId)] }, all: true };
  if (type === 'node_instance') {
    return (await listNodeInstances(session, scope, { ...inDeployment, fields: ['id'] })).items.map(({ id }) => id);
  }
  if (type === 'scaling_group') {
    if (deploymentId === undefined) {
      return Object.keys(plan.scaling_groups);
    }
    const query = { filters: { id: [text(deploymentId)] }, fields: ['id', 'scalingGroups'], size: 1 };
    const [deployment] = (await listDeployments(session, scope, query)).items;
    return Object.keys(deployment?.scalingGroups ?? {});
  }
  const nodes =
    deploymentId === undefined
      ? plan.nodes
      : (await listNodes(session, scope, { ...inDeployment, fields: ['id', 'type', 'operations'] })).items;
  switch (type) {
    case 'node_id':
      return nodes.map(({ id }) => id);
    case 'node_type':
      return nodes.map((node) => node.type);
    case 'operation_name':
      return nodes.flatMap(({ operations }) => Object.keys(operations));
    default:
      return [];
  }
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

function texts(value: Json | undefined): string[] {
  return [value ?? []].flat(1).filter((item) => typeof item === 'string');
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The argument of `name_pattern`, whatever the type calls it. */
function patternOf(filters: JsonObject): JsonObject {
  const [, pattern] = Object.entries(filters).find(([name]) => name.endsWith('_specs')) ?? [];
  return isObject(pattern) ? pattern : {};
}

function patternRules(key: string, pattern: JsonObject): FilterRule[] {
  return Object.entries(pattern).flatMap(([name, value]): FilterRule[] => {
    const operator = patternOperators.get(name);
    return operator && typeof value === 'string' ? [{ type: 'attribute', key, operator, values: [value] }] : [];
  });
}

function labelRules(labels: Json | undefined): FilterRule[] {
  return (Array.isArray(labels) ? labels : []).flatMap((label) =>
    Object.entries(isObject(label) ? label : {}).map(([key, value]): FilterRule => ({
      type: 'label',
      key: key.toLowerCase(),
      operator: 'any_of',
      values: texts(value),
    })),
  );
}

function isNamed(name: string, pattern: JsonObject): boolean {
  return Object.entries(pattern).every(([operator, value]) => {
    const part = text(value);
    switch (operator) {
      case 'contains':
        return name.includes(part);
      case 'starts_with':
        return name.startsWith(part);
      case 'ends_with':
        return name.endsWith(part);
      default:
        return name === part;
    }
  });
}

function isValid(value: Json, { valid_values: valid }: JsonObject): boolean {
  return !Array.isArray(valid) || valid.some((item) => pythonEquals(item, value));
}
