import type { GantryClient } from '../../client/client.ts';
import type { WorkflowShape } from '../../client/types.ts';
import { NotFound, UsageError } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { wholeNumber } from '../commands/listing.ts';
import { at, optionOf, optionsOf, valueOf } from './definition.ts';
import type { CommandDefinition, CommandOption, Given } from './definition.ts';

const deploymentOption: CommandOption = {
  flags: '-d, --deployment-id <id>',
  about: 'deployment they belong to',
  isRequired: true,
};

async function workflowsOf(client: GantryClient, given: Given): Promise<readonly WorkflowShape[]> {
  const deployment = await client.deployments.get(optionOf(given, 'deploymentId') ?? '', ['id', 'workflows']);
  return deployment.workflows ?? [];
}

const workflowCommands: readonly CommandDefinition[] = [
  {
    kind: 'rows',
    words: 'workflows list',
    about: 'list the workflows of a deployment',
    things: 'workflows',
    options: [deploymentOption],
    fields: ['name', 'is_available', 'parameters'],
    run: async (client, given, { output }) => {
      const workflows = await workflowsOf(client, given);
      return output.format === 'table'
        ? workflows.map((workflow) => ({ ...workflow, parameters: Object.keys(workflow.parameters ?? {}).join(', ') }))
        : workflows;
    },
  },
  {
    kind: 'item',
    words: 'workflows get',
    about: 'show a workflow of a deployment with its parameters',
    takes: ['workflow'],
    options: [deploymentOption],
    fields: ['name', 'is_available', 'availability_rules', 'is_cascading', 'plugin', 'operation', 'parameters'],
    run: async (client, given) => {
      const name = valueOf(given, 'workflow');
      const workflows = await workflowsOf(client, given);
      const found = workflows.find((workflow) => workflow.name === name);
      if (!found) {
        const known = workflows.map((workflow) => workflow.name).join(', ');
        throw new NotFound(`There is no workflow ${name}`, `The deployment has: ${known}`);
      }
      return found;
    },
  },
  {
    kind: 'rows',
    words: 'groups list',
    about: 'list the groups that the blueprint of a deployment declares',
    things: 'groups',
    options: [deploymentOption],
    fields: ['name', 'members', 'policies'],
    run: async (client, given) => {
      const path = at`/deployments/${optionOf(given, 'deploymentId') ?? ''}`;
      const { groups } = await client.transport.json<{ groups: Record<string, object> | null }>('GET', path, {
        query: { _include: 'id,groups' },
      });
      return Object.entries(groups ?? {}).map(([name, group]) => ({ name, ...group }));
    },
  },
];

const timeOptions: readonly CommandOption[] = [
  { flags: '--from <time>', about: 'not before this time, e.g. 2030-01-31' },
  { flags: '--to <time>', about: 'not after this time' },
];

const purgeCommands: readonly CommandDefinition[] = [
  {
    kind: 'item',
    words: 'events delete',
    about: 'delete the events of a deployment, and its log lines with --include-logs',
    takes: ['deployment'],
    options: [...timeOptions, { flags: '--include-logs', about: 'log lines, too' }],
    fields: ['deleted'],
    run: async (client, given) => {
      const { items } = await client.transport.json<{ items: number[] }>('DELETE', '/events', {
        query: {
          deployment_id: valueOf(given, 'deployment'),
          type: given.options['includeLogs'] === true ? ['cloudify_event', 'cloudify_log'] : ['cloudify_event'],
          _range: `timestamp,${optionOf(given, 'from') ?? ''},${optionOf(given, 'to') ?? ''}`,
        },
      });
      return { deleted: items[0] ?? 0 };
    },
    example: 'gantry events delete web --to 2030-01-31 --include-logs',
  },
  {
    kind: 'item',
    words: 'executions delete',
    about: 'delete executions that have ended',
    options: [
      { flags: '--to <time>', about: 'that began before this time' },
      { flags: '--keep-last <n>', about: 'all but the last ones' },
      { flags: '--status <status>', about: 'with this status: terminated, failed or cancelled; default: all three' },
      { flags: '-d, --deployment-id <id>', about: 'only of this deployment' },
      { flags: '-a, --all-tenants', about: 'of all tenants you may see' },
    ],
    fields: ['deleted'],
    run: async (client, given) => {
      const [to, keepLast] = [optionOf(given, 'to'), optionOf(given, 'keepLast')];
      if (to === undefined && keepLast === undefined) {
        throw new UsageError('Say which executions: --to TIME, --keep-last N or both');
      }
      const { items } = await client.transport.json<{ items: { count: number }[] }>('DELETE', '/executions', {
        query: {
          status: optionOf(given, 'status') ?? ['terminated', 'failed', 'cancelled'],
          deployment_id: optionOf(given, 'deploymentId'),
          _all_tenants: given.options['allTenants'] === true ? true : undefined,
        },
        body: { to_datetime: to, keep_last: keepLast === undefined ? undefined : wholeNumber(keepLast) },
      });
      return { deleted: items[0]?.count ?? 0 };
    },
    example: [
      'gantry executions delete --to 2030-01-31',
      'gantry executions delete --keep-last 100 --status terminated',
    ],
  },
];

