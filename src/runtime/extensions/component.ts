/** `cloudify.nodes.Component`: another deployment as a part of this one. */
import { isDeepStrictEqual } from 'node:util';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import { blueprintIdOf, createSecrets, deleteBlueprint, deleteSecrets, uploadBlueprint } from './blueprint.ts';
import type { ManagedDeployment } from './manager.ts';
import type { ExtensionCall } from './operation.ts';
import { labelsOf, objectOf, textOf } from './operation.ts';
import { isUnavailable, requireSuccess, runWorkflow } from './run-workflow.ts';

/** Names that are tried with `auto_inc_suffix`. */
const mostSuffixes = 10;
/** Runtime property: the deployment that the operation decided to create. */
const ownDeployment = '_component_create_deployment_id';

/** What `resource_config` says of the deployment. */
export function deploymentSettings(call: ExtensionCall): JsonObject {
  return objectOf(call.setting('resource_config')['deployment']);
}

/** Id of the component's deployment; made of the node instance when none is given. */
export function deploymentIdOf(call: ExtensionCall): string {
  const known = textOf(objectOf(call.runtime.get('deployment'))['id']);
  return known ?? textOf(deploymentSettings(call)['id']) ?? call.ctx.instance.id;
}

/** Name under which the use of the component's deployment is noted. */
function creatorOf({ ctx }: ExtensionCall): string {
  return `component.${ctx.instance.id}`;
}

function isRedirecting(call: ExtensionCall): boolean {
  return deploymentSettings(call)['logs'] !== false;
}

/** Creates the deployment, and waits until it is filled. */
export async function createComponent(call: ExtensionCall): Promise<void> {
  const { ctx, manager } = call;
  const settings = deploymentSettings(call);
  if (Object.keys(call.setting('plugins')).length > 0) {
    throw new NonRecoverableError('Plugins of a component are not uploaded with it; upload them before');
  }
  await createSecrets(call);
  const deployment =
    settings['external_resource'] === true ? await externalDeployment(call) : await newDeployment(call, settings);
  call.runtime.set('deployment', { id: deployment.id });
  await ctx.instance.update();
  if (settings['external_resource'] !== true) {
    await manager.addDependency(creatorOf(call), deployment.id);
  }
  if (deployment.createExecutionId !== undefined) {
    await requireSuccess(ctx, manager, deployment.createExecutionId, {
      deploymentId: deployment.id,
      workflowId: 'create_deployment_environment',
      isRedirecting: isRedirecting(call),
      waiting: call.waiting,
    });
  }
}

async function externalDeployment(call: ExtensionCall): Promise<ManagedDeployment> {
  const id = deploymentIdOf(call);
  const deployment = await call.manager.findDeployment(id);
  if (!deployment) {
    throw new NonRecoverableError(`Deployment ID "${id}" does not exist, but external_resource says that it does`);
  }
  return deployment;
}

async function newDeployment(call: ExtensionCall, settings: JsonObject): Promise<ManagedDeployment> {
  const { ctx, manager, runtime } = call;
  const decided = textOf(runtime.get(ownDeployment));
  const started = decided === undefined ? undefined : await manager.findDeployment(decided);
  if (started) {
    return started;
  }
  const base = deploymentIdOf(call);
  const isNumbered = settings['auto_inc_suffix'] === true;
  const names = isNumbered ? Array.from({ length: mostSuffixes }, (_, number) => `${base}-${number}`) : [base];
  const labels = labelsOf(settings['labels']).filter((label) => !('csys-obj-parent' in label));
  const request = {
    blueprintId: blueprintIdOf(call),
    inputs: objectOf(settings['inputs']),
    labels: [...labels, { 'csys-obj-parent': ctx.deploymentId ?? '' }],
  };
  for (const id of names) {
    runtime.set(ownDeployment, id);
    await ctx.instance.update();
    try {
      const created = await manager.createDeployment({ ...request, id }, ctx.signal);
      ctx.logger.info(`Creating deployment "${id}" of the component`);
      return created;
    } catch (error) {
      if (id === names.at(-1) || !isTaken(error)) {
        runtime.delete(ownDeployment);
        throw error;
      }
    }
  }
  throw new NonRecoverableError(`No name is left for the deployment "${base}"`);
}

