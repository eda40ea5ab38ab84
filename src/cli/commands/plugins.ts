import type { Command } from '../command-tree.ts';
import type { PluginShape } from '../../client/types.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { makeTransferBar } from '../progress.ts';
import { visibilityOption } from './blueprints.ts';
import { addPluginUpdateCommand } from './plugin-updates.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const pluginColumns: readonly Column<PluginShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'package', value: (item) => item.package_name },
  { title: 'version', value: (item) => item.package_version },
  { title: 'platform', value: (item) => item.supported_platform },
  { title: 'distribution', value: (item) => item.distribution },
  { title: 'uploaded', value: (item) => shortTime(item.uploaded_at) },
  { title: 'visibility', value: (item) => item.visibility },
];

/** `gantry plugins ...` */
export function addPluginCommands(program: Command, setting: CommandSetting): void {
  const plugins = program.command('plugins').alias('plugin').description('manage plugins that run operations');
  plugins
    .command('upload')
    .argument('<file>', 'a wagon, or a zip with a plugin archive and its plugin.yaml')
    .option('--title <text>', 'display name')
    .addOption(visibilityOption())
    .description('upload a plugin')
    .example('gantry plugins upload tools.zip --title Tools')
    .action(
      command(setting, async (invocation, options: { title?: string; visibility?: string }, file: string) => {
        const client = await invocation.client();
        const bar = makeTransferBar(invocation.terminal, `Uploading ${file}`);
        const plugin = await client.plugins
          .upload(file, { ...options, onProgress: (sent, total) => bar.update(sent, total) })
          .finally(() => bar.stop());
        invocation.output.done(`Plugin ${plugin.package_name} uploaded as ${plugin.id}`, plugin);
      }),
    );
  withListOptions(plugins.command('list'), { path: '/plugins', things: 'plugins' })
    .description('list plugins')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.plugins.list(listOptions(options));
        invocation.output.list(page.items, pluginColumns, page.metadata.pagination.total);
      }),
    );
  plugins
    .command('get')
    .argument('<id>')
    .description('show one plugin')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.plugins.get(id), pluginColumns);
      }),
    );
  plugins
    .command('delete')
    .argument('<id>')
    .option('-f, --force', 'even if deployments use it')
    .description('delete a plugin')
    .action(
      command(setting, async (invocation, options: { force?: boolean }, id: string) => {
        const client = await invocation.client();
        await client.plugins.delete(id, options);
        invocation.output.done(`Plugin ${id} deleted`, { deleted: id });
      }),
    );
  addPluginUpdateCommand(plugins, setting);
}
