import type { Command } from '../command-tree.ts';
import type { GantryClient } from '../../client/client.ts';
import { followGroup } from '../../client/follow-group.ts';
import type { ExecutionGroupShape } from '../../client/types.ts';
import { FailedOutcome, StoppedFollowing } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { formatEvent } from '../progress.ts';
import { listOptions, wholeNumber, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const groupColumns: readonly Column<ExecutionGroupShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'workflow', value: (item) => item.workflow_id },
  { title: 'deployment group', value: (item) => item.deployment_group_id },
  { title: 'status', value: (item) => colourStatus(item.status ?? '') },
  { title: 'executions', value: (item) => item.execution_ids?.length },
  { title: 'at once', value: (item) => item.concurrency },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'created by', value: (item) => item.created_by },
];

/** One sentence about an execution group. */
export function describeGroup({ id, workflow_id: workflow, status }: ExecutionGroupShape): string {
  return `Execution group ${id} of ${workflow} is ${status ?? 'empty'}`;
}

/** Shows what becomes of the executions until all have ended. @throws FailedOutcome when one failed */
export async function watchGroup(
  invocation: Invocation,
  client: GantryClient,
  group: Pick<ExecutionGroupShape, 'id'>,
): Promise<void> {
  const { output, signal } = invocation;
  const isShown = output.format === 'table' && invocation.options.quiet !== true;
  const ended = await followGroup(client, group.id, {
    signal,
    onUnreachable: (error) => output.note(`${error.message}; waiting for it to come back`),
    ...(isShown ? { onEvent: (event) => output.line(formatEvent(event, { withCauses: false })) } : {}),
  }).catch((error: unknown) => {
    throw signal.aborted
      ? new StoppedFollowing(
          `Execution group ${group.id} continues on the manager`,
          `Follow it again: gantry executions groups follow ${group.id}`,
          `Cancel it: gantry executions groups cancel ${group.id}`,
        )
      : error;
  });
  if (ended.status === 'failed') {
    throw new FailedOutcome(
      `Execution group ${ended.id} of ${ended.workflow_id} failed`,
      `See which: gantry executions list --execution-group ${ended.id} --status failed`,
      `Go on where they stopped: gantry executions groups resume ${ended.id}`,
    );
  }
  output.done(describeGroup(ended), ended);
}

interface StartCommand {
  deploymentGroup: string;
  parameter?: readonly string[];
  force?: boolean;
  concurrency?: number;
  follow?: boolean;
}

function addStart(groups: Command, setting: CommandSetting): void {
  groups
    .command('start')
    .argument('<workflow>', 'e.g. install, uninstall')
    .requiredOption('-g, --deployment-group <id>', 'group of deployments to run it on')
    .option('-p, --parameter <parameter>', 'name=value, {mapping} or file; repeatable', collect)
    .option('--concurrency <n>', 'executions that may run at once; default 5, 0 = none for now', wholeNumber)
    .option('--force', 'even if other executions of the deployments are running')
    .option('-f, --follow', 'follow the executions until all have ended')
    .description('run a workflow on every deployment of a group')
    .example('gantry executions groups start install -g fleet --concurrency 20 --follow')
    .action(
      command(setting, async (invocation, options: StartCommand, workflow: string) => {
        const client = await invocation.client();
        const group = await client.executionGroups.start(options.deploymentGroup, workflow, {
          parameters: await parseInputs(options.parameter ?? []),
          force: options.force === true,
          ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
        });
        if (options.follow === true) {
          await watchGroup(invocation, client, group);
          return;
        }
        invocation.output.done(describeGroup(group), group);
      }),
    );
}

function addReading(groups: Command, setting: CommandSetting): void {
  withListOptions(groups.command('list'), {
    path: '/execution-groups',
    things: 'execution groups',
    isSearchable: false,
  })
    .option('-g, --deployment-group <id>', 'only of this group of deployments')
    .description('list execution groups, newest first')
    .action(
      command(setting, async (invocation, options: ListCommandOptions & { deploymentGroup?: string }) => {
        const client = await invocation.client();
        const filters = { deployment_group_id: options.deploymentGroup, _get_data: true };
        const page = await client.executionGroups.list({ sort: ['-created_at'], ...listOptions(options, filters) });
        invocation.output.list(page.items, groupColumns, page.metadata.pagination.total);
      }),
    );
  groups
    .command('get')
    .argument('<id>')
    .description('show an execution group')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.executionGroups.get(id), groupColumns);
      }),
    );
  groups
    .command('follow')
    .argument('<id>')
    .description('follow the executions until all have ended')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        await watchGroup(invocation, await invocation.client(), { id });
      }),
    );
}

function addActions(groups: Command, setting: CommandSetting): void {
  groups
    .command('cancel')
    .argument('<id>')
    .option('-f, --force', 'do not let the workflows finish what they are doing')
    .option('-k, --kill', 'also kill running operations')
    .description('cancel the executions of a group that have not ended')
    .action(
      command(setting, async (invocation, options: { force?: boolean; kill?: boolean }, id: string) => {
        const client = await invocation.client();
        const action = options.kill === true ? 'kill' : options.force === true ? 'force-cancel' : 'cancel';
        const group = await client.executionGroups.act(id, action);
        invocation.output.done(describeGroup(group), group);
      }),
    );
  groups
    .command('resume')
    .argument('<id>')
    .option('-f, --force', 'also run operations again that had been started')
    .description('resume the failed and cancelled executions of a group')
    .action(
      command(setting, async (invocation, options: { force?: boolean }, id: string) => {
        const client = await invocation.client();
        const group = await client.executionGroups.act(id, options.force === true ? 'force-resume' : 'resume');
        invocation.output.done(describeGroup(group), group);
      }),
    );
}

function addChanges(groups: Command, setting: CommandSetting): void {
  groups
    .command('set-concurrency')
    .argument('<id>')
    .argument('<n>', 'executions that may run at once; 0 = start no more', wholeNumber)
    .description('change how many executions of a group run at once')
    .action(
      command(setting, async (invocation, _options, id: string, concurrency: unknown) => {
        const client = await invocation.client();
        const group = await client.executionGroups.update(id, { concurrency: Number(concurrency) });
        invocation.output.done(`Execution group ${id} runs ${group.concurrency} at once`, group);
      }),
    );
  for (const [name, member, what] of [
    ['set-success-group', 'successGroupId', 'succeeded'],
    ['set-failure-group', 'failureGroupId', 'failed'],
  ] as const) {
    groups
      .command(name)
      .argument('<id>')
      .argument('<deployment-group>')
      .description(`collect the deployments on which the workflow ${what} in a group`)
      .action(
        command(setting, async (invocation, _options, id: string, target: string) => {
          const client = await invocation.client();
          const group = await client.executionGroups.update(id, { [member]: target });
          invocation.output.done(`Deployments on which execution group ${id} ${what} join ${target}`, group);
        }),
      );
  }
}

/** `gantry executions groups ...` @param executions the command that they belong to */
export function addExecutionGroupCommands(executions: Command, setting: CommandSetting): void {
  const groups = executions.command('groups').description('run workflows on groups of deployments');
  addStart(groups, setting);
  addReading(groups, setting);
  addActions(groups, setting);
  addChanges(groups, setting);
}
