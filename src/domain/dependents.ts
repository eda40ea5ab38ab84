import { GantryError } from './errors.ts';

/** A deployment that another one needs. */
export interface Dependent {
  deploymentId: string;
  /** `parent`: it is a service of the other (label); otherwise the first part of the dependency's creator. */
  kind: 'parent' | 'component' | 'sharedresource' | 'other';
  /** Node of the dependent that uses the other deployment. */
  nodeId: string | undefined;
  isActive: boolean;
  /** A service that a component of the other deployment made: whoever takes the other down takes it down, too. */
  isComponent: boolean;
  /** It is being stopped, taken down, healed or updated itself. */
  isLeaving: boolean;
}

const verbs: Readonly<Record<Exclude<Dependent['kind'], 'parent'>, string>> = {
  component: 'contains',
  sharedresource: 'uses a shared resource from',
  other: 'uses capabilities of',
};

/** How many children, and how many others, a refusal names. */
const namedOfEach = 3;

/**
 * Some of the dependents as numbered lines for people.
 *
 * Compatibility: texts of Cloudify 7, which tell up to three children and three users.
 */
export function describeDependents(deploymentId: string, dependents: readonly Dependent[]): string {
  const children = dependents.filter(({ kind }) => kind === 'parent').slice(0, namedOfEach);
  const users = dependents.filter(({ kind }) => kind !== 'parent').slice(0, namedOfEach);
  return [...children, ...users]
    .map((dependent, index) =>
      dependent.kind === 'parent'
        ? `[${index + 1}] Deployment \`${deploymentId}\` is the parent of deployment ${dependent.deploymentId}`
        : `[${index + 1}] Deployment \`${dependent.deploymentId}\` ${verbs[dependent.kind]} the current deployment ` +
          `in its node \`${dependent.nodeId ?? ''}\``,
    )
    .join('\n');
}

/**
 * Dependents that forbid to run a workflow which takes the deployment away from them. Components are taken care of by
 * their owner; an uninstall is only blocked by dependents that are up; who is leaving itself blocks nobody.
 */
export function blockingDependents(
  workflowId: string,
  isRecursive: boolean,
  dependents: readonly Dependent[],
): readonly Dependent[] {
  return dependents.filter(({ kind, isActive, isComponent, isLeaving }) => {
    if (kind === 'parent') {
      return !isComponent && !(workflowId === 'uninstall' && isRecursive);
    }
    return !isLeaving && kind !== 'component' && !(workflowId === 'uninstall' && kind === 'other' && !isActive);
  });
}

/**
 * Refuses to run a workflow on a deployment that others need.
 * @param deployment id of it
 * @throws GantryError dependent_exists_error naming them
 */
export function refuseNeeded(
  deployment: string,
  workflowId: string,
  isRecursive: boolean,
  dependents: readonly Dependent[],
): void {
  const blocking = blockingDependents(workflowId, isRecursive, dependents);
  if (blocking.length > 0) {
    throw new GantryError(
      'dependent_exists_error',
      `Can't execute workflow \`${workflowId}\` on deployment ${deployment} - existing installations depend on it:\n` +
        describeDependents(deployment, blocking),
    );
  }
}
