import type { GantryClient } from '../../client/client.ts';
import { at, optionOf, optionsOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, CommandOption, Given } from './definition.ts';
import { NotFound } from '../errors.ts';
import { wholeNumber } from '../commands/listing.ts';
import { parseInputs } from '../inputs.ts';

const siteFields = ['name', 'location', 'visibility', 'created_by'];
const locationOption = { flags: '--location <latitude,longitude>', about: 'where it is, e.g. 32.07,34.78' };

const siteCommands: readonly CommandDefinition[] = [
  { kind: 'list', words: 'sites list', about: 'list sites', path: () => '/sites', fields: siteFields },
  {
    kind: 'item',
    words: 'sites get',
    about: 'show a site',
    takes: ['name'],
    fields: siteFields,
    run: sends((given) => ({ method: 'GET', path: at`/sites/${valueOf(given, 'name')}` })),
  },
  {
    kind: 'action',
    words: 'sites create',
    about: 'create a site',
    takes: ['name'],
    options: [locationOption],
    run: sends((given) => ({
      method: 'PUT',
      path: at`/sites/${valueOf(given, 'name')}`,
      body: { location: optionOf(given, 'location') },
    })),
    done: (given) => `Site ${valueOf(given, 'name')} made`,
  },
  {
    kind: 'action',
    words: 'sites update',
    about: 'move or rename a site',
    takes: ['name'],
    options: [locationOption, { flags: '--new-name <name>', about: 'its new name' }],
    run: sends((given) => ({
      method: 'POST',
      path: at`/sites/${valueOf(given, 'name')}`,
      body: { location: optionOf(given, 'location'), new_name: optionOf(given, 'newName') },
    })),
    done: (given) => `Site ${valueOf(given, 'name')} changed`,
  },
  {
    kind: 'action',
    words: 'sites delete',
    about: 'delete a site',
    takes: ['name'],
    run: sends((given) => ({ method: 'DELETE', path: at`/sites/${valueOf(given, 'name')}` })),
    done: (given) => `Site ${valueOf(given, 'name')} deleted`,
  },
  {
    kind: 'action',
    words: 'deployments set-site',
    about: 'set the site of a deployment, or remove it with --none',
    takes: ['deployment'],
    options: [
      { flags: '--site <name>', about: 'the site' },
      { flags: '--none', about: 'on no site' },
    ],
    run: sends((given) => ({
      method: 'POST',
      path: at`/deployments/${valueOf(given, 'deployment')}/set-site`,
      body: given.options['none'] === true ? { detach_site: true } : { site_name: optionOf(given, 'site') },
    })),
    done: (given) => `${valueOf(given, 'deployment')} is on ${optionOf(given, 'site') ?? 'no site'}`,
  },
];

const scheduleFields = ['id', 'deployment_id', 'workflow_id', 'since', 'until', 'next_occurrence', 'enabled', 'rule'];
const timing: readonly CommandOption[] = [
  { flags: '--until <time>', about: 'not after this time' },
  { flags: '--recurrence <interval>', about: 'e.g. "2 days" or "1 month"' },
  { flags: '--count <n>', about: 'number of executions in total' },
  { flags: '--weekdays <days>', about: 'only on these, e.g. mo,tu' },
  { flags: '--rrule <rule>', about: 'an iCalendar rule instead of the above' },
  { flags: '--slip <minutes>', about: 'maximum delay of a start' },
  { flags: '--stop-on-fail', about: 'stop after a failed execution' },
];

