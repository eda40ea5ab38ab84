import type { Command } from 'commander';
import type { PluginsUpdateOptions } from '../../client/resources/plugins.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { watchExecution } from '../watch.ts';

interface UpdateCommand {
  readonly plugin?: readonly string[];
  readonly minor?: boolean;
  readonly latest?: readonly string[];
  readonly onlyMinor?: readonly string[];
  readonly force?: boolean;
  readonly everywhere?: boolean;
}

function choicesOf(options: UpdateCommand): PluginsUpdateOptions {
  return {
    plugins: options.plugin ?? [],
    isMinor: options.minor === true,
    toLatest: options.latest ?? [],
    toMinor: options.onlyMinor ?? [],
    isForced: options.force === true,
    isAllTenants: options.everywhere === true,
  };
}

/** `gantry plugins update`: the other commands on updates of plugins are in a table. */
export function addPluginUpdateCommand(plugins: Command, setting: CommandSetting): void {
  plugins
    .command('update')
    .argument('<blueprint>', 'id of the blueprint whose deployments get newer plugins')
    .option('-p, --plugin <name>', 'only this plugin; repeatable', collect)
    .option('--minor', 'stay within the major versions in use')
    .option('--latest <name>', 'with --minor: this plugin goes to the newest version; repeatable', collect)
    .option('--only-minor <name>', 'this plugin stays within its major version; repeatable', collect)
    .option('-f, --force', 'even if other deployments depend on them')
    .option('--everywhere', 'deployments of other tenants, too')
    .description('update the deployments of a blueprint to newer plugins')
    .action(
      command(setting, async (invocation, options: UpdateCommand, id: string) => {
        const client = await invocation.client();
        const update = await client.plugins.update(id, choicesOf(options));
        if (update.state === 'no_changes_required' || update.execution_id === null) {
          invocation.output.done(`Blueprint ${id} has the newest plugins it may have`, update);
          return;
        }
        await watchExecution(invocation, client, { id: update.execution_id }, { title: `update plugins of ${id}` });
        const ended = await client.plugins.getUpdate(update.id);
        invocation.output.done(`Plugins of blueprint ${id} and its deployments updated`, ended);
      }),
    );
}
