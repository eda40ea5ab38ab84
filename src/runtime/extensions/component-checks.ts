/** Looking after the deployment of a component: its status, its drift, and healing it. */
import type { Json, JsonObject } from '../../domain/plan.ts';
import { isDeepStrictEqual } from 'node:util';
import { NonRecoverableError } from '../sdk.ts';
import { deploymentIdOf, deploymentSettings } from './component.ts';
import type { ManagedDeployment } from './manager.ts';
import type { ExtensionCall } from './operation.ts';
import { objectOf } from './operation.ts';
import { runWorkflow } from './run-workflow.ts';

/** @throws NonRecoverableError when it is gone */
export async function requireDeployment(call: ExtensionCall, id: string): Promise<ManagedDeployment> {
  const deployment = await call.manager.findDeployment(id);
  if (!deployment) {
    throw new NonRecoverableError(`Deployment "${id}" does not exist`);
  }
  return deployment;
}

/** What is wrong with a deployment; empty when nothing is. */
export function complaintsOf(deployment: ManagedDeployment, isDriftCounted: boolean): string[] {
  const { installationStatus, deploymentStatus, latestExecution, unavailableInstances, driftedInstances } = deployment;
  return [
    ...(installationStatus === 'active' ? [] : ['it is not installed']),
    ...(deploymentStatus === 'good' ? [] : [`its status is ${deploymentStatus ?? 'unknown'}`]),
    ...(latestExecution?.status === 'failed' ? [`its latest execution, ${latestExecution.workflowId}, failed`] : []),
    ...(unavailableInstances > 0 ? [`${unavailableInstances} of its node instances are unavailable`] : []),
    ...(isDriftCounted && driftedInstances > 0 ? [`${driftedInstances} of its node instances have drifted`] : []),
  ];
}

async function runSame(call: ExtensionCall, workflowId: string): Promise<void> {
  await runWorkflow(call.ctx, call.manager, {
    deploymentId: deploymentIdOf(call),
    workflowId,
    startArguments: objectOf(call.setting('resource_config')['executions_start_args']),
    isRedirecting: deploymentSettings(call)['logs'] !== false,
    waiting: call.waiting,
    notes: call.runtime,
  });
}

async function requireGood(call: ExtensionCall, isDriftCounted: boolean): Promise<void> {
  const id = deploymentIdOf(call);
  const complaints = complaintsOf(await requireDeployment(call, id), isDriftCounted);
  if (complaints.length > 0) {
    throw new NonRecoverableError(`Deployment "${id}" of the component: ${complaints.join('; ')}`);
  }
}

/** Checks the status in the deployment, then that of the deployment. */
export async function checkStatus(call: ExtensionCall): Promise<void> {
  await runSame(call, 'check_status');
  await requireGood(call, true);
}

/** Heals the deployment. */
export async function heal(call: ExtensionCall): Promise<void> {
  await runSame(call, 'heal');
  await requireGood(call, false);
}

/** Checks the drift in the deployment. @returns what differs from what was asked for; null when nothing does */
export async function checkDrift(call: ExtensionCall): Promise<Json> {
  await runSame(call, 'check_drift');
  const id = deploymentIdOf(call);
  const deployment = await requireDeployment(call, id);
  const settings = deploymentSettings(call);
  const wanted = objectOf(settings['inputs']);
  const found = Object.fromEntries(Object.keys(wanted).map((name) => [name, deployment.inputs[name] ?? null]));
  const stored = objectOf(call.runtime.get('capabilities'));
  const capabilities = await call.manager.capabilities(id);
  const drift: JsonObject = {
    ...(isDeepStrictEqual(wanted, found) ? {} : { inputs: { wanted, found } }),
    ...(isDeepStrictEqual(stored, capabilities) ? {} : { capabilities: { wanted: stored, found: capabilities } }),
    ...(deployment.driftedInstances > 0 ? { drifted_instances: deployment.driftedInstances } : {}),
  };
  return Object.keys(drift).length > 0 ? drift : null;
}
