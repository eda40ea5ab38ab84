import type { Command } from '../command-tree.ts';
import type { GantryClient } from '../../client/client.ts';
import type { DeploymentShape } from '../../client/types.ts';
import { parseInputs, parseLabels } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { colourStatus, shortTime } from '../output.ts';
import type { Column } from '../output.ts';
import { watchExecution } from '../watch.ts';
import { visibilityOption } from './blueprints.ts';
import { addDeploymentGroupCommands } from './deployment-groups.ts';
import { addUpdateCommands } from './deployment-updates.ts';
import { listOptions, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';

const deploymentColumns: readonly Column<DeploymentShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'blueprint', value: (item) => item.blueprint_id },
  { title: 'installation', value: (item) => colourStatus(item.installation_status ?? '') },
  { title: 'status', value: (item) => colourStatus(item.deployment_status ?? '') },
  { title: 'latest execution', value: (item) => colourStatus(item.latest_execution_status ?? '') },
  { title: 'created', value: (item) => shortTime(item.created_at) },
  { title: 'tenant', value: (item) => item.tenant_name },
  { title: 'created by', value: (item) => item.created_by },
];

interface CreateCommand {
  blueprintId: string;
  input?: readonly string[];
  label?: readonly string[];
  displayName?: string;
  visibility?: 'private' | 'tenant' | 'global';
  site?: string;
  skipPluginsValidation?: boolean;
}

interface DeleteCommand {
  force?: boolean;
  recursive?: boolean;
  withLogs?: boolean;
  wait: boolean;
}

/** Finds the execution that deletes a deployment and follows it to its end. */
export async function watchDeletion(invocation: Invocation, client: GantryClient, id: string): Promise<void> {
  const page = await client.executions.list({
    filters: { deployment_id: id, workflow_id: 'delete_deployment_environment' },
    sort: ['-created_at'],
    size: 1,
  });
  const [execution] = page.items;
  if (execution) {
    await watchExecution(invocation, client, execution, { title: `Deleting ${id}`, endsInDeletion: true });
  }
}

function addCreate(deployments: Command, setting: CommandSetting): void {
  deployments
    .command('create')
    .argument('<id>')
    .requiredOption('-b, --blueprint-id <id>', 'blueprint to deploy')
    .option('-i, --input <input>', 'name=value, {mapping} or file; repeatable', collect)
    .option('-l, --label <labels>', 'key:value, repeatable', collect)
    .option('--display-name <name>', 'display name')
    .option('--site <name>', 'site of the deployment')
    .option('--skip-plugins-validation', 'do not check that its plugins are on the manager')
    .addOption(visibilityOption())
    .description('create a deployment of a blueprint')
    .example('gantry deployments create web -b hello -i port=8081')
    .action(
      command(setting, async (invocation, options: CreateCommand, id: string) => {
        const client = await invocation.client();
        const deployment = await client.deployments.create(id, options.blueprintId, {
          inputs: await parseInputs(options.input ?? []),
          ...(options.label === undefined ? {} : { labels: parseLabels(options.label) }),
          ...(options.displayName === undefined ? {} : { displayName: options.displayName }),
          ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
          ...(options.site === undefined ? {} : { siteName: options.site }),
          skipPluginsValidation: options.skipPluginsValidation === true,
        });
        invocation.output.done(
          `Deployment ${id} created; install it with: gantry executions start install -d ${id}`,
          deployment,
        );
      }),
    );
}

function addReading(deployments: Command, setting: CommandSetting): void {
  withListOptions(deployments.command('list'), { path: '/deployments', things: 'deployments', hasRules: true })
    .option('-b, --blueprint-id <id>', 'only of this blueprint')
    .description('list deployments')
    .example(
      'gantry deployments list',
      'gantry deployments list --label env:test --all-tenants',
      'gantry deployments list --attribute-rule "created_by contains ann" --json',
    )
    .action(
      command(setting, async (invocation, options: ListCommandOptions & { blueprintId?: string }) => {
        const client = await invocation.client();
        const page = await client.deployments.list(listOptions(options, { blueprint_id: options.blueprintId }));
        invocation.output.list(page.items, deploymentColumns, page.metadata.pagination.total);
      }),
    );

  deployments
    .command('get')
    .argument('<id>')
    .description('show one deployment')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.item(await client.deployments.get(id), [
          ...deploymentColumns,
          { title: 'display name', value: (item) => item.display_name },
          { title: 'workflows', value: (item) => item.workflows?.map((workflow) => workflow.name).join(', ') },
          { title: 'labels', value: (item) => item.labels.map(({ key, value }) => `${key}:${value}`).join(', ') },
        ]);
      }),
    );

  deployments
    .command('inputs')
    .argument('<id>')
    .description('show the inputs of a deployment')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.mapping((await client.deployments.get(id, ['id', 'inputs'])).inputs ?? {});
      }),
    );
  deployments
    .command('capabilities')
    .argument('<id>')
    .description('show the evaluated capabilities of a deployment')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.mapping(await client.deployments.capabilities(id));
      }),
    );
}

function addOutputs(parent: Command, setting: CommandSetting): void {
  parent
    .command('outputs')
    .argument('<deployment>')
    .description('show the evaluated outputs of a deployment')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        invocation.output.mapping(await client.deployments.outputs(id));
      }),
    );
}

function addChanging(deployments: Command, setting: CommandSetting): void {
  deployments
    .command('update-labels')
    .argument('<id>')
    .argument('<labels...>', 'all labels from now on, as key:value')
    .description('replace the labels of a deployment')
    .action(
      command(setting, async (invocation, _options, id: string, labels: readonly string[]) => {
        const client = await invocation.client();
        const deployment = await client.deployments.updateLabels(id, parseLabels(labels));
        invocation.output.done(`Labels of ${id} updated`, deployment);
      }),
    );

  deployments
    .command('delete')
    .argument('<id>')
    .option('-f, --force', 'even if it has live nodes or dependents')
    .option('-r, --recursive', 'delete its services and environments first')
    .option('--with-logs', 'for compatibility: events and log lines of a deployment go with it in any case')
    .option('--no-wait', 'do not wait until it is gone')
    .description('delete a deployment that is uninstalled')
    .action(
      command(setting, async (invocation, options: DeleteCommand, id: string) => {
        const client = await invocation.client();
        await client.deployments.delete(id, {
          force: options.force === true,
          recursive: options.recursive === true,
          withLogs: options.withLogs === true,
        });
        if (options.wait) {
          await watchDeletion(invocation, client, id);
        }
        invocation.output.done(`Deployment ${id} deleted`, { deleted: id });
      }),
    );
}

/** `gantry deployments ...` and `gantry outputs`. */
export function addDeploymentCommands(program: Command, setting: CommandSetting): void {
  const deployments = program
    .command('deployments')
    .alias('deployment')
    .description('create and manage deployments of blueprints');
  addCreate(deployments, setting);
  addReading(deployments, setting);
  addOutputs(deployments, setting);
  addChanging(deployments, setting);
  addUpdateCommands(deployments, setting);
  addDeploymentGroupCommands(deployments, setting);
  addOutputs(program, setting);
}
