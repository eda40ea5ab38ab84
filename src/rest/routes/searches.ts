import { GantryError } from '../../domain/errors.ts';
import type { JsonObject, PlanNode } from '../../domain/plan.ts';
import type { Permission } from '../../domain/permissions.ts';
import type { BlueprintService } from '../../services/blueprints.ts';
import type { DeploymentService } from '../../services/deployments.ts';
import { parseFilterRules, rulesOfConstraints } from '../../services/filter-rules.ts';
import type { FilteredKind } from '../../services/filter-rules.ts';
import type { FilterService } from '../../services/filters.ts';
import type { NodeInstanceService, NodeService } from '../../services/nodes.ts';
import type { SecretService } from '../../services/secrets.ts';
import { listWorkflows } from '../../services/workflow-lists.ts';
import type { FilterRule } from '../../domain/filter.ts';
import { list, mapOf, pageOf, paged, record, schemaOfShape } from '../answer.ts';
import type { AnswerDescription } from '../answer.ts';
import { isObject } from '../body.ts';
import { listAnswer, parseList } from '../query.ts';
import type { QueryValues } from '../query.ts';
import { ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { blueprintShape } from '../shapes/blueprint.ts';
import { deploymentShape } from '../shapes/deployment.ts';
import { nodeInstanceShape, nodeShape } from '../shapes/node.ts';
import { secretShape } from '../shapes/secret.ts';
import { shapeWorkflow, workflowMembers } from '../shapes/workflow.ts';
import { wholeList } from '../whole-list.ts';

export interface SearchDependencies {
  readonly blueprints: BlueprintService;
  readonly deployments: DeploymentService;
  readonly filters: FilterService;
  readonly nodes: NodeService;
  readonly nodeInstances: NodeInstanceService;
  readonly secrets: SecretService;
}

const capabilitiesSchema = record('DeploymentCapabilities', { deployment_id: 'text', capabilities: list(mapOf({})) });
const scalingGroupSchema = record('ScalingGroup', {
  deployment_id: 'text',
  name: 'text',
  members: 'json',
  properties: 'json',
});
/** A node of a deployment, or one of a plan that looks like it. */
const nodeSchema = schemaOfShape(nodeShape);
const workflowPage = paged(record('Workflow', workflowMembers));

const searchSchema = {
  type: 'object',
  properties: { filter_rules: {}, constraints: { type: ['object', 'null'] } },
};

interface Conditions {
  readonly rules: readonly FilterRule[];
  readonly constraints: JsonObject;
  /** Stored filter to apply as well. */
  readonly filterId: string | undefined;
}

/** Rules and constraints of a search. @throws GantryError invalid_filter_rule, bad_parameters_error */
function conditionsOf(call: ApiCall, kind: FilteredKind, mainAttribute?: string): Conditions {
  const { filter_rules: rules, constraints: given } = call.body as JsonObject;
  const constraints = isObject(given) ? given : {};
  const hasConstraints = Object.keys(constraints).length > 0;
  const hasRules = Array.isArray(rules) && rules.length > 0;
  const queryFilter = call.query.one('_filter_id');
  if (hasConstraints && (hasRules || queryFilter !== undefined)) {
    throw new GantryError(
      'bad_parameters_error',
      'You should provide either filter_id/filter_rules or DSL constraints, not both',
    );
  }
  const own = rules === undefined || rules === null ? [] : parseFilterRules(rules, kind);
  const named = constraints['filter_id'];
  return {
    rules: [...own, ...rulesOfConstraints(constraints, kind, mainAttribute)],
    constraints,
    filterId: queryFilter ?? (typeof named === 'string' ? named : undefined),
  };
}

/** Reads a member that may stand in the query or among the constraints, but not in both. */
function scopeMember(query: QueryValues, constraints: JsonObject, name: string): string | undefined {
  const constraint = constraints[name];
  const inQuery = query.one(name);
  if (inQuery !== undefined && constraint !== undefined) {
    throw new GantryError('bad_parameters_error', `You should provide '${name}' either in the query or as constraint`);
  }
  return inQuery ?? (typeof constraint === 'string' ? constraint : undefined);
}

function search(path: string, permission: Permission, answer: AnswerDescription, handle: Route['handle']): Route {
  return {
    method: 'post',
    path: `/searches/${path}`,
    summary: `Search ${path} by filter rules or constraints`,
    access: { permission, hasAllTenants: true },
    body: searchSchema,
    isBodyOptional: true,
    answer,
    handle,
  };
}

function resourceSearches({ blueprints, deployments, filters, secrets }: SearchDependencies): Route[] {
  return [
    search('deployments', 'deployment_list', pageOf(deploymentShape), async (call) => {
      const { rules, filterId } = conditionsOf(call, 'deployments');
      const all = await filters.rules(call.tenantCaller, 'deployments', filterId, rules);
      const options = {
        search: { _search: 'id', _search_name: 'displayName' },
        takesLabelSort: true,
        takesFilters: false,
      };
      const parsed = parseList(call.query, deploymentShape, options, all);
      const page = await deployments.list(call.caller, parsed.query, parsed.isAllTenants, {
        groupId: call.query.one('_group_id'),
      });
      const items = page.items.map((item) => ({ ...item, workdirZip: undefined, workflowViews: undefined }));
      return ok(listAnswer(parsed, { ...page, items }));
    }),
    search('blueprints', 'blueprint_list', pageOf(blueprintShape), async (call) => {
      const { rules, filterId } = conditionsOf(call, 'blueprints');
      const all = await filters.rules(call.tenantCaller, 'blueprints', filterId, rules);
      const options = { search: { _search: 'id' }, takesLabelSort: true, takesFilters: false };
      const parsed = parseList(call.query, blueprintShape, options, all);
      const list = { ...parsed.query, filters: { isHidden: ['false'] } };
      return ok(listAnswer(parsed, await blueprints.list(call.caller, list, parsed.isAllTenants)));
    }),
    search('secrets', 'secret_list', pageOf(secretShape), async (call) => {
      const { rules } = conditionsOf(call, 'secrets');
      const options = { search: { _search: 'id' }, takesFilters: false };
      const parsed = parseList(call.query, secretShape, options, rules);
      const answer = listAnswer(parsed, await secrets.list(call.caller, parsed.query, parsed.isAllTenants));
      return ok(answer);
    }),
    search('workflows', 'deployment_list', workflowPage, async (call) => {
      const { rules, filterId } = conditionsOf(call, 'deployments');
      const all = await filters.rules(call.tenantCaller, 'deployments', filterId, rules);
      return ok(await workflowList(deployments, call, all, call.query.flag('_common_only')));
    }),
  ];
}

async function workflowList(
  deployments: DeploymentService,
  call: ApiCall,
  rules: readonly FilterRule[] | undefined,
  isCommonOnly: boolean,
): Promise<unknown> {
  const { query } = call;
  const options = { search: { _search: 'id' } };
  const parsed = parseList(query, { ...deploymentShape }, options, rules);
  const list = { ...parsed.query, all: true, sort: [], fields: ['workflows'] };
  const page = await deployments.list(call.caller, list, parsed.isAllTenants, { groupId: query.one('_group_id') });
  const workflows = await listWorkflows(deployments, page.items, isCommonOnly);
  const items = workflows.map(shapeWorkflow);
  return { items, metadata: { pagination: { total: items.length, size: items.length, offset: 0 } } };
}

function requireDeployment(call: ApiCall, constraints: JsonObject): string {
  const deploymentId = scopeMember(call.query, constraints, 'deployment_id');
  if (deploymentId === undefined) {
    throw new GantryError(
      'bad_parameters_error',
      "Please provide a valid 'blueprint_id' or 'deployment_id' parameter or have a relevant key in the constraints.",
    );
  }
  return deploymentId;
}

/** A node of a plan, with the members that nodes of deployments have. */
function planNode(node: PlanNode, blueprintId: string): Record<string, unknown> {
  const scaling = node.capabilities.scalable.properties;
  return {
    id: node.id,
    type: node.type,
    type_hierarchy: node.type_hierarchy,
    host_id: node.host_id ?? null,
    properties: node.properties,
    operations: node.operations,
    plugins: node.plugins,
    plugins_to_install: node.plugins_to_install ?? [],
    relationships: node.relationships,
    deploy_number_of_instances: scaling.default_instances,
    number_of_instances: scaling.current_instances,
    planned_number_of_instances: scaling.planned_instances,
    min_number_of_instances: scaling.min_instances,
    max_number_of_instances: scaling.max_instances,
    blueprint_id: blueprintId,
    deployment_id: null,
  };
}

/** Searches the plan of a blueprint; of a type also what is derived from it. */
async function searchPlan(
  blueprints: BlueprintService,
  call: ApiCall,
  blueprintId: string,
  { attribute, constraints }: { attribute: 'id' | 'type'; constraints: JsonObject },
): Promise<unknown> {
  const { plan } = await blueprints.get(call.tenantCaller, blueprintId, ['plan']);
  const text = call.query.one('_search')?.toLowerCase();
  const found = (plan?.nodes ?? []).filter((node) => {
    const names = attribute === 'id' ? [node.id] : [node.type, ...node.type_hierarchy];
    const isFound = text === undefined || node[attribute].toLowerCase().includes(text);
    return isFound && names.some((name) => matches(name, constraints, undefined));
  });
  return wholeList(
    call.query,
    found.map((node) => planNode(node, blueprintId)),
  );
}

function nodeSearches({ nodes, nodeInstances, blueprints }: SearchDependencies): Route[] {
  const searchNodes = (path: string, attribute: 'id' | 'type'): Route =>
    search(path, 'node_list', paged(nodeSchema), async (call) => {
      const { rules, constraints } = conditionsOf(call, 'nodes', attribute);
      const blueprintId = scopeMember(call.query, constraints, 'blueprint_id');
      if (blueprintId !== undefined) {
        if (scopeMember(call.query, constraints, 'deployment_id') !== undefined) {
          throw new GantryError('bad_parameters_error', 'Name either a blueprint_id or a deployment_id, not both');
        }
        return ok(await searchPlan(blueprints, call, blueprintId, { attribute, constraints }));
      }
      const deploymentId = requireDeployment(call, constraints);
      const options = { search: { _search: attribute }, takesFilters: false };
      // operation names are accepted and have no effect
      const effective = rules.filter(({ key }) => key !== 'operation_name');
      const parsed = parseList(call.query, nodeShape, options, effective);
      const list = { ...parsed.query, filters: { deploymentId: [deploymentId] } };
      return ok(listAnswer(parsed, await nodes.list(call.caller, list, parsed.isAllTenants)));
    });
  return [
    searchNodes('nodes', 'id'),
    searchNodes('node-types', 'type'),
    search('node-instances', 'node_list', pageOf(nodeInstanceShape), async (call) => {
      const { rules, constraints } = conditionsOf(call, 'nodeInstances');
      const deploymentId = scopeMember(call.query, constraints, 'deployment_id');
      const nodeId = call.query.one('node_id');
      const parsed = parseList(
        call.query,
        nodeInstanceShape,
        { search: { _search: 'id' }, takesFilters: false },
        rules,
      );
      const filters = {
        ...(deploymentId === undefined ? {} : { deploymentId: [deploymentId] }),
        ...(nodeId === undefined ? {} : { nodeId: [nodeId] }),
      };
      const page = await nodeInstances.list(call.caller, { ...parsed.query, filters }, parsed.isAllTenants);
      return ok(listAnswer(parsed, page));
    }),
  ];
}

function matches(name: string, constraints: JsonObject, search_: string | undefined): boolean {
  const { name_pattern: pattern, valid_values: valid } = constraints;
  const checks = isObject(pattern) ? Object.entries(pattern) : [];
  const isMatch = checks.every(([operator, text]) => {
    const value = typeof text === 'string' ? text : '';
    switch (operator) {
      case 'contains':
        return name.includes(value);
      case 'starts_with':
        return name.startsWith(value);
      case 'ends_with':
        return name.endsWith(value);
      default:
        return name === value;
    }
  });
  return isMatch && (!Array.isArray(valid) || valid.includes(name)) && (search_ === undefined || search_ === name);
}

function nestedSearches({ deployments, blueprints }: SearchDependencies): Route[] {
  const page = (query: QueryValues, items: unknown[]): unknown => {
    const size = query.count('_size') ?? 1000;
    const offset = query.count('_offset') ?? 0;
    const shown = query.flag('_get_all_results') ? items : items.slice(offset, offset + size);
    return { items: shown, metadata: { pagination: { total: items.length, size, offset }, filtered: null } };
  };
  return [
    search('capabilities', 'deployment_capabilities', paged(capabilitiesSchema), async (call) => {
      const { constraints } = conditionsOf(call, 'deployments', 'id');
      const deploymentId = requireDeployment(call, constraints);
      const deployment = await deployments.get(call.tenantCaller, deploymentId, ['capabilities']);
      const values = await deployments.capabilities(call.tenantCaller, deploymentId);
      const wanted = call.query.one('_search');
      const { name_pattern: pattern = null, valid_values: valid } = constraints;
      const capabilities = Object.entries(values)
        .filter(([name]) => matches(name, isObject(pattern) ? { name_pattern: pattern } : {}, undefined))
        .filter(([, value]) => !Array.isArray(valid) || valid.includes(value))
        .filter(([, value]) => wanted === undefined || value === wanted)
        .map(([name, value]) => {
          const declared = deployment.capabilities?.[name];
          const description = isObject(declared) ? declared['description'] : undefined;
          return { [name]: { value, ...(description === undefined ? {} : { description }) } };
        });
      return ok(page(call.query, [{ deployment_id: deploymentId, capabilities }]));
    }),
    search('scaling-groups', 'deployment_get', paged(scalingGroupSchema), async (call) => {
      const { constraints } = conditionsOf(call, 'deployments', 'id');
      const blueprintId = scopeMember(call.query, constraints, 'blueprint_id');
      const all =
        blueprintId === undefined
          ? (await deployments.get(call.tenantCaller, requireDeployment(call, constraints), ['scalingGroups']))
              .scalingGroups
          : (await blueprints.get(call.tenantCaller, blueprintId, ['plan'])).plan?.scaling_groups;
      const groups = Object.entries(all ?? {})
        .filter(([name]) => matches(name, constraints, call.query.one('_search')))
        .map(([name, { members, properties }]) => ({ deployment_id: null, name, members, properties }));
      return ok(page(call.query, groups));
    }),
  ];
}

/** Routes of `/searches` and `/workflows`. */
export function searchRoutes(dependencies: SearchDependencies): Route[] {
  const { deployments, filters } = dependencies;
  return [
    ...resourceSearches(dependencies),
    ...nodeSearches(dependencies),
    ...nestedSearches(dependencies),
    {
      method: 'get',
      path: '/workflows',
      summary: 'List the workflows of deployments',
      access: { permission: 'deployment_list', hasAllTenants: true },
      query: ['_filter_id', '_group_id', '_search'],
      answer: workflowPage,
      handle: async (call) => {
        const filterId = call.query.one('_filter_id');
        const rules =
          filterId === undefined ? undefined : await filters.rules(call.tenantCaller, 'deployments', filterId);
        return ok(await workflowList(deployments, call, rules, false));
      },
    },
  ];
}
