import { GantryError } from '../../domain/errors.ts';
import { JsonText } from '../../domain/json-text.ts';
import type { Deployment } from '../../domain/entities.ts';
import type { Json, JsonObject } from '../../domain/plan.ts';
import type { DeploymentService } from '../../services/deployments.ts';
import type { FilterService } from '../../services/filters.ts';
import type { DeploymentChange } from '../../services/deployment-update.ts';
import { checkIdentifier, visibilityFor } from '../../services/identifiers.ts';
import { parseLabels } from '../../services/labels.ts';
import { json, mapOf, nothing, pageOf, record, single, textSchema } from '../answer.ts';
import { documentProperties, documentsOf, restoredPartsOf, restoredProperties } from '../deployment-parts.ts';
import { originOf, originProperties } from '../origin.ts';
import { listAnswer, parseList } from '../query.ts';
import { created, noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';
import { deploymentShape } from '../shapes/deployment.ts';
import { shapeWorkflow } from '../shapes/workflow.ts';
import type { DeploymentView } from '../shapes/deployment.ts';
import { neededFields, selectFields, shapeOne, writeProjected } from '../shapes/field.ts';

const createSchema = {
  type: 'object',
  required: ['blueprint_id'],
  properties: {
    blueprint_id: { type: 'string' },
    visibility: { type: ['string', 'null'] },
    skip_plugins_validation: { type: ['boolean', 'null'] },
    site_name: { type: ['string', 'null'] },
    runtime_only_evaluation: { type: ['boolean', 'null'] },
    display_name: { type: ['string', 'null'] },
    labels: { type: ['array', 'null'] },
    ...originProperties,
    ...restoredProperties,
  },
};

const visibilitySchema = { type: 'object', required: ['visibility'], properties: { visibility: {} } };

const longestDisplayName = 256;

/** Reads a display name; undefined when there is none. @throws GantryError bad_parameters_error */
export function displayNameOf(value: Json | undefined): string | undefined {
  if (typeof value !== 'string' || value === '') {
    return undefined;
  }
  const name = value.normalize('NFKC');
  if (name.length > longestDisplayName || /\p{Cc}/u.test(name)) {
    throw new GantryError(
      'bad_parameters_error',
      'The display name must have at most 256 characters and no control characters',
    );
  }
  return name;
}

/** Deployments with the workflows that can be started now. */
async function withWorkflows(deployments: DeploymentService, items: readonly Deployment[]): Promise<DeploymentView[]> {
  const available = await deployments.availableWorkflows(items);
  return items.map((item) => ({
    ...item,
    workflowViews: writtenWorkflows(item.workflows ?? {}, available.get(item.storageId) ?? new Set()),
  }));
}

/** By the workflows themselves, which deployments share, and the names of those that can be started. */
const written = new WeakMap<object, Map<string, JsonText>>();

function writtenWorkflows(workflows: NonNullable<Deployment['workflows']>, available: ReadonlySet<string>): JsonText {
  const texts = written.get(workflows) ?? new Map<string, JsonText>();
  written.set(workflows, texts);
  const key = [...available].join('\n');
  let text = texts.get(key);
  if (!text) {
    const shaped = Object.entries(workflows).map(([name, workflow]) =>
      shapeWorkflow({ ...workflow, name, isAvailable: available.has(name) }),
    );
    text = new JsonText(JSON.stringify(shaped));
    texts.set(key, text);
  }
  return text;
}

const idOf = ({ parameters }: ApiCall): string => parameters['deployment_id'] ?? '';

function listRoute(deployments: DeploymentService, filters: FilterService): Route {
  return {
    method: 'get',
    path: '/deployments',
    summary: 'List deployments',
    access: { permission: 'deployment_list', hasAllTenants: true },
    query: ['_search', '_search_name', '_filter_id', '_group_id', '_get_data'],
    answer: pageOf(deploymentShape),
    handle: async (call) => {
      const { caller, query } = call;
      const options = { search: { _search: 'id', _search_name: 'displayName' }, takesLabelSort: true };
      const filterId = query.one('_filter_id');
      const rules =
        filterId === undefined ? undefined : await filters.rules(call.tenantCaller, 'deployments', filterId);
      // a deployment may be in several groups, so this is no value of its own
      const groupId = query.one('_group_id') ?? query.one('deployment_group_id');
      const parsed = parseList(query.without('deployment_group_id'), deploymentShape, options, rules);
      const wantsWorkflows = query.flag('_get_data') || query.include()?.includes('workflows') === true;
      const fields = parsed.query.fields?.filter((name) => name !== 'workflows' || wantsWorkflows);
      const list = { ...parsed.query, ...(fields ? { fields } : {}), areDocumentsText: !wantsWorkflows };
      const page = await deployments.list(caller, list, parsed.isAllTenants, {
        groupId,
        dependenciesOf: query.one('_dependencies_of'),
        environmentsOnly: query.has('_environments_only'),
      });
      const items = wantsWorkflows ? await withWorkflows(deployments, page.items) : page.items;
      return ok(listAnswer(parsed, { ...page, items }));
    },
  };
}

function createRoute(deployments: DeploymentService): Route {
  return {
    method: 'put',
    path: '/deployments/:deployment_id',
    summary: 'Create a deployment of a blueprint',
    access: { permission: 'deployment_create' },
    query: ['async_create', 'private_resource'],
    body: createSchema,
    isRefusedWhileCancelling: true,
    answer: single(deploymentShape),
    handle: async (call) => {
      const { tenantCaller, query } = call;
      const body = call.body as JsonObject;
      const id = idOf(call);
      checkIdentifier('deployment_id', id, { mayStartWithDigit: true });
      const text = (name: string): string | undefined => {
        const value = body[name];
        return typeof value === 'string' && value !== '' ? value : undefined;
      };
      const request = {
        id,
        blueprintId: text('blueprint_id') ?? '',
        inputs: (body['inputs'] ?? {}) as JsonObject,
        visibility: visibilityFor(tenantCaller, {
          visibility: text('visibility'),
          privateResource: query.has('private_resource') ? query.switch('private_resource') : undefined,
        }),
        displayName: displayNameOf(body['display_name']),
        siteName: text('site_name'),
        labels: parseLabels(body['labels'] ?? []),
        runtimeOnlyEvaluation:
          typeof body['runtime_only_evaluation'] === 'boolean' ? body['runtime_only_evaluation'] : undefined,
        isSkippingPluginsValidation: body['skip_plugins_validation'] === true,
        origin: originOf(body),
        restored: restoredPartsOf(body),
      };
      const isAsync = query.switch('async_create');
      if (isAsync && request.restored) {
        throw new GantryError(
          'deployment_creation_error',
          'A deployment with a workdir_zip is restored at once: leave async_create out',
        );
      }
      const deployment = await deployments.create(tenantCaller, request, isAsync, call.signal);
      const [view] = await withWorkflows(deployments, [deployment]);
      return created(shapeOne(deploymentShape, view ?? deployment, query.include()));
    },
    replay: async (call) => {
      const isAsync = call.query.switch('async_create');
      const deployment = await deployments.whenCreated(call.tenantCaller, idOf(call), isAsync, call.signal);
      const [view] = await withWorkflows(deployments, [deployment]);
      return created(shapeOne(deploymentShape, view ?? deployment, call.query.include()));
    },
  };
}

const changeSchema = {
  type: 'object',
  properties: {
    display_name: { type: ['string', 'null'] },
    description: { type: ['string', 'null'] },
    labels: { type: ['array', 'null'] },
    blueprint_id: { type: ['string', 'null'] },
    runtime_only_evaluation: { type: ['boolean', 'null'] },
    creator: { type: ['string', 'null'] },
    created_at: { type: ['string', 'null'] },
    create_execution: { type: ['string', 'null'] },
    latest_execution: { type: ['string', 'null'] },
    ...documentProperties,
  },
};

const siteSchema = {
  type: 'object',
  properties: { site_name: { type: ['string', 'null'] }, detach_site: { type: ['boolean', 'null'] } },
};

function changeOf(body: JsonObject): DeploymentChange {
  const text = (name: string): string | undefined => (typeof body[name] === 'string' ? body[name] : undefined);
  const { labels, runtime_only_evaluation: evaluation } = body;
  return {
    displayName: displayNameOf(body['display_name']),
    description: text('description'),
    blueprintId: text('blueprint_id'),
    runtimeOnlyEvaluation: typeof evaluation === 'boolean' ? evaluation : undefined,
    labels: labels === undefined || labels === null ? undefined : parseLabels(labels),
    documents: documentsOf(body),
    creator: text('creator') || undefined,
    createdAt: originOf(body).createdAt,
    createExecutionId: text('create_execution'),
    latestExecutionId: text('latest_execution'),
  };
}

function changeRoutes(deployments: DeploymentService): Route[] {
  const show = async (call: ApiCall): Promise<Answer> =>
    ok(shapeOne(deploymentShape, await deployments.get(call.tenantCaller, idOf(call)), call.query.include()));
  return [
    {
      method: 'patch',
      path: '/deployments/:deployment_id',
      summary: 'Change a deployment',
      access: { permission: 'deployment_update' },
      body: changeSchema,
      answer: single(deploymentShape),
      handle: async (call) => {
        const body = call.body as JsonObject;
        if (Object.keys(body).length === 0) {
          throw new GantryError(
            'illegal_action_error',
            'Update a deployment request must include at least one parameter to update',
          );
        }
        const deployment = await deployments.change(call.tenantCaller, idOf(call), changeOf(body));
        return ok(shapeOne(deploymentShape, deployment, call.query.include()));
      },
      replay: show,
    },
    {
      method: 'post',
      path: '/deployments/:deployment_id/set-site',
      summary: 'Set or remove the site of a deployment',
      access: { permission: 'deployment_set_site' },
      body: siteSchema,
      answer: single(deploymentShape),
      handle: async (call) => {
        const { site_name: siteName, detach_site: isDetaching } = call.body as JsonObject;
        const hasSite = typeof siteName === 'string' && siteName !== '';
        if (hasSite === (isDetaching === true)) {
          throw new GantryError(
            'bad_parameters_error',
            'Must provide either a `site_name` of a valid site or `detach_site` with true value for detaching the ' +
              'current site of the given deployment',
          );
        }
        const name = hasSite ? siteName : undefined;
        const deployment = await deployments.setSite(call.tenantCaller, idOf(call), name);
        return ok(shapeOne(deploymentShape, deployment, call.query.include()));
      },
      replay: show,
    },
  ];
}

/** Routes of `/deployments`. */
export function deploymentRoutes(deployments: DeploymentService, filters: FilterService): Route[] {
  return [
    listRoute(deployments, filters),
    createRoute(deployments),
    ...changeRoutes(deployments),
    {
      method: 'get',
      path: '/deployments/:deployment_id',
      summary: 'Get a deployment',
      access: { permission: 'deployment_get' },
      query: ['all_sub_deployments', 'include_workdir'],
      answer: single(deploymentShape),
      handle: async (call) => {
        const include = call.query.include();
        const fields = neededFields(selectFields(deploymentShape, include));
        const read = fields.includes('workflows') ? [...fields, 'activity'] : fields;
        const found = await deployments.show(call.tenantCaller, idOf(call), read);
        const isDeep = call.query.switch('all_sub_deployments', true);
        const deployment = isDeep ? found : await deployments.withDirectChildren(found);
        const [view] = fields.includes('workflows') ? await withWorkflows(deployments, [deployment]) : [];
        const known: DeploymentView = view ?? deployment;
        const shown = call.query.switch('include_workdir')
          ? { ...known, workdirZip: await deployments.workdir(deployment) }
          : known;
        return ok(new JsonText(writeProjected(selectFields(deploymentShape, include), shown)));
      },
    },
    {
      method: 'delete',
      path: '/deployments/:deployment_id',
      summary: 'Delete a deployment',
      access: { permission: 'deployment_delete' },
      query: ['force', 'delete_logs', 'recursive'],
      answer: nothing,
      handle: async (call) => {
        await deployments.remove(call.tenantCaller, idOf(call), {
          isForced: call.query.switch('force'),
          isDeletingLogs: call.query.switch('delete_logs'),
          isRecursive: call.query.switch('recursive'),
        });
        return noContent;
      },
      replay: () => noContent,
    },
    {
      method: 'patch',
      path: '/deployments/:deployment_id/set-visibility',
      summary: 'Widen the visibility of a deployment',
      access: { permission: 'deployment_set_visibility' },
      body: visibilitySchema,
      answer: single(deploymentShape),
      handle: async (call) => {
        const { visibility } = call.body as JsonObject;
        const deployment = await deployments.setVisibility(call.tenantCaller, idOf(call), visibility);
        return ok(shapeOne(deploymentShape, deployment, call.query.include()));
      },
    },
    {
      method: 'get',
      path: '/deployments/:deployment_id/outputs',
      summary: 'Evaluate the outputs of a deployment',
      access: { permission: 'deployment_modification_outputs' },
      answer: json(record(undefined, { deployment_id: textSchema, outputs: mapOf({}) })),
      handle: async (call) => {
        const outputs = await deployments.outputs(call.tenantCaller, idOf(call));
        return ok({ deployment_id: idOf(call), outputs });
      },
    },
    {
      method: 'get',
      path: '/deployments/:deployment_id/capabilities',
      summary: 'Evaluate the capabilities of a deployment',
      access: { permission: 'deployment_capabilities' },
      answer: json(record(undefined, { deployment_id: textSchema, capabilities: mapOf({}) })),
      handle: async (call) => {
        const capabilities = await deployments.capabilities(call.tenantCaller, idOf(call));
        return ok({ deployment_id: idOf(call), capabilities });
      },
    },
  ];
}
