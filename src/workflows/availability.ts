import type { Json, PlanWorkflow } from '../domain/plan.ts';

/** What availability rules look at. */
export interface DeploymentActivity {
  /** State of every node instance. */
  readonly instanceStates: readonly string[];
  /** Every type any node of the deployment has or is derived from. */
  readonly types: ReadonlySet<string>;
}

const goneStates = new Set(['uninitialized', 'deleted']);

function activity(states: readonly string[]): 'all' | 'partial' | 'none' | 'gone' {
  const isStarted = (state: string): boolean => state === 'started';
  if (states.every(isStarted)) {
    return 'all';
  }
  return states.every((state) => goneStates.has(state)) ? 'gone' : 'partial';
}

function matchesActivity(rule: Json, states: readonly string[]): boolean {
  const wanted = [rule].flat(1);
  const now = activity(states);
  const hasNone = !states.includes('started');
  return (
    (wanted.includes('all') && now === 'all') ||
    (wanted.includes('partial') && now === 'partial') ||
    (wanted.includes('none') && hasNone)
  );
}

/** Whether the availability rules of a workflow let it be started now; all rules must hold. */
export function isWorkflowAvailable(
  workflow: Pick<PlanWorkflow, 'availability_rules'>,
  deployment: DeploymentActivity,
): boolean {
  const rules = workflow.availability_rules ?? {};
  const { available, node_instances_active: active, node_types_required: types } = rules;
  if (available === false) {
    return false;
  }
  if (active !== undefined && active !== null && !matchesActivity(active, deployment.instanceStates)) {
    return false;
  }
  if (types === undefined || types === null) {
    return true;
  }
  return [types].flat(1).some((type) => typeof type === 'string' && deployment.types.has(type));
}
