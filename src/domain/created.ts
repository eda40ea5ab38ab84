import type { Deployment, Execution } from './entities.ts';
import { GantryError } from './errors.ts';

function lastLine(text: string | undefined): string {
  return text?.trim().split('\n').at(-1) ?? '';
}

/** Refuses while the deployment is not there yet. @throws GantryError */
export function requireCreatedDeployment(
  deployment: Pick<Deployment, 'id'>,
  creation: Pick<Execution, 'status' | 'error'> | undefined,
): void {
  if (!creation || creation.status === 'terminated') {
    return;
  }
  switch (creation.status) {
    case 'pending':
      throw new GantryError(
        'deployment_environment_creation_pending_error',
        'Deployment environment creation is still pending, try again in a minute',
      );
    case 'started':
    case 'paused':
      throw new GantryError(
        'deployment_environment_creation_in_progress_error',
        'Deployment environment creation is still in progress, try again in a minute',
      );
    case 'failed':
      throw new GantryError(
        'deployment_creation_error',
        `Can't launch executions since environment creation for deployment ${deployment.id} has failed: ${lastLine(creation.error)}`,
      );
    case 'cancelled':
    case 'cancelling':
    case 'force_cancelling':
    case 'kill_cancelling':
      throw new GantryError(
        'deployment_creation_error',
        `Can't launch executions since the environment creation for deployment ${deployment.id} has been cancelled [status=${creation.status}]`,
      );
    default:
      throw new GantryError(
        'deployment_creation_error',
        `Unexpected deployment status for deployment ${deployment.id} [status=${creation.status}]`,
      );
  }
}
