/** `cloudify.nodes.SharedResource`: a deployment that exists already and is used by others. */
import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import type { PluginFunction } from '../types.ts';
import { complaintsOf, requireDeployment } from './component-checks.ts';
import type { ExtensionsHost, ManagedDeployment } from './manager.ts';
import { failureOf, objectOf, textOf } from './operation.ts';
import type { ExtensionCall } from './operation.ts';
import { runWorkflow } from './run-workflow.ts';

/** Label `csys-obj-type` of deployments that are installed on demand. */
const onDemand = 'on-demand-resource';
/** Label `csys-obj-type` of those that stay installed when they are no longer needed. */
const staysInstalled = 'on-demand-uninstall-off';
const defaultTimeout = 1800;

function deploymentIdOf(call: ExtensionCall): string {
  const id = textOf(objectOf(call.setting('resource_config')['deployment'])['id']);
  if (id === undefined) {
    throw new NonRecoverableError('resource_config.deployment.id must name the deployment that is used');
  }
  return id;
}

function creatorOf({ ctx }: ExtensionCall): string {
  return `sharedresource.${ctx.instance.id}`;
}

function hasType(deployment: ManagedDeployment, type: string): boolean {
  return deployment.labels.some(({ key, value }) => key === 'csys-obj-type' && value === type);
}

async function runOn(call: ExtensionCall, deploymentId: string, workflowId: string): Promise<void> {
  await runWorkflow(call.ctx, call.manager, {
    deploymentId,
    workflowId,
    startArguments: { queue: true, allow_custom_parameters: true },
    isRedirecting: true,
    waiting: call.waiting,
    notes: call.runtime,
  });
}

async function readCapabilities(call: ExtensionCall, id: string): Promise<void> {
  const capabilities = await call.manager.capabilities(id);
  call.runtime.set('capabilities', capabilities);
}

/** Notes that the deployment is used, installs it where it waits for that, and reads its capabilities. */
export async function connect(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime } = call;
  const id = deploymentIdOf(call);
  const deployment = await requireDeployment(call, id);
  runtime.set('deployment', { id });
  await ctx.instance.update();
  await manager.addDependency(creatorOf(call), id);
  if (deployment.installationStatus !== 'active') {
    if (!hasType(deployment, onDemand)) {
      throw new NonRecoverableError(
        `Deployment "${id}" is not installed; install it first, or label it csys-obj-type: ${onDemand}`,
      );
    }
    ctx.logger.info(`Installing deployment "${id}", which is there on demand`);
    await runOn(call, id, 'install');
  }
  await readCapabilities(call, id);
}

/** Removes the note, and uninstalls a deployment on demand that is no longer used. */
export async function disconnect(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime } = call;
  const id = deploymentIdOf(call);
  await manager.removeDependency(creatorOf(call), id);
  const deployment = await manager.findDeployment(id);
  const goes = deployment && hasType(deployment, onDemand) && !hasType(deployment, staysInstalled);
  if (goes && deployment.installationStatus === 'active' && (await manager.countOtherConsumers(id)) === 0) {
    ctx.logger.info(`Uninstalling deployment "${id}", which nobody uses any more`);
    await runOn(call, id, 'uninstall');
  }
  runtime.delete('deployment');
  runtime.delete('capabilities');
}

/** Reads the capabilities again. */
export async function refreshShared(call: ExtensionCall): Promise<void> {
  await readCapabilities(call, deploymentIdOf(call));
}

/** @throws NonRecoverableError when the deployment is not well */
export async function checkSharedStatus(call: ExtensionCall): Promise<void> {
  const id = deploymentIdOf(call);
  const complaints = complaintsOf(await requireDeployment(call, id), true);
  if (complaints.length > 0) {
    throw new NonRecoverableError(`Deployment "${id}": ${complaints.join('; ')}`);
  }
}

/** @returns how the capabilities differ from those that were read; null when they do not */
export async function checkSharedDrift(call: ExtensionCall): Promise<Json> {
  const stored = objectOf(call.runtime.get('capabilities'));
  const found = await call.manager.capabilities(deploymentIdOf(call));
  return isDeepStrictEqual(stored, found) ? null : { capabilities: { wanted: stored, found } };
}

/** `execute_workflow` of relationships to shared resources: runs a workflow on the deployment at the other end. */
export function executeWorkflow(host: ExtensionsHost): PluginFunction {
  return async (ctx) => {
    try {
      const manager = await host.managerFor(ctx.executionId);
      const runtime = await ctx.target.instance.runtimeProperties();
      const deploymentId = textOf(objectOf(runtime.get('deployment'))['id']);
      const workflowId = textOf(ctx.inputs['workflow_id']);
      if (deploymentId === undefined || workflowId === undefined) {
        throw new NonRecoverableError('The input workflow_id and a connected shared resource are needed');
      }
      const { timeout, parameters, redirect_logs: redirect } = ctx.inputs;
      const seconds = typeof timeout === 'number' ? timeout : defaultTimeout;
      await runWorkflow(ctx, manager, {
        deploymentId,
        workflowId,
        startArguments: { parameters: objectOf(parameters), queue: true },
        isRedirecting: redirect !== false,
        waiting: { timeoutSeconds: seconds < 0 ? undefined : seconds, signal: ctx.signal },
      });
    } catch (thrown) {
      throw failureOf('execute_workflow', thrown, ctx.signal);
    }
  };
}
