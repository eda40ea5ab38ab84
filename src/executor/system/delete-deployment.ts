import { GantryError } from '../../domain/errors.ts';
import { findParents, refreshSubDeployments } from '../../store/deployment-status.ts';
import { deleteDeployment, hasDeployment, lockDeploymentFiles } from '../../store/deployments.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import type { DeletionRequest } from './deletion.ts';
import { deleteServices } from './delete-services.ts';
import type { SystemDependencies } from './dependencies.ts';

/**
 * Removes a deployment with everything under it, this execution included, at the end of the execution; with
 * `recursive`, its services and environments before.
 */
export function deleteDeploymentEnvironment({ files }: SystemDependencies): SystemWorkflow {
  return async (context) => {
    const { deploymentStorageId, deploymentId, tenantId, tenantName, parameters } = context.execution;
    if (deploymentStorageId === undefined || deploymentId === undefined) {
      throw new GantryError('not_found_error', 'The deployment to delete is gone');
    }
    if (parameters['recursive'] === true) {
      await deleteParts(context, { storageId: deploymentStorageId, id: deploymentId });
    }
    return {
      atEnd: async (transaction) => {
        const parents = await findParents(transaction, [deploymentStorageId]);
        await deleteDeployment(transaction, deploymentStorageId);
        await refreshSubDeployments(transaction, parents);
      },
      afterEnd: () =>
        context.database.transaction(async (transaction) => {
          // a deployment of this id may have been restored in the meantime
          await lockDeploymentFiles(transaction, tenantId, deploymentId);
          if (!(await hasDeployment(transaction, tenantId, deploymentId))) {
            await files.removeDeploymentDirectory(tenantName, deploymentId);
          }
        }),
    };
  };
}

/** Compatibility: Cloudify 7 deletes a deployment by force whatever becomes of its services. */
async function deleteParts(
  context: SystemWorkflowContext,
  deployment: { readonly id: string; readonly storageId: number },
): Promise<void> {
  const { parameters } = context.execution;
  const request: DeletionRequest = {
    isForced: parameters['force'] === true,
    isRecursive: true,
    isDeletingLogs: parameters['delete_logs'] === true,
  };
  try {
    await deleteServices(context, deployment, request);
  } catch (thrown) {
    if (!request.isForced || !(thrown instanceof GantryError)) {
      throw thrown;
    }
    context.log('warning', `Deployment ${deployment.id} is deleted all the same: ${thrown.message}`);
  }
}
