import { dirname, extname, join, resolve, sep } from 'node:path';
import { GantryError } from '../domain/errors.ts';
import type { Execution } from '../domain/entities.ts';
import type { PlanPlugin, PlanWorkflow } from '../domain/plan.ts';
import type { FileStore } from '../files/file-store.ts';
import { findBlueprintPlugin, isOfBlueprint } from '../runtime/plugins/blueprint-plugin.ts';
import { PluginStore } from '../runtime/plugins/plugin-store.ts';
import type { InstalledPlugin } from '../runtime/types.ts';
import { runPluginWorkflow } from '../runtime/workflow/workflow-process.ts';
import type { WorkflowModule } from '../runtime/workflow/protocol.ts';
import { getBlueprint } from '../store/blueprints.ts';
import type { DrivenDeployment } from '../store/driven-deployment.ts';
import type { Session } from '../store/session.ts';
import { findPluginVersions } from '../store/plugins.ts';
import { WorkflowRefused } from '../workflows/errors.ts';
import type { WorkflowFunction } from '../workflows/context.ts';

/** What finding the function of a workflow takes. */
export interface PluginWorkflowInput {
  readonly session: Session;
  readonly files: FileStore;
  /** Directory of this process's data; plugins are installed below it. */
  readonly dataDir: string;
  readonly execution: Pick<Execution, 'workflowId' | 'tenantId' | 'tenantName' | 'resume'>;
  readonly deployment: Pick<DrivenDeployment, 'tenantId' | 'blueprintId' | 'plugins'>;
  readonly workflow: PlanWorkflow;
  /** Ends the function at once. */
  readonly stop: AbortSignal;
}

const scriptTask = 'script_runner.tasks.execute_workflow';
const scriptExtensions = ['.js', '.mjs', '.cjs'];

/**
 * Makes the function of a workflow that a plugin or a script of the blueprint defines. It runs in a process of its own.
 * @throws WorkflowRefused when there is no such plugin, or it is not one that runs here
 */
export async function findPluginWorkflow(input: PluginWorkflowInput): Promise<WorkflowFunction> {
  const { workflow, execution, stop } = input;
  const module = await (workflow.operation === scriptTask ? findScript(input) : findModule(input));
  return async (context) => {
    await runPluginWorkflow(context, { module, mustBeResumable: execution.resume, stop });
    return undefined;
  };
}

async function findModule(input: PluginWorkflowInput): Promise<WorkflowModule> {
  const { workflow, execution } = input;
  const plugin = input.deployment.plugins.find(({ name }) => name === workflow.plugin);
  const installed = plugin && (await findPlugin(input, plugin));
  if (!installed) {
    throw new WorkflowRefused(
      `Workflow ${execution.workflowId} is function '${workflow.operation}' of plugin '${workflow.plugin}', which is ` +
        'not on this manager: upload it, or give it a directory of the blueprint as its source',
    );
  }
  if (installed.kind === 'python' || installed.entry === undefined) {
    throw new WorkflowRefused(
      `Workflow ${execution.workflowId} is written in Python (plugin '${installed.name}'), which this manager cannot ` +
        'run: workflows are functions of plugins for Node',
    );
  }
  return {
    entry: installed.entry,
    directory: installed.directory,
    pluginName: workflow.plugin,
    functionName: workflow.operation,
  };
}

async function findPlugin(input: PluginWorkflowInput, plugin: PlanPlugin): Promise<InstalledPlugin | undefined> {
  const { session, files, dataDir, execution, stop } = input;
  if (isOfBlueprint(plugin.source)) {
    return findBlueprintPlugin(await blueprintDirectory(input), plugin.source, plugin.name);
  }
  if (plugin.package_name === null) {
    return undefined;
  }
  const versions = await findPluginVersions(session, execution.tenantId, plugin.package_name);
  const found = versions.find(
    ({ packageVersion }) => plugin.package_version === null || packageVersion === plugin.package_version,
  );
  if (!found) {
    return undefined;
  }
  const store = new PluginStore({
    root: join(dataDir, 'runtime'),
    source: { locate: async () => undefined },
  });
  const { id, packageName, packageVersion } = found;
  const fetchArchive = (): Promise<string> => pathOfArchive(files, id, packageName);
  return store.install(execution.tenantName, { id, packageName, packageVersion, fetchArchive }, stop);
}

async function pathOfArchive(files: FileStore, id: string, packageName: string): Promise<string> {
  const { archive } = await files.pluginFiles(id);
  if (!archive) {
    throw new GantryError('not_found_error', `The archive of plugin ${packageName} is gone; upload it again`);
  }
  return archive.path;
}

/** A file of the blueprint whose default export is the workflow. */
async function findScript(input: PluginWorkflowInput): Promise<WorkflowModule> {
  const { workflow, execution } = input;
  const path = workflow.parameters['script_path']?.default;
  const directory = await blueprintDirectory(input);
  const entry = typeof path === 'string' ? resolve(directory, path) : undefined;
  if (!entry?.startsWith(directory + sep) || !scriptExtensions.includes(extname(entry))) {
    throw new WorkflowRefused(
      `Workflow ${execution.workflowId} is the script '${typeof path === 'string' ? path : ''}', which this manager ` +
        `cannot run: scripts of workflows are modules of the blueprint (${scriptExtensions.join(', ')})`,
    );
  }
  return { entry, directory: dirname(entry), pluginName: workflow.plugin, functionName: 'default' };
}

/** Where the files of the deployment's blueprint lie; it may belong to another tenant. */
async function blueprintDirectory({ session, files, deployment }: PluginWorkflowInput): Promise<string> {
  const { tenantId, blueprintId } = deployment;
  const { tenantName } = await getBlueprint(session, { tenantId }, blueprintId, { fields: ['id'] });
  return files.blueprintDirectory(tenantName, blueprintId);
}