function isTaken(error: unknown): boolean {
  return error instanceof GantryError && error.code === 'conflict_error';
}

/** Runs the workflow that the input `workflow_id` names, such as install, and reads the capabilities afterwards. */
export async function executeStart(call: ExtensionCall): Promise<void> {
  const { ctx, manager } = call;
  const deploymentId = deploymentIdOf(call);
  const workflowId = textOf(ctx.inputs['workflow_id']) ?? 'install';
  try {
    await runWorkflow(ctx, manager, {
      deploymentId,
      workflowId,
      startArguments: objectOf(call.setting('resource_config')['executions_start_args']),
      isRedirecting: isRedirecting(call),
      waiting: call.waiting,
      notes: call.runtime,
    });
  } catch (error) {
    if (workflowId !== 'uninstall' || !isUnavailable(error)) {
      throw error;
    }
    ctx.logger.info(`Nothing of deployment "${deploymentId}" is installed`);
  }
  await refresh(call);
}

/** Updates the deployment to the blueprint and inputs that `resource_config` has now, where they are others. */
export async function updateComponent(call: ExtensionCall): Promise<void> {
  const { ctx, manager } = call;
  const id = deploymentIdOf(call);
  const deployment = await manager.findDeployment(id);
  if (!deployment) {
    throw new NonRecoverableError(`Deployment "${id}" of the component does not exist`);
  }
  const blueprintId = blueprintIdOf(call);
  const inputs = objectOf(deploymentSettings(call)['inputs']);
  const isChanged =
    blueprintId !== deployment.blueprintId ||
    Object.entries(inputs).some(([name, value]) => !isDeepStrictEqual(value, deployment.inputs[name]));
  if (!isChanged) {
    ctx.logger.info(`Deployment "${id}" of the component is up to date`);
    return;
  }
  await uploadBlueprint(call);
  ctx.logger.info(`Updating deployment "${id}" of the component`);
  const executionId = await manager.updateDeployment(id, { blueprintId, inputs }, ctx.signal);
  await requireSuccess(ctx, manager, executionId, {
    deploymentId: id,
    workflowId: 'update',
    isRedirecting: isRedirecting(call),
    waiting: call.waiting,
  });
  await refresh(call);
}

/** Puts the capabilities of the deployment into the runtime properties. */
export async function refresh(call: ExtensionCall): Promise<void> {
  const id = deploymentIdOf(call);
  const capabilities = await call.manager.capabilities(id);
  call.runtime.set('capabilities', capabilities);
}

/** Deletes the deployment and what was made for it. What was there before stays. */
export async function deleteComponent(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime, waiting } = call;
  const id = deploymentIdOf(call);
  const isExternal = deploymentSettings(call)['external_resource'] === true;
  const deployment = isExternal ? undefined : await manager.findDeployment(id);
  if (deployment) {
    if (!(await manager.waitUntilIdle(id, waiting))) {
      throw new NonRecoverableError(`Deployment "${id}" is busy and cannot be deleted`);
    }
    // its owner must not prevent the deletion
    await manager.removeDependency(creatorOf(call), id);
    ctx.logger.info(`Deleting deployment "${id}" of the component`);
    await manager.deleteDeployment(id, waiting);
  } else if (!isExternal) {
    await manager.removeDependency(creatorOf(call), id);
    ctx.logger.warning(`Deployment "${id}" of the component is gone already`);
  }
  await deleteBlueprint(call);
  await deleteSecrets(call);
  ['deployment', 'blueprint', 'plugins', 'capabilities', '_component_create_idd', ownDeployment].forEach((name) =>
    runtime.delete(name),
  );
}
