import { GantryError } from '../../domain/errors.ts';
import { findParents, refreshSubDeployments } from '../../store/deployment-status.ts';
import { deleteDeployment } from '../../store/deployments.ts';
import type { SystemWorkflow } from '../system-workflow.ts';
import type { SystemDependencies } from './dependencies.ts';

/** Removes a deployment with everything under it, this execution included, at the end of the execution. */
export function deleteDeploymentEnvironment({ files }: SystemDependencies): SystemWorkflow {
  return async ({ execution }) => {
    const { deploymentStorageId, deploymentId, tenantName } = execution;
    if (deploymentStorageId === undefined || deploymentId === undefined) {
      throw new GantryError('not_found_error', 'The deployment to delete is gone');
    }
    return {
      atEnd: async (transaction) => {
        const parents = await findParents(transaction, [deploymentStorageId]);
        await deleteDeployment(transaction, deploymentStorageId);
        await refreshSubDeployments(transaction, parents);
      },
      afterEnd: () => files.removeDeploymentDirectory(tenantName, deploymentId),
    };
  };
}
