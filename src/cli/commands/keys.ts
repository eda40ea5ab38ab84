import type { Command } from '../command-tree.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import type { ManagerControl } from '../manager-control.ts';
import { configOf, loggerOf, withServerOptions } from './up.ts';
import type { ServerOptions } from './up.ts';

/** `gantry keys`: the keys that encrypt secrets and broker passwords. Run where the key file and the database are. */
export function addKeyCommands(program: Command, setting: CommandSetting, control: ManagerControl): void {
  const keys = program.command('keys').description('the keys that encrypt secrets, on the machine of the manager');
  withServerOptions(keys.command('list'))
    .description('show the keys of the key file, and how much is encrypted with each')
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const config = configOf(setting, options, 'warn');
        const found = await control.keys(config, loggerOf(config), (rotation) => rotation.list());
        invocation.output.list(found, [
          { title: 'id', value: ({ id }) => id },
          { title: 'current', value: ({ isCurrent }) => (isCurrent ? 'yes' : '') },
          { title: 'values', value: ({ uses }) => uses },
        ]);
      }),
    );
  withServerOptions(keys.command('rotate'))
    .description('make a new key and encrypt everything with it; the manager may run meanwhile')
    .addHelpText(
      'after',
      '\nThe old key stays in the file, for backups. Remove it with: gantry keys prune' +
        '\nA PostgreSQL of its own below --data is opened by one program at a time: stop gantry up before.',
    )
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const config = configOf(setting, options, 'warn');
        const { id, rewritten } = await control.keys(config, loggerOf(config), (rotation) => rotation.rotate());
        invocation.output.done(`Key ${id} is the current one; ${rewritten} values were encrypted with it`, {
          id,
          rewritten,
        });
      }),
    );
  withServerOptions(keys.command('prune'))
    .description('remove old keys that nothing is encrypted with; backups from before can no longer be read')
    .action(
      command(setting, async (invocation, options: ServerOptions) => {
        const config = configOf(setting, options, 'warn');
        const removed = await control.keys(config, loggerOf(config), (rotation) => rotation.prune());
        const sentence = removed.length > 0 ? `Removed: ${removed.join(', ')}` : 'Every key is in use';
        invocation.output.done(sentence, { removed });
      }),
    );
}
