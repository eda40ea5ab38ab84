import { readFile } from 'node:fs/promises';
import type { Command } from '../command-tree.ts';
import type { SecretShape } from '../../client/types.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { visibilityOption } from './blueprints.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const secretColumns: readonly Column<SecretShape>[] = [
  { title: 'key', value: (item) => item.key },
  { title: 'hidden', value: (item) => item.is_hidden_value },
  { title: 'visibility', value: (item) => item.visibility },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'tenant', value: (item) => item.tenant_name },
  { title: 'created by', value: (item) => item.created_by },
];

interface CreateCommand {
  value?: string;
  file?: string;
  update?: boolean;
  hidden?: boolean;
  visibility?: string;
}

async function secretValue(setting: CommandSetting, options: CreateCommand): Promise<string> {
  if (options.value !== undefined) {
    return options.value;
  }
  if (options.file === '-') {
    return setting.terminal.readInput();
  }
  return options.file === undefined ? setting.terminal.askSecret('Value: ') : readFile(options.file, 'utf8');
}

/** `gantry secrets ...` */
export function addSecretCommands(program: Command, setting: CommandSetting): void {
  const secrets = program.command('secrets').alias('secret').description('manage encrypted values for blueprints');
  secrets
    .command('create')
    .argument('<key>')
    .option('--file <file>', 'file with the value; - for standard input')
    .option('--value <text>', 'the value; other people on this machine may see it in the list of processes')
    .option('--update', 'replace the value when the key exists')
    .option('--hidden', 'show the value to its creator and administrators only')
    .addOption(visibilityOption())
    .description('store a secret; asks for the value when none is given')
    .example('gantry secrets create ssh_key --file ~/.ssh/id_ed25519')
    .action(
      command(setting, async (invocation, options: CreateCommand, key: string) => {
        const client = await invocation.client();
        const secret = await client.secrets.create(key, await secretValue(setting, options), {
          updateIfExists: options.update === true,
          isHidden: options.hidden === true,
          ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
        });
        invocation.output.done(`Secret ${key} stored`, { ...secret, value: undefined });
      }),
    );
  withListOptions(secrets.command('list'), { path: '/secrets', things: 'secrets' })
    .description('list secrets without their values')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.secrets.list(listOptions(options));
        invocation.output.list(page.items, secretColumns, page.metadata.pagination.total);
      }),
    );
  secrets
    .command('get')
    .argument('<key>')
    .description('show a secret with its value')
    .action(
      command(setting, async (invocation, _options, key: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.secrets.get(key), [
          ...secretColumns,
          { title: 'value', value: (item) => item.value },
        ]);
      }),
    );
  secrets
    .command('update')
    .argument('<key>')
    .option('--file <file>', 'file with the value; - for standard input')
    .option('--value <text>', 'the value')
    .description('replace the value of a secret')
    .action(
      command(setting, async (invocation, options: CreateCommand, key: string) => {
        const client = await invocation.client();
        await client.secrets.update(key, await secretValue(setting, options));
        invocation.output.done(`Secret ${key} updated`, { updated: key });
      }),
    );
  secrets
    .command('delete')
    .argument('<key>')
    .description('delete a secret')
    .action(
      command(setting, async (invocation, _options, key: string) => {
        const client = await invocation.client();
        await client.secrets.delete(key);
        invocation.output.done(`Secret ${key} deleted`, { deleted: key });
      }),
    );
}