function timesOf(given: Given): Record<string, unknown> {
  const count = optionOf(given, 'count');
  const slip = optionOf(given, 'slip');
  const weekdays = optionOf(given, 'weekdays');
  const body = {
    since: optionOf(given, 'since'),
    until: optionOf(given, 'until'),
    recurrence: optionOf(given, 'recurrence'),
    rrule: optionOf(given, 'rrule'),
    count: count === undefined ? undefined : wholeNumber(count),
    slip: slip === undefined ? undefined : wholeNumber(slip),
    weekdays: weekdays?.split(','),
    stop_on_fail: given.options['stopOnFail'] === true ? true : undefined,
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function ofDeployment(given: Given): { deployment_id: string } {
  return { deployment_id: valueOf(given, 'deployment') };
}

function switching(word: 'enable' | 'disable'): CommandDefinition {
  return {
    kind: 'action',
    words: `deployments schedule ${word}`,
    about: `${word} a schedule`,
    takes: ['deployment', 'schedule'],
    run: sends((given) => ({
      method: 'PATCH',
      path: at`/execution-schedules/${valueOf(given, 'schedule')}`,
      query: ofDeployment(given),
      body: { enabled: word === 'enable' },
    })),
    done: (given) => `Schedule ${valueOf(given, 'schedule')} ${word}d`,
  };
}

const scheduleCommands: readonly CommandDefinition[] = [
  {
    kind: 'list',
    words: 'deployments schedule list',
    about: 'list schedules, of all deployments or one',
    options: [{ flags: '--deployment <id>', about: 'of this deployment only' }],
    path: () => '/execution-schedules',
    things: 'schedules',
    filters: (given) => ({ deployment_id: optionOf(given, 'deployment') }),
    fields: scheduleFields,
  },
  {
    kind: 'item',
    words: 'deployments schedule get',
    about: 'show a schedule',
    takes: ['deployment', 'schedule'],
    fields: [...scheduleFields, 'all_next_occurrences'],
    run: sends((given) => ({
      method: 'GET',
      path: at`/execution-schedules/${valueOf(given, 'schedule')}`,
      query: ofDeployment(given),
    })),
  },
  {
    kind: 'action',
    words: 'deployments schedule create',
    about: 'schedule a workflow, once or recurring',
    takes: ['deployment', 'workflow'],
    options: [
      { flags: '--name <id>', about: 'id of the schedule; default: the workflow' },
      { flags: '--since <time>', about: 'first time, e.g. "2030-01-31 03:00"', isRequired: true },
      { flags: '-p, --parameters <p>', about: 'parameters as name=value, mapping or file', isRepeatable: true },
      ...timing,
    ],
    run: async (client, given) => {
      const id = optionOf(given, 'name') ?? valueOf(given, 'workflow');
      return client.transport.json('PUT', at`/execution-schedules/${id}`, {
        query: ofDeployment(given),
        body: {
          workflow_id: valueOf(given, 'workflow'),
          parameters: await parseInputs(optionsOf(given, 'parameters')),
          ...timesOf(given),
        },
      });
    },
    done: (given) => `Schedule ${optionOf(given, 'name') ?? valueOf(given, 'workflow')} made`,
    example: 'gantry deployments schedule create web heal --since "2030-01-31 03:00" --recurrence "1 days"',
  },
  {
    kind: 'action',
    words: 'deployments schedule update',
    about: 'change the times of a schedule',
    takes: ['deployment', 'schedule'],
    options: [{ flags: '--since <time>', about: 'first time' }, ...timing],
    run: sends((given) => ({
      method: 'PATCH',
      path: at`/execution-schedules/${valueOf(given, 'schedule')}`,
      query: ofDeployment(given),
      body: timesOf(given),
    })),
    done: (given) => `Schedule ${valueOf(given, 'schedule')} changed`,
  },
  switching('enable'),
  switching('disable'),
  {
    kind: 'action',
    words: 'deployments schedule delete',
    about: 'delete a schedule',
    takes: ['deployment', 'schedule'],
    run: sends((given) => ({
      method: 'DELETE',
      path: at`/execution-schedules/${valueOf(given, 'schedule')}`,
      query: ofDeployment(given),
    })),
    done: (given) => `Schedule ${valueOf(given, 'schedule')} deleted`,
  },
];

/** Commands that count resources by their fields. */
function summaryCommands(): CommandDefinition[] {
  const kinds = [
    ['blueprints', 'blueprints'],
    ['deployments', 'deployments'],
    ['executions', 'executions'],
    ['nodes', 'nodes'],
    ['node-instances', 'node_instances'],
    ['deployments schedule', 'execution_schedules'],
  ] as const;
  return kinds.map(([group, kind]) => ({
    kind: 'free',
    words: `${group} summary`,
    about: 'count them by a field, and by a second one within it',
    takes: ['field'],
    options: [{ flags: '--by <field>', about: 'second field' }],
    run: async (client, given, invocation) => {
      const target = valueOf(given, 'field');
      const sub = optionOf(given, 'by');
      const { items } = await client.transport.json<{ items: Record<string, unknown>[] }>('GET', `/summary/${kind}`, {
        query: { _target_field: target, _sub_field: sub },
      });
      const fields = [target, kind, ...(sub === undefined ? [] : [`by ${sub}`])];
      invocation.output.list(
        items,
        fields.map((field) => ({ title: field, value: (item) => item[field] })),
      );
    },
    example: `gantry ${group} summary ${kind === 'nodes' ? 'deployment_id' : 'visibility'}`,
  }));
}

async function showNode(client: GantryClient, given: Given): Promise<object> {
  const [deployment, node] = [valueOf(given, 'deployment'), valueOf(given, 'node')];
  const { items } = await client.transport.json<{ items: object[] }>('GET', '/nodes', {
    query: { deployment_id: deployment, id: node },
  });
  if (items[0] === undefined) {
    throw new NotFound(`Deployment ${deployment} has no node ${node}`);
  }
  return items[0];
}

const modificationFields = ['id', 'deployment_id', 'status', 'created_at', 'ended_at'];

/** Commands for sites, schedules, modifications, operations and counts. */
export const recordCommands: readonly CommandDefinition[] = [
  ...siteCommands,
  ...scheduleCommands,
  ...summaryCommands(),
  {
    kind: 'list',
    words: 'deployments modifications list',
    about: 'list deployment modifications',
    takes: ['deployment'],
    path: () => '/deployment-modifications',
    takesNo: ['search'],
    filters: ofDeployment,
    fields: modificationFields,
  },
  {
    kind: 'item',
    words: 'deployments modifications get',
    about: 'show a modification',
    takes: ['id'],
    fields: [...modificationFields, 'modified_nodes'],
    run: sends((given) => ({ method: 'GET', path: at`/deployment-modifications/${valueOf(given, 'id')}` })),
  },
  {
    kind: 'action',
    words: 'deployments modifications rollback',
    about: 'roll back a started modification',
    takes: ['id'],
    run: sends((given) => ({ method: 'POST', path: at`/deployment-modifications/${valueOf(given, 'id')}/rollback` })),
    done: (given) => `Modification ${valueOf(given, 'id')} taken back`,
  },
  {
    kind: 'list',
    words: 'executions graphs list',
    about: 'list the tasks graphs of an execution',
    takes: ['execution'],
    path: () => '/tasks_graphs',
    things: 'tasks graphs',
    takesNo: ['sort', 'search', 'all-tenants'],
    filters: (given) => ({ execution_id: valueOf(given, 'execution') }),
    fields: ['id', 'name', 'created_at'],
  },
  {
    kind: 'item',
    words: 'operations get',
    about: 'show an operation',
    takes: ['id'],
    fields: ['id', 'name', 'type', 'state', 'agent_name', 'manager_name', 'dependencies', 'parameters'],
    run: sends((given) => ({ method: 'GET', path: at`/operations/${valueOf(given, 'id')}` })),
  },
  {
    kind: 'item',
    words: 'nodes get',
    about: 'show a node of a deployment',
    takes: ['deployment', 'node'],
    fields: ['id', 'type', 'host_id', 'number_of_instances', 'properties', 'relationships'],
    run: showNode,
  },
];
