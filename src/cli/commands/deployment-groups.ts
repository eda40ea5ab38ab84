import type { Command } from '../command-tree.ts';
import type { DeploymentGroupOptions, GroupMembers } from '../../client/resources/groups.ts';
import type { DeploymentGroupShape } from '../../client/types.ts';
import { UsageError } from '../errors.ts';
import { parseInputs, parseLabels } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { visibilityOption } from './blueprints.ts';
import { addGroupUpdate } from './group-updates.ts';
import { listOptions, wholeNumber, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const groupColumns: readonly Column<DeploymentGroupShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'description', value: (item) => item.description },
  { title: 'default blueprint', value: (item) => item.default_blueprint_id },
  { title: 'deployments', value: (item) => item.deployment_ids.length },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'tenant', value: (item) => item.tenant_name },
  { title: 'created by', value: (item) => item.created_by },
];

function labelText({ labels }: DeploymentGroupShape): string {
  return labels.map(({ key, value }) => `${key}:${value}`).join(', ');
}

interface PutCommand {
  defaultBlueprint?: string;
  input?: readonly string[];
  description?: string;
  visibility?: 'private' | 'tenant' | 'global';
  label?: readonly string[];
}

async function putOptions(options: PutCommand): Promise<DeploymentGroupOptions> {
  const { defaultBlueprint, description, visibility, input, label } = options;
  return {
    ...(defaultBlueprint === undefined ? {} : { blueprintId: defaultBlueprint }),
    ...(description === undefined ? {} : { description }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(input === undefined ? {} : { defaultInputs: await parseInputs(input) }),
    ...(label === undefined ? {} : { labels: parseLabels(label) }),
  };
}

interface MembersCommand {
  deploymentId?: readonly string[];
  filterId?: string;
  fromGroup?: string;
  count?: number;
}

function membersOf({ deploymentId, filterId, fromGroup }: MembersCommand): GroupMembers {
  return {
    ...(deploymentId === undefined ? {} : { deploymentIds: deploymentId }),
    ...(filterId === undefined ? {} : { filterId }),
    ...(fromGroup === undefined ? {} : { fromGroup }),
  };
}

function withMemberOptions(members: Command): Command {
  return members
    .option('-d, --deployment-id <id>', 'a deployment; repeatable', collect)
    .option('--filter-id <id>', 'deployments that match a stored filter')
    .option('--from-group <id>', 'the deployments of another group');
}

function counted(group: DeploymentGroupShape): string {
  const count = group.deployment_ids.length;
  return `Group ${group.id} has ${count} deployment${count === 1 ? '' : 's'}`;
}

function addPutting(groups: Command, setting: CommandSetting): void {
  for (const [name, description, verb] of [
    ['create', 'create a group of deployments', 'created'],
    ['update', 'change a group; what is not given stays', 'updated'],
  ] as const) {
    groups
      .command(name)
      .argument('<id>')
      .option('-b, --default-blueprint <id>', 'blueprint of deployments that are created in the group')
      .option('-i, --input <input>', 'their default inputs: name=value, {mapping} or file; repeatable', collect)
      .option('-l, --label <labels>', 'key:value, repeatable; all deployments of the group get them', collect)
      .option('--description <text>', 'what the group is for')
      .addOption(visibilityOption())
      .description(description)
      .action(
        command(setting, async (invocation, options: PutCommand, id: string) => {
          const client = await invocation.client();
          const group = await client.deploymentGroups.put(id, await putOptions(options));
          invocation.output.done(`Group ${id} ${verb}`, group);
        }),
      );
  }
}

function addMembership(groups: Command, setting: CommandSetting): void {
  withMemberOptions(groups.command('extend').argument('<id>'))
    .option('-c, --count <n>', 'create so many deployments of the default blueprint', wholeNumber)
    .description('add deployments to a group')
    .example('gantry deployments groups extend fleet --count 100')
    .action(
      command(setting, async (invocation, options: MembersCommand, id: string) => {
        const members = membersOf(options);
        const { count = 0 } = options;
        if (count === 0 && Object.keys(members).length === 0) {
          throw new UsageError('Say which deployments: --count, --deployment-id, --filter-id or --from-group');
        }
        const client = await invocation.client();
        const newDeployments = Array.from({ length: count }, () => ({}));
        const group = await client.deploymentGroups.add(id, {
          ...members,
          ...(count > 0 ? { newDeployments } : {}),
        });
        invocation.output.done(counted(group), group);
      }),
    );
  withMemberOptions(groups.command('shrink').argument('<id>'))
    .description('remove deployments from a group without deleting them')
    .action(
      command(setting, async (invocation, options: MembersCommand, id: string) => {
        const members = membersOf(options);
        if (Object.keys(members).length === 0) {
          throw new UsageError('Say which deployments: --deployment-id, --filter-id or --from-group');
        }
        const client = await invocation.client();
        const group = await client.deploymentGroups.remove(id, members);
        invocation.output.done(counted(group), group);
      }),
    );
}

interface DeleteCommand {
  deleteDeployments?: boolean;
  force?: boolean;
  recursive?: boolean;
  withLogs?: boolean;
}

/** `gantry deployments groups ...` @param deployments the command that they belong to */
export function addDeploymentGroupCommands(deployments: Command, setting: CommandSetting): void {
  const groups = deployments.command('groups').description('manage groups of deployments');
  addPutting(groups, setting);
  addMembership(groups, setting);
  addGroupUpdate(groups, setting);
  withListOptions(groups.command('list'), {
    path: '/deployment-groups',
    things: 'groups of deployments',
    isSearchable: false,
  })
    .description('list groups')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.deploymentGroups.list(listOptions(options));
        invocation.output.list(page.items, groupColumns, page.metadata.pagination.total);
      }),
    );
  groups
    .command('get')
    .argument('<id>')
    .description('show a group with its deployments')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.deploymentGroups.get(id), [
          ...groupColumns.filter(({ title }) => title !== 'deployments'),
          { title: 'default inputs', value: (item) => item.default_inputs },
          { title: 'labels', value: labelText },
          { title: 'deployments', value: (item) => item.deployment_ids.join(', ') },
        ]);
      }),
    );
  groups
    .command('delete')
    .argument('<id>')
    .option('--delete-deployments', 'also delete its deployments, if all of them may be deleted')
    .option('-f, --force', 'even if deployments have live nodes or dependents')
    .option('-r, --recursive', 'also delete their services and environments')
    .option('--with-logs', 'for compatibility: events and log lines of a deployment go with it in any case')
    .description('delete a group; its deployments stay')
    .action(
      command(setting, async (invocation, options: DeleteCommand, id: string) => {
        const client = await invocation.client();
        const { executionGroupId } = await client.deploymentGroups.delete(id, {
          withDeployments: options.deleteDeployments === true,
          force: options.force === true,
          recursive: options.recursive === true,
          withLogs: options.withLogs === true,
        });
        const more =
          executionGroupId === undefined ? '' : `; execution group ${executionGroupId} deletes its deployments`;
        invocation.output.done(`Group ${id} deleted${more}`, {
          deleted: id,
          execution_group_id: executionGroupId ?? null,
        });
      }),
    );
}
