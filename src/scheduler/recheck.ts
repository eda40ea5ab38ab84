import { systemWorkflowIds } from '../amqp/workflow-message.ts';
import { requireCreatedDeployment } from '../domain/created.ts';
import { refuseNeeded } from '../domain/dependents.ts';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { disruptiveWorkflows, findDependentsOf } from '../store/dependents.ts';
import { findBeginnings } from '../store/execution-beginnings.ts';
import type { Beginning } from '../store/execution-beginnings.ts';
import type { Session } from '../store/session.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';
import { findUnavailable } from './availability.ts';

/** An execution that may begin. */
export interface Ready {
  readonly execution: Execution;
  /** With the defaults of now; undefined = those it has. */
  readonly parameters: JsonObject | undefined;
  /** Of the deployment now; undefined without one. */
  readonly blueprintId: string | undefined;
  /** Operation behind the workflow; undefined for the product's own. */
  readonly operation: string | undefined;
}

/** An execution that cannot begin any more. */
export interface Refused {
  readonly execution: Execution;
  readonly reason: GantryError;
}

export interface Rechecked {
  readonly ready: readonly Ready[];
  readonly refused: readonly Refused[];
}

/** These neither need a deployment that has been created nor look at its plan. */
const lifeWorkflows: ReadonlySet<string> = new Set(['create_deployment_environment', 'delete_deployment_environment']);

interface Candidate {
  readonly execution: Execution;
  readonly beginning: Beginning;
  readonly deploymentStorageId: number;
  readonly workflow: Beginning['workflow'];
}

/**
 * Looks again at executions that have waited, since their deployments may have changed meanwhile: the workflow has to
 * be there, the parameters have to fit, and (unless they are forced or resumed) the workflow has to be available and
 * nobody may need what it takes away. Whether others need it was decided for all members of a group at once.
 *
 * Compatibility: Cloudify 7 checks the same, but does not remember that an execution was forced.
 */
export async function recheckQueued(session: Session, executions: readonly Execution[]): Promise<Rechecked> {
  const beginnings = await findBeginnings(
    session,
    executions.map(({ storageId }) => storageId),
  );
  const candidates: Candidate[] = [];
  const ready: Ready[] = [];
  for (const execution of executions) {
    const beginning = beginnings.get(execution.storageId);
    const { deploymentStorageId } = execution;
    if (beginning && deploymentStorageId !== undefined && !lifeWorkflows.has(execution.workflowId)) {
      candidates.push({ execution, beginning, deploymentStorageId, workflow: beginning.workflow });
    } else {
      ready.push({ execution, parameters: undefined, blueprintId: undefined, operation: undefined });
    }
  }
  const refusals = await refusalsOf(session, candidates);
  const refused: Refused[] = [];
  for (const candidate of candidates) {
    const { execution } = candidate;
    const reason = refusals.get(execution.id) ?? refusalIn(() => ready.push(readyOf(candidate)));
    if (reason) {
      refused.push({ execution, reason });
    }
  }
  return { ready, refused };
}

/** What `work` is refused with; undefined when it is not. */
function refusalIn(work: () => void): GantryError | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof GantryError) {
      return thrown;
    }
    throw thrown;
  }
}

/** @throws GantryError when it cannot begin */
function readyOf({ execution, beginning }: Candidate): Ready {
  const { workflowId, allowCustomParameters } = execution;
  const { workflow, requestedParameters, creationStatus, deploymentId = '' } = beginning;
  if (creationStatus !== undefined) {
    requireCreatedDeployment({ id: deploymentId }, { status: creationStatus, error: beginning.creationError });
  }
  if (!workflow && !systemWorkflowIds.has(workflowId)) {
    throw new GantryError(
      'nonexistent_workflow_error',
      `Workflow ${workflowId} does not exist in the deployment ${deploymentId} any more`,
    );
  }
  const parameters =
    workflow && requestedParameters && !execution.resume
      ? mergeWorkflowParameters(workflowId, workflow, requestedParameters, { allowCustom: allowCustomParameters })
      : undefined;
  return { execution, parameters, blueprintId: beginning.blueprintId, operation: workflow?.operation };
}

/** What speaks against those that respect the state of their deployment, by execution. */
async function refusalsOf(
  session: Session,
  candidates: readonly Candidate[],
): Promise<ReadonlyMap<string, GantryError>> {
  const refusals = new Map<string, GantryError>();
  const careful = candidates.filter(({ execution, beginning }) => !beginning.isForced && !execution.resume);
  for (const { execution } of await findUnavailable(session, careful)) {
    const message = `Workflow not available: ${execution.workflowId}`;
    refusals.set(execution.id, new GantryError('unavailable_workflow_error', message));
  }
  const disruptive = careful.filter(
    ({ execution, beginning }) => disruptiveWorkflows.has(execution.workflowId) && !beginning.isInGroup,
  );
  if (disruptive.length === 0) {
    return refusals;
  }
  const dependents = await findDependentsOf(
    session,
    disruptive.map(({ deploymentStorageId }) => deploymentStorageId),
  );
  for (const { execution, deploymentStorageId } of disruptive) {
    const { id, deploymentId = '', workflowId, parameters } = execution;
    const isRecursive = parameters['recursive'] === true;
    const needing = dependents.get(deploymentStorageId) ?? [];
    const refusal = refusalIn(() => refuseNeeded(deploymentId, workflowId, isRecursive, needing));
    if (refusal) {
      refusals.set(id, refusal);
    }
  }
  return refusals;
}
