import { copyFile } from 'node:fs/promises';
import { Option } from 'commander';
import { packBlueprint } from '../../client/archive.ts';
import type { Command } from '../command-tree.ts';
import type { BlueprintShape } from '../../client/types.ts';
import { UsageError } from '../errors.ts';
import { parseLabels } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { blueprintIdOf, uploadBlueprint } from '../upload.ts';
import { addBlueprintTools } from './blueprint-tools.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const blueprintColumns: readonly Column<BlueprintShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'state', value: (item) => colourStatus(item.state) },
  { title: 'main file', value: (item) => item.main_file_name },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'visibility', value: (item) => item.visibility },
  { title: 'tenant', value: (item) => item.tenant_name },
  { title: 'created by', value: (item) => item.created_by },
  { title: 'description', value: (item) => item.description?.split('\n')[0] },
];

interface UploadCommand {
  blueprintId?: string;
  main?: string;
  visibility?: 'private' | 'tenant' | 'global';
  label?: readonly string[];
}

/** The choice of who may see a new resource. */
export function visibilityOption(): Option {
  return new Option('--visibility <level>', 'who may see it').choices(['private', 'tenant', 'global']);
}

function addUpload(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('upload')
    .argument('<path>', 'a YAML file, a folder, an archive, or the URL of an archive')
    .option('-b, --blueprint-id <id>', 'default: the name of the folder or file')
    .option('-n, --main <file>', 'main YAML file inside the folder or archive')
    .option('-l, --label <labels>', 'key:value, repeatable', collect)
    .addOption(visibilityOption())
    .description('upload a blueprint and wait until it is parsed')
    .example('gantry blueprints upload blueprints/hello-world/blueprint.yaml -b hello')
    .action(
      command(setting, async (invocation, options: UploadCommand, path: string) => {
        const client = await invocation.client();
        const id = options.blueprintId ?? blueprintIdOf(path);
        const blueprint = await uploadBlueprint(invocation, client, path, id, {
          ...(options.main === undefined ? {} : { mainFile: options.main }),
          ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
          ...(options.label === undefined ? {} : { labels: parseLabels(options.label) }),
        });
        invocation.output.done(`Blueprint ${id} uploaded`, blueprint);
      }),
    );
}

function addReading(blueprints: Command, setting: CommandSetting): void {
  withListOptions(blueprints.command('list'), { path: '/blueprints', things: 'blueprints', hasRules: true })
    .description('list blueprints')
    .example(
      'gantry blueprints list',
      'gantry blueprints list --label team:web --sort created_at --descending --size 20',
    )
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.blueprints.list(listOptions(options));
        invocation.output.list(page.items, blueprintColumns, page.metadata.pagination.total);
      }),
    );

  blueprints
    .command('get')
    .argument('<id>')
    .description('show one blueprint')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        const blueprint = await client.blueprints.get(id);
        invocation.output.item(blueprint, [
          ...blueprintColumns,
          { title: 'labels', value: (item) => item.labels.map(({ key, value }) => `${key}:${value}`).join(', ') },
          { title: 'error', value: (item) => item.error },
        ]);
      }),
    );

  blueprints
    .command('inputs')
    .argument('<id>')
    .description('show the inputs that deployments of a blueprint take')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        const { plan } = await client.blueprints.get(id, ['id', 'plan']);
        const inputs = Object.entries((plan?.['inputs'] ?? {}) as Record<string, Record<string, unknown>>).map(
          ([name, declaration]): Record<string, unknown> => ({ name, ...declaration }),
        );
        invocation.output.list(
          inputs,
          ['name', 'type', 'default', 'required', 'description'].map((field) => ({
            title: field,
            value: (row) => row[field],
          })),
        );
      }),
    );

  blueprints
    .command('download')
    .argument('<id>')
    .option('-o, --output <file>', 'default: the id with the ending of the archive')
    .description('download the archive of a blueprint')
    .action(
      command(setting, async (invocation, options: { output?: string }, id: string) => {
        const client = await invocation.client();
        const file = options.output ?? `${id}.tar.gz`;
        await client.blueprints.download(id, file);
        invocation.output.done(`Blueprint ${id} saved as ${file}`, { id, file });
      }),
    );
}

function addPackage(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('package')
    .argument('<path>', 'a YAML file or a folder')
    .option('-n, --main <file>', 'main YAML file inside the folder')
    .option('-o, --output <file>', 'default: the name of the folder or file with the ending .tar.gz')
    .description('pack a blueprint into the archive that upload would send')
    .example('gantry blueprints package blueprints/hello-world -o hello.tar.gz')
    .action(
      command(setting, async (invocation, options: { main?: string; output?: string }, path: string) => {
        const file = options.output ?? `${blueprintIdOf(path)}.tar.gz`;
        const archive = await packBlueprint(path, options.main).catch((error: unknown) => {
          throw new UsageError(error instanceof Error ? error.message : String(error));
        });
        await copyFile(archive.path, file).finally(() => archive.dispose());
        invocation.output.done(`Packed as ${file}`, { file, main_file: archive.mainFile ?? null });
      }),
    );
}

function addSetIcon(blueprints: Command, setting: CommandSetting): void {
  blueprints
    .command('set-icon')
    .argument('<id>')
    .option('-i, --icon <file>', 'PNG file; without one the icon is removed')
    .description('set or remove the icon of a blueprint')
    .example('gantry blueprints set-icon hello-world --icon icon.png')
    .action(
      command(setting, async (invocation, options: { icon?: string }, id: string) => {
        const client = await invocation.client();
        const blueprint = await client.blueprints.setIcon(id, options.icon);
        invocation.output.done(`Picture of ${id} ${options.icon === undefined ? 'removed' : 'set'}`, blueprint);
      }),
    );
}

/** `gantry blueprints ...` */
export function addBlueprintCommands(program: Command, setting: CommandSetting): void {
  const blueprints = program
    .command('blueprints')
    .alias('blueprint')
    .description('upload, check and manage blueprints');
  addUpload(blueprints, setting);
  addReading(blueprints, setting);
  addBlueprintTools(blueprints, setting);
  addPackage(blueprints, setting);
  addSetIcon(blueprints, setting);
  blueprints
    .command('delete')
    .argument('<id>')
    .option('-f, --force', 'even if other blueprints import it')
    .description('delete a blueprint that has no deployments')
    .action(
      command(setting, async (invocation, options: { force?: boolean }, id: string) => {
        const client = await invocation.client();
        await client.blueprints.delete(id, { force: options.force === true });
        invocation.output.done(`Blueprint ${id} deleted`, { deleted: id });
      }),
    );
}
