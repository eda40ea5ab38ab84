import { randomUUID } from 'node:crypto';
import { GantryError } from '../../domain/errors.ts';
import type { Deployment } from '../../domain/entities.ts';
import type { DeploymentPlan, JsonObject } from '../../domain/plan.ts';
import { addConsumers } from '../../store/consumers.ts';
import { addDeploymentDependencies, addParentLinks } from '../../store/deployment-links.ts';
import type { ParentDeployment } from '../../store/deployment-links.ts';
import type { Session } from '../../store/session.ts';

const parentLabel = 'csys-obj-parent';

/**
 * Makes a deployment a service or environment of those its labels name.
 * @returns the parents, in the order of the labels
 * @throws GantryError deployment_parent_not_found_error
 */
export async function addParents(
  session: Session,
  deployment: Deployment,
  labels: readonly { key: string; value: string }[],
): Promise<readonly ParentDeployment[]> {
  const names = labels.filter((label) => label.key === parentLabel).map((label) => label.value);
  if (names.length === 0) {
    return [];
  }
  const parents = await addParentLinks(session, deployment, names);
  const missing = names.filter((name) => !parents.some((parent) => parent.id === name));
  if (missing.length > 0) {
    throw new GantryError(
      'deployment_parent_not_found_error',
      `Deployment ${deployment.id}: the deployments named as its parents do not exist: ${missing.join(', ')}`,
    );
  }
  await addConsumers(
    session,
    parents.map(({ storageId }) => ({ childId: deployment.storageId, parentId: storageId })),
  );
  return names.flatMap((name) => parents.filter((parent) => parent.id === name));
}

/**
 * Stores on which deployments this one depends by its functions.
 * @param renamed planned id -> stored id of node instances that got another one
 */
export async function addDependencies(
  session: Session,
  deployment: Deployment,
  functions: DeploymentPlan['inter_deployment_functions'],
  renamed: ReadonlyMap<string, string>,
): Promise<void> {
  const dependencies = functions.map(
    ({ function_identifier: creator, target_deployment: [target, written], context }) => {
      const stored = Object.fromEntries(Object.entries(context).map(([name, id]) => [name, renamed.get(id) ?? id]));
      return {
        id: randomUUID(),
        dependencyCreator: creator,
        targetDeploymentId: typeof target === 'string' ? target : undefined,
        targetFunction: target === null ? ({ function: written, context: stored } satisfies JsonObject) : undefined,
      };
    },
  );
  await addDeploymentDependencies(session, deployment, dependencies);
}
