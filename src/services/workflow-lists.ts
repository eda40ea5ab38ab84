import type { Deployment } from '../domain/entities.ts';
import type { PlanWorkflow } from '../domain/plan.ts';
import type { DeploymentService } from './deployments.ts';

/** A workflow that some deployments have. */
export interface ListedWorkflow extends PlanWorkflow {
  readonly name: string;
  readonly isAvailable: boolean;
}

/**
 * The workflows of deployments by name: those of any of them, or those that all of them have. Deployments of one
 * blueprint have the same ones, so one of each is looked at.
 */
export async function listWorkflows(
  deployments: Pick<DeploymentService, 'availableWorkflows'>,
  items: readonly Deployment[],
  isCommonOnly: boolean,
): Promise<ListedWorkflow[]> {
  const samples = [...new Map(items.map((item) => [item.blueprintStorageId, item])).values()];
  const available = await deployments.availableWorkflows(samples);
  const found = new Map<string, { workflow: ListedWorkflow; count: number }>();
  for (const deployment of samples) {
    for (const [name, workflow] of Object.entries(deployment.workflows ?? {})) {
      const isAvailable = available.get(deployment.storageId)?.has(name) ?? false;
      const count = (found.get(name)?.count ?? 0) + 1;
      found.set(name, { workflow: { ...workflow, name, isAvailable }, count });
    }
  }
  return [...found.values()]
    .filter(({ count }) => !isCommonOnly || count === samples.length)
    .map(({ workflow }) => workflow)
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}
