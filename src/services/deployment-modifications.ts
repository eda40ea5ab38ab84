import { randomInt } from 'node:crypto';
import type { DeploymentModification } from '../domain/entities.ts';
import type { Json } from '../domain/plan.ts';
import { finishModification, rollBackModification, startModification } from '../executor/modifications.ts';
import { getModification } from '../store/deployment-modifications.ts';
import { getDeployment } from '../store/deployments.ts';
import type { Transaction } from '../store/session.ts';
import type { ModificationRequest } from '../workflows/context.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';

export interface DeploymentModificationService {
  /**
   * Begins a change of the number of instances: new ones are stored, those to go are named.
   * @param context whatever the caller wants to find again
   * @throws GantryError existing_started_deployment_modification_error, not_found_error for unknown nodes and groups
   */
  start(
    caller: TenantCaller,
    deploymentId: string,
    request: ModificationRequest,
    context: Json | undefined,
  ): Promise<DeploymentModification>;
  /** Makes the planned numbers the current ones. @throws GantryError deployment_modification_already_ended_error */
  finish(caller: TenantCaller, id: string): Promise<DeploymentModification>;
  /** Makes the numbers those from before. @throws GantryError deployment_modification_already_ended_error */
  rollBack(caller: TenantCaller, id: string): Promise<DeploymentModification>;
}

/** Makes the use cases that change how many instances a deployment has; running operations on them is the caller's. */
export function createDeploymentModificationService({
  database,
  newId,
}: ServiceDependencies): DeploymentModificationService {
  const end = (
    caller: TenantCaller,
    id: string,
    work: (transaction: Transaction, modification: DeploymentModification) => Promise<DeploymentModification>,
  ): Promise<DeploymentModification> =>
    database.transactionAs(actorOf(caller), async (transaction) => {
      const modification = await getModification(transaction, scopeOf(caller), id);
      requireOwnTenant(caller, modification);
      return work(transaction, modification);
    });
  return {
    start: (caller, deploymentId, request, context) =>
      database.transactionAs(actorOf(caller), async (transaction) => {
        const deployment = await getDeployment(transaction, scopeOf(caller), deploymentId, { fields: [], lock: true });
        requireOwnTenant(caller, deployment);
        return startModification(transaction, {
          deployment,
          request,
          creatorId: caller.user.id,
          newId,
          random: (bound) => randomInt(bound),
          ...(context === undefined ? {} : { context }),
        });
      }),

    finish: (caller, id) => end(caller, id, finishModification),

    rollBack: (caller, id) => end(caller, id, rollBackModification),
  };
}
