import type { PlanWorkflow } from '../domain/plan.ts';
import { readDeploymentActivity } from '../store/deployment-activity.ts';
import type { Session } from '../store/session.ts';
import { isWorkflowAvailable } from '../workflows/availability.ts';

/** A workflow that is to run on a deployment. */
export interface WorkflowOnDeployment {
  readonly deploymentStorageId: number;
  readonly workflow: Pick<PlanWorkflow, 'availability_rules'> | undefined;
}

/** Those whose availability rules do not allow them now. */
export async function findUnavailable<Wanted extends WorkflowOnDeployment>(
  session: Session,
  wanted: readonly Wanted[],
): Promise<Wanted[]> {
  const ruled = wanted.filter(({ workflow }) => workflow?.availability_rules);
  if (ruled.length === 0) {
    return [];
  }
  const activities = await readDeploymentActivity(
    session,
    ruled.map(({ deploymentStorageId }) => deploymentStorageId),
  );
  return ruled.filter(({ deploymentStorageId, workflow }) => {
    const activity = activities.get(deploymentStorageId);
    const now = { instanceStates: activity?.instanceStates ?? [], types: new Set(activity?.types ?? []) };
    return workflow !== undefined && !isWorkflowAvailable(workflow, now);
  });
}
