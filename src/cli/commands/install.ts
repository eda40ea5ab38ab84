import type { Command } from '../command-tree.ts';
import type { GantryClient } from '../../client/client.ts';
import { GantryApiError } from '../../client/errors.ts';
import type { ExecutionShape } from '../../client/types.ts';
import { parseInputs, parseLabels } from '../inputs.ts';
import { collect, command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { blueprintIdOf, uploadBlueprint } from '../upload.ts';
import { watchExecution } from '../watch.ts';
import { watchDeletion } from './deployments.ts';
import { startExecution } from './executions.ts';

interface InstallCommand {
  blueprintId?: string;
  deploymentId?: string;
  main?: string;
  input?: readonly string[];
  label?: readonly string[];
  parameter?: readonly string[];
}

interface UninstallCommand {
  keepDeployment?: boolean;
  keepBlueprint?: boolean;
  ignoreFailure?: boolean;
  force?: boolean;
}

function addInstall(program: Command, setting: CommandSetting): void {
  program
    .command('install')
    .argument('<path>', 'blueprint: a YAML file, a folder, an archive or a URL')
    .option('-b, --blueprint-id <id>', 'default: the name of the folder or file')
    .option('-d, --deployment-id <id>', 'default: the id of the blueprint')
    .option('-n, --main <file>', 'main YAML file')
    .option('-i, --input <input>', 'name=value, {mapping} or file; repeatable', collect)
    .option('-l, --label <labels>', 'key:value, repeatable', collect)
    .description('upload a blueprint, create a deployment of it and install that')
    .example('gantry install blueprints/hello-world -i port=8081')
    .action(
      command(setting, async (invocation, options: InstallCommand, path: string) => {
        const client = await invocation.client();
        const { output } = invocation;
        const blueprintId = options.blueprintId ?? blueprintIdOf(path);
        const deploymentId = options.deploymentId ?? blueprintId;
        const inputs = await parseInputs(options.input ?? []);
        output.note(`Uploading blueprint ${blueprintId}`);
        await uploadBlueprint(invocation, client, path, blueprintId, {
          ...(options.main === undefined ? {} : { mainFile: options.main }),
        });
        output.note(`Creating deployment ${deploymentId}`);
        await client.deployments.create(deploymentId, blueprintId, {
          inputs,
          isAsync: true,
          ...(options.label === undefined ? {} : { labels: parseLabels(options.label) }),
        });
        const execution = await startExecution(client, deploymentId, 'install', {}, setting.signal);
        const ended = await watchExecution(invocation, client, execution, { title: `install ${deploymentId}` });
        const outputs = await client.deployments.outputs(deploymentId);
        if (output.format === 'table') {
          output.line(`Deployment ${deploymentId} installed`);
          if (Object.keys(outputs).length > 0) {
            output.mapping(outputs);
          }
          return;
        }
        output.data({ blueprint_id: blueprintId, deployment_id: deploymentId, execution: ended, outputs });
      }),
    );
}

function addUninstall(program: Command, setting: CommandSetting): void {
  program
    .command('uninstall')
    .argument('<deployment>')
    .option('--ignore-failure', 'continue when an operation fails')
    .option('--force', 'even if other deployments depend on it')
    .option('--keep-deployment', 'do not delete the deployment afterwards')
    .option('--keep-blueprint', 'delete the deployment, but not its blueprint')
    .description('uninstall a deployment, then delete it and its blueprint')
    .example('gantry uninstall hello-world')
    .action(
      command(setting, async (invocation, options: UninstallCommand, deploymentId: string) => {
        const client = await invocation.client();
        const { blueprint_id: blueprintId } = await client.deployments.get(deploymentId, ['id', 'blueprint_id']);
        const ended = await runUninstall(invocation, client, deploymentId, options, setting.signal);
        let kept = 'deployment and blueprint kept';
        if (options.keepDeployment !== true) {
          await client.deployments.delete(deploymentId, { force: options.force === true });
          await watchDeletion(invocation, client, deploymentId);
          kept = 'deployment deleted';
          if (options.keepBlueprint !== true && !(await hasDeployments(client, blueprintId))) {
            await client.blueprints.delete(blueprintId);
            kept = 'deployment and blueprint deleted';
          }
        }
        invocation.output.done(`Deployment ${deploymentId} uninstalled, ${kept}`, ended ?? {});
      }),
    );
}

/** Runs the workflow; a deployment whose environment could not be created has nothing to uninstall: undefined. */
async function runUninstall(
  invocation: Invocation,
  client: GantryClient,
  deploymentId: string,
  options: UninstallCommand,
  signal: AbortSignal,
): Promise<ExecutionShape | undefined> {
  const parameters = options.ignoreFailure === true ? { ignore_failure: true } : {};
  const start = { parameters, force: options.force === true };
  try {
    const execution = await startExecution(client, deploymentId, 'uninstall', start, signal);
    return await watchExecution(invocation, client, execution, { title: `uninstall ${deploymentId}` });
  } catch (error) {
    if (error instanceof GantryApiError && error.code === 'deployment_creation_error') {
      invocation.output.note(`Deployment ${deploymentId} was never created completely: nothing to uninstall`);
      return undefined;
    }
    throw error;
  }
}

async function hasDeployments(client: GantryClient, blueprintId: string): Promise<boolean> {
  const page = await client.deployments.list({ filters: { blueprint_id: blueprintId }, include: ['id'], size: 1 });
  return page.items.length > 0;
}

/** `gantry install` and `gantry uninstall`: the whole life of a deployment in one command each. */
export function addInstallCommands(program: Command, setting: CommandSetting): void {
  addInstall(program, setting);
  addUninstall(program, setting);
}
