import { stat } from 'node:fs/promises';
import type { Command } from '../command-tree.ts';
import type { GantryClient } from '../../client/client.ts';
import type { DeploymentUpdateShape, UpdateStepShape } from '../../client/types.ts';
import { colors } from '../colors.ts';
import { FailedOutcome, UsageError } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { blueprintIdOf, uploadBlueprint } from '../upload.ts';
import { watchExecution } from '../watch.ts';
import { choicesOf, withUpdateChoices } from '../update-choices.ts';
import type { UpdateChoices } from '../update-choices.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const updateColumns: readonly Column<DeploymentUpdateShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'deployment', value: (item) => item.deployment_id },
  { title: 'state', value: (item) => colourStatus(item.state) },
  { title: 'from', value: (item) => item.old_blueprint_id },
  { title: 'to', value: (item) => item.new_blueprint_id },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'execution', value: (item) => item.execution_id },
];

const signs = { add: colors.green('+'), remove: colors.red('-'), modify: colors.yellow('~') } as const;

const stepColumns: readonly Column<UpdateStepShape>[] = [
  { title: '', value: ({ action }) => signs[action] },
  { title: 'action', value: ({ action }) => action },
  { title: 'what', value: ({ entity_type: type }) => type },
  { title: 'where', value: ({ entity_id: path }) => whereOf(path) },
];

/** The path of a step without its section, e.g. `web.properties.port`. */
function whereOf(path: readonly string[]): string {
  return (path.length > 1 ? path.slice(1) : path).join('.');
}

interface UpdateCommand extends UpdateChoices {
  blueprintId?: string;
  main?: string;
  input?: readonly string[];
  preview?: boolean;
}

/** Id of the blueprint to go to: the one named, or that of the file, folder or archive, which is uploaded. */
async function blueprintOf(
  invocation: Invocation,
  client: GantryClient,
  given: string | undefined,
  options: UpdateCommand,
): Promise<string | undefined> {
  if (given === undefined) {
    return options.blueprintId;
  }
  const isPath =
    /^https?:\/\//.test(given) ||
    (await stat(given).then(
      () => true,
      () => false,
    ));
  if (!isPath) {
    if (options.blueprintId !== undefined) {
      throw new UsageError(`There is no file or folder ${given}`, 'With --blueprint-id, name what is to be uploaded');
    }
    return given;
  }
  const time = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
  const id = options.blueprintId ?? `${blueprintIdOf(given)}-${time}`;
  invocation.output.note(`Uploading blueprint ${id}`);
  await uploadBlueprint(invocation, client, given, id, options.main === undefined ? {} : { mainFile: options.main });
  return id;
}

/** How many instances a list of an update changes itself. */
function countOf(update: DeploymentUpdateShape, kind: 'added' | 'removed' | 'extended' | 'reduced'): number {
  const list = update.deployment_update_node_instances?.[`${kind}_and_related`] ?? [];
  return list.filter(({ modification }) => modification === kind).length;
}

function showPreview({ output }: Invocation, update: DeploymentUpdateShape): void {
  const { old_blueprint_id: from, new_blueprint_id: to, steps } = update;
  const blueprints = from === to ? `blueprint ${to ?? ''}` : `${from ?? ''} -> ${to ?? ''}`;
  output.line(`Update of ${update.deployment_id} (${blueprints}); nothing has been changed yet`);
  if (steps.length > 0) {
    output.list(steps, stepColumns);
  } else {
    output.line('The blueprint and the inputs change nothing.');
  }
  const numbers = [
    `${countOf(update, 'added')} to install`,
    `${countOf(update, 'removed')} to uninstall`,
    `${countOf(update, 'extended') + countOf(update, 'reduced')} with other relationships`,
  ];
  output.line(`Node instances: ${numbers.join(', ')}`);
  const inputs = changedInputs(update);
  if (inputs.length > 0) {
    output.list(inputs, [
      { title: 'input', value: ({ name }) => name },
      { title: 'now', value: ({ before }) => before },
      { title: 'then', value: ({ after }) => after },
    ]);
  }
  showOutlook(output, update);
}

function changedInputs({ old_inputs: before, new_inputs: after }: DeploymentUpdateShape): {
  name: string;
  before: unknown;
  after: unknown;
}[] {
  return Object.entries(after ?? {})
    .map(([name, value]) => ({ name, before: before?.[name], after: value }))
    .filter((input) => JSON.stringify(input.before) !== JSON.stringify(input.after));
}

