/** What a deployment is made of, as the create workflow and those who restore a deployment tell it. */
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { DocumentName } from '../services/deployment-update.ts';
import type { RestoredParts } from '../services/deployment-restoring.ts';
import type { DeploymentUpdate } from '../store/deployments.ts';
import { isObject, textMember } from './body.ts';
import { deploymentStatuses, installationStatuses } from './shapes/deployment.ts';

const mapping = { type: ['object', 'null'] };
const mappings = { type: ['object', 'null'], additionalProperties: { type: 'object' } };
const count = { type: ['integer', 'null'], minimum: 0, maximum: 2_147_483_647 };
const optionalText = { type: ['string', 'null'] };

const workflowSchema = {
  type: 'object',
  required: ['operation', 'parameters'],
  properties: {
    operation: { type: 'string' },
    plugin: optionalText,
    parameters: { type: ['object', 'null'], additionalProperties: { type: 'object' } },
    is_cascading: { type: ['boolean', 'null'] },
    availability_rules: mapping,
  },
};

/** By name, or as a list, as answers have them. */
const workflowsSchema = {
  type: ['object', 'array', 'null'],
  additionalProperties: workflowSchema,
  items: {
    ...workflowSchema,
    required: ['name', ...workflowSchema.required],
    properties: { ...workflowSchema.properties, name: { type: 'string' } },
  },
};

const scalingGroupsSchema = {
  type: ['object', 'null'],
  additionalProperties: {
    type: 'object',
    required: ['members', 'properties'],
    properties: {
      members: { type: 'array', items: { type: 'string' } },
      properties: { type: 'object', additionalProperties: { type: 'integer' } },
    },
  },
};

/** Schema of the documents of a deployment. */
export const documentProperties = {
  inputs: mapping,
  groups: mappings,
  policy_triggers: mapping,
  policy_types: mapping,
  outputs: mappings,
  capabilities: mappings,
  scaling_groups: scalingGroupsSchema,
  workflows: workflowsSchema,
  resource_tags: mapping,
};

/** Schema of what only somebody who restores a deployment tells. */
export const restoredProperties = {
  ...documentProperties,
  workdir_zip: optionalText,
  description: optionalText,
  deployment_status: { enum: [...deploymentStatuses, null] },
  installation_status: { enum: [...installationStatuses, null] },
  sub_services_status: { enum: [...deploymentStatuses, null] },
  sub_environments_status: { enum: [...deploymentStatuses, null] },
  sub_services_count: count,
  sub_environments_count: count,
};

/** Member on the wire -> document. */
const documents: Readonly<Record<keyof typeof documentProperties, DocumentName>> = {
  inputs: 'inputs',
  groups: 'groups',
  policy_triggers: 'policyTriggers',
  policy_types: 'policyTypes',
  outputs: 'outputs',
  capabilities: 'capabilities',
  scaling_groups: 'scalingGroups',
  workflows: 'workflows',
  resource_tags: 'resourceTags',
};

/** What is stored of a workflow; that it can be started now is worked out. */
function storedWorkflow(workflow: JsonObject): JsonObject {
  return {
    plugin: workflow['plugin'] ?? '',
    operation: workflow['operation'] ?? '',
    parameters: workflow['parameters'] ?? {},
    is_cascading: workflow['is_cascading'] ?? false,
    availability_rules: workflow['availability_rules'] ?? null,
  };
}

/** Workflows by name. */
function storedWorkflows(given: JsonObject | readonly Json[]): JsonObject {
  const entries = Array.isArray(given)
    ? given.filter(isObject).map((workflow) => [textMember(workflow, 'name'), workflow] as const)
    : Object.entries(given);
  return Object.fromEntries(entries.map(([name, workflow]) => [name, storedWorkflow(workflow as JsonObject)]));
}

/** Undefined = nothing is told. An empty list of workflows is that of a deployment that has none yet. */
function storedDocument(name: DocumentName, value: Json | undefined): JsonObject | undefined {
  if (name === 'workflows' && Array.isArray(value)) {
    return value.length === 0 ? undefined : storedWorkflows(value);
  }
  if (!isObject(value)) {
    return undefined;
  }
  return name === 'workflows' ? storedWorkflows(value) : value;
}

/** The documents that a body has. */
export function documentsOf(body: JsonObject): Pick<DeploymentUpdate, DocumentName> {
  const given = Object.entries(documents).flatMap(([member, name]) => {
    const value = storedDocument(name, body[member]);
    return value ? [[name, value] as const] : [];
  });
  return Object.fromEntries(given);
}

/** @throws GantryError bad_parameters_error */
function readBase64(text: string): Buffer {
  const plain = text.replaceAll(/\s+/g, '');
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) {
    throw new GantryError('bad_parameters_error', 'workdir_zip must be a zip archive as base64 text');
  }
  return Buffer.from(plain, 'base64');
}

/**
 * What somebody tells of a deployment that was there before; undefined when one is to be created.
 *
 * Compatibility: Cloudify 7 takes a deployment for restored when there is a `workdir_zip`, and fails to create one that
 * comes with parts of its plan.
 * @throws GantryError bad_parameters_error for what is told without `workdir_zip`
 */
export function restoredPartsOf(body: JsonObject): RestoredParts | undefined {
  const { workdir_zip: workdir } = body;
  if (typeof workdir !== 'string' || workdir === '') {
    const told = Object.keys(restoredProperties).filter((name) => name !== 'inputs' && isTold(body[name]));
    if (told.length > 0) {
      throw new GantryError(
        'bad_parameters_error',
        `${told.join(', ')}: only with workdir_zip, of a deployment that is restored; a new one gets them from its blueprint`,
      );
    }
    return undefined;
  }
  const member = <Value extends Json>(name: string): Value | undefined =>
    (body[name] ?? undefined) as Value | undefined;
  return {
    workdir: readBase64(workdir),
    attributes: {
      ...documentsOf(body),
      description: member<string>('description'),
      deploymentStatus: member('deployment_status'),
      installationStatus: member('installation_status'),
      subServicesStatus: member('sub_services_status'),
      subEnvironmentsStatus: member('sub_environments_status'),
      subServicesCount: member<number>('sub_services_count'),
      subEnvironmentsCount: member<number>('sub_environments_count'),
    },
  };
}

function isTold(value: Json | undefined): boolean {
  return value !== undefined && value !== null && value !== '';
}