interface Instance {
  readonly version: number;
  readonly runtime_properties: Record<string, unknown>;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function merged(before: Record<string, unknown>, added: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(added).map(([name, value]) => {
    const old = before[name];
    return [name, isMapping(old) && isMapping(value) ? merged(old, value) : value] as const;
  });
  return { ...before, ...Object.fromEntries(entries) };
}

/** A name with dots is taken as a whole where it is there. @throws UsageError when there is nothing at the path */
function without(properties: Record<string, unknown>, path: readonly string[], shown: string): Record<string, unknown> {
  const whole = path.join('.');
  if (whole in properties) {
    return Object.fromEntries(Object.entries(properties).filter(([key]) => key !== whole));
  }
  const [name = '', ...rest] = path;
  const inner = properties[name];
  if (rest.length === 0 || !isMapping(inner)) {
    throw new UsageError(`There is no runtime property ${shown}`);
  }
  return { ...properties, [name]: without(inner, rest, shown) };
}

/** Changes runtime properties of an instance; refused when it is changed at the same time. */
async function changeProperties(
  client: GantryClient,
  given: Given,
  change: (properties: Record<string, unknown>) => Record<string, unknown>,
): Promise<unknown> {
  const path = at`/node-instances/${valueOf(given, 'id')}`;
  const instance = await client.transport.json<Instance>('GET', path);
  return client.transport.json('PATCH', path, {
    body: { version: instance.version, runtime_properties: change(instance.runtime_properties) },
  });
}

const instanceCommands: readonly CommandDefinition[] = [
  {
    kind: 'item',
    words: 'node-instances update-runtime',
    about: 'set runtime properties of a node instance; mappings are merged',
    takes: ['id'],
    options: [
      { flags: '-p, --properties <p>', about: 'name=value, {mapping} or file', isRequired: true, isRepeatable: true },
    ],
    fields: ['id', 'version', 'runtime_properties'],
    run: async (client, given) => {
      const added = await parseInputs(optionsOf(given, 'properties'));
      return changeProperties(client, given, (properties) => merged(properties, added));
    },
    example: 'gantry node-instances update-runtime web_y9wlce -p port=8081',
  },
  {
    kind: 'item',
    words: 'node-instances delete-runtime',
    about: 'delete runtime properties of a node instance',
    takes: ['id'],
    options: [
      {
        flags: '-p, --property <path>',
        about: 'its name, or a path such as a.b',
        isRequired: true,
        isRepeatable: true,
      },
    ],
    fields: ['id', 'version', 'runtime_properties'],
    run: (client, given) =>
      changeProperties(client, given, (properties) =>
        optionsOf(given, 'property').reduce((left, path) => without(left, path.split('.'), path), properties),
      ),
    example: 'gantry node-instances delete-runtime web_y9wlce -p endpoint.port',
  },
];

/** Commands for workflows, groups, runtime properties and statuses of deployments, and for what they leave behind. */
export const deploymentTable: readonly CommandDefinition[] = [
  {
    kind: 'list',
    words: 'deployments status-list',
    about: 'list the states of deployments with their services and environments',
    things: 'deployments',
    path: () => '/deployments',
    fields: [
      'id',
      'installation_status',
      'deployment_status',
      'latest_execution_status',
      'unavailable_instances',
      'drifted_instances',
      'sub_services_status',
      'sub_environments_status',
    ],
    example: 'gantry deployments status-list --all-tenants',
  },
  ...workflowCommands,
  ...purgeCommands,
  ...instanceCommands,
];