function showOutlook(output: Invocation['output'], update: DeploymentUpdateShape): void {
  const facts: [string, string[]][] = [
    ['New labels', (update.labels_to_create ?? []).map(({ key, value }) => `${key}:${value}`)],
    ['New schedules', (update.schedules_to_create ?? []).map(({ id }) => id)],
    ['Deployments that depend on it', (update.recursive_dependencies ?? []).map(({ deployment }) => deployment)],
  ];
  for (const [title, names] of facts) {
    if (names.length > 0) {
      output.line(`${title}: ${[...new Set(names)].join(', ')}`);
    }
  }
}

/** The plan of the whole deployment is of no use on a screen, nor to most programs. */
function withoutPlan(update: DeploymentUpdateShape): object {
  return Object.fromEntries(Object.entries(update).filter(([name]) => name !== 'deployment_plan'));
}

async function preview(invocation: Invocation, client: GantryClient, update: DeploymentUpdateShape): Promise<void> {
  const { output } = invocation;
  if (update.state !== 'preview') {
    const execution = update.execution_id === null ? undefined : await client.executions.get(update.execution_id);
    throw new FailedOutcome(
      `The update cannot be planned: ${execution?.error ?? `its execution is ${execution?.status ?? 'gone'}`}`,
    );
  }
  if (output.format === 'table') {
    showPreview(invocation, update);
  } else {
    output.data(withoutPlan(update));
  }
}

function addUpdate(deployments: Command, setting: CommandSetting): void {
  withUpdateChoices(deployments.command('update'))
    .argument('<id>')
    .argument('[blueprint]', 'id of a blueprint, or a YAML file, folder, archive or URL to upload; default: as it is')
    .option(
      '-b, --blueprint-id <id>',
      'blueprint to go to; with a file: the id it gets (default: its name and the time)',
    )
    .option('-n, --main <file>', 'main YAML file of what is uploaded')
    .option('-i, --input <input>', 'name=value, {mapping} or file; repeatable; others stay', collect)
    .option('--preview', 'only show what would change')
    .description('update a deployment to another blueprint or other inputs')
    .example('gantry deployments update web blueprints/web --preview', 'gantry deployments update web -i port=8082')
    .action(
      command(setting, async (invocation, options: UpdateCommand, id: string, blueprint?: string) => {
        const client = await invocation.client();
        const inputs = await parseInputs(options.input ?? []);
        const blueprintId = await blueprintOf(invocation, client, blueprint, options);
        const update = await client.deploymentUpdates.start(id, {
          ...choicesOf(options),
          isPreview: options.preview === true,
          inputs,
          ...(blueprintId === undefined ? {} : { blueprintId }),
        });
        if (options.preview === true) {
          await preview(invocation, client, update);
          return;
        }
        if (update.execution_id !== null) {
          await watchExecution(invocation, client, { id: update.execution_id }, { title: `update ${id}` });
        }
        const ended = await client.deploymentUpdates.get(update.id);
        invocation.output.done(
          `Deployment ${id} updated; see: gantry deployments get-update ${ended.id}`,
          withoutPlan(ended),
        );
      }),
    );
}

function addHistory(deployments: Command, setting: CommandSetting): void {
  withListOptions(deployments.command('history'), { path: '/deployment-updates', things: 'updates of deployments' })
    .argument('[id]', 'only updates of this deployment')
    .description('list updates of deployments')
    .action(
      command(setting, async (invocation, options: ListCommandOptions, id?: string) => {
        const client = await invocation.client();
        const page = await client.deploymentUpdates.list({
          ...listOptions(options, { deployment_id: id }),
          include: updateMembers,
        });
        invocation.output.list(page.items, updateColumns, page.metadata.pagination.total);
      }),
    );

  deployments
    .command('get-update')
    .argument('<update>')
    .description('show one update with its steps')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        const update = await client.deploymentUpdates.get(id);
        if (invocation.output.format !== 'table') {
          invocation.output.data(withoutPlan(update));
          return;
        }
        invocation.output.item(update, updateColumns);
        if (update.steps.length > 0) {
          invocation.output.list(update.steps, stepColumns);
        }
      }),
    );
}

const updateMembers = [
  'id',
  'deployment_id',
  'state',
  'old_blueprint_id',
  'new_blueprint_id',
  'created_at',
  'created_by',
  'execution_id',
  'tenant_name',
  'visibility',
];

/** `gantry deployments update`, `history` and `get-update`. */
export function addUpdateCommands(deployments: Command, setting: CommandSetting): void {
  addUpdate(deployments, setting);
  addHistory(deployments, setting);
}
