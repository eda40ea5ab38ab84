import type { Dependent } from '../store/dependents.ts';

const verbs: Readonly<Record<Exclude<Dependent['kind'], 'parent'>, string>> = {
  component: 'contains',
  sharedresource: 'uses a shared resource from',
  other: 'uses capabilities of',
};

/** The dependents as numbered lines for people. */
export function describeDependents(deploymentId: string, dependents: readonly Dependent[]): string {
  return dependents
    .map((dependent, index) => {
      const start = `[${index + 1}] Deployment \`${dependent.deploymentId}\``;
      return dependent.kind === 'parent'
        ? `[${index + 1}] Deployment \`${deploymentId}\` is the parent of deployment \`${dependent.deploymentId}\``
        : `${start} ${verbs[dependent.kind]} the current deployment in its node \`${dependent.nodeId ?? ''}\``;
    })
    .join('\n');
}

/**
 * Dependents that forbid to run a workflow which takes the deployment away from them. Components are taken care of by
 * their owner; an uninstall is only blocked by dependents that are up.
 */
export function blockingDependents(
  workflowId: string,
  isRecursive: boolean,
  dependents: readonly Dependent[],
): readonly Dependent[] {
  return dependents.filter(({ kind, isActive }) => {
    if (kind === 'parent') {
      return !(workflowId === 'uninstall' && isRecursive);
    }
    return kind !== 'component' && !(workflowId === 'uninstall' && kind === 'other' && !isActive);
  });
}
