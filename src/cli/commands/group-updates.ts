import { updateOrder } from '../../client/resources/deployment-updates.ts';
import type { Command } from '../command-tree.ts';
import { UsageError } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { choicesOf, withUpdateChoices } from '../update-choices.ts';
import type { UpdateChoices } from '../update-choices.ts';
import { describeGroup, watchGroup } from './execution-groups.ts';
import { wholeNumber } from './listing.ts';

/** Compatibility: the workflow of Cloudify 7 that starts an update of its deployment. */
const updateWorkflow = 'csys_update_deployment';

interface GroupUpdateCommand extends UpdateChoices {
  blueprintId?: string;
  input?: readonly string[];
  concurrency?: number;
  follow?: boolean;
}

/** `gantry deployments groups update-deployments` */
export function addGroupUpdate(groups: Command, setting: CommandSetting): void {
  withUpdateChoices(groups.command('update-deployments').argument('<id>'))
    .option('-b, --blueprint-id <id>', 'the new blueprint')
    .option('-i, --input <input>', 'name=value, {mapping} or file; repeatable; others stay', collect)
    .option('--concurrency <n>', 'updates that may run at once; default 5', wholeNumber)
    .option('--follow', 'follow the updates until all have ended')
    .description('update all deployments of a group to another blueprint or other inputs')
    .example('gantry deployments groups update-deployments fleet -b web-2 --concurrency 20 --follow')
    .action(
      command(setting, async (invocation, options: GroupUpdateCommand, id: string) => {
        const { blueprintId, input, concurrency } = options;
        if (blueprintId === undefined && input === undefined && options.reinstall === undefined) {
          throw new UsageError('Say what to update: --blueprint-id ID, --input NAME=VALUE or --reinstall INSTANCE');
        }
        const client = await invocation.client();
        const order = updateOrder({
          ...choicesOf(options),
          inputs: await parseInputs(input ?? []),
          ...(blueprintId === undefined ? {} : { blueprintId }),
        });
        const group = await client.executionGroups.start(id, updateWorkflow, {
          parameters: order,
          force: options.force === true,
          ...(concurrency === undefined ? {} : { concurrency }),
        });
        if (options.follow === true) {
          await watchGroup(invocation, client, group);
          return;
        }
        invocation.output.done(describeGroup(group), group);
      }),
    );
}
