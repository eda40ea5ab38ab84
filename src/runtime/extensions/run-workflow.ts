import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError, OperationRetry } from '../sdk.ts';
import type { PluginContext, RuntimeProperties } from '../sdk.ts';
import type { ExtensionsManager, ManagedLine, Waiting, WorkflowRequest } from './manager.ts';
import { objectOf, textOf } from './operation.ts';

/** One workflow to run on another deployment. */
export interface WorkflowRun {
  readonly deploymentId: string;
  readonly workflowId: string;
  /** Members of the request that starts it, as blueprints write them. */
  readonly startArguments: JsonObject;
  /** Whether its log is shown in that of the operation. */
  readonly isRedirecting: boolean;
  readonly waiting: Waiting;
  /** Where to note what was started, so that a later attempt of the operation goes on with it. */
  readonly notes?: RuntimeProperties;
}

/** Runtime property: the execution that waits to be gone on with. */
const unfinished = '_component_execution';

/** Messages beyond this are cut: the whole log is with the other execution. */
const longestLine = 10_000;

/**
 * Runs a workflow on another deployment and waits for its end. An operation that is repeated, because the process died or
 * the workflow around it is resumed, goes on with the execution it has started, and resumes it where that failed.
 * @throws NonRecoverableError when the workflow does not succeed in time
 */
export async function runWorkflow(ctx: PluginContext, manager: ExtensionsManager, run: WorkflowRun): Promise<void> {
  const { workflowId, deploymentId, waiting, notes } = run;
  const id = notedExecution(ctx, run) ?? manager.executionIdOf(ctx.taskId ?? ctx.instance.id, workflowId);
  const present = await manager.findExecution(id);
  if (!present) {
    if (!(await manager.waitUntilIdle(deploymentId, waiting))) {
      throw new NonRecoverableError(`Deployment "${deploymentId}" is busy; ${workflowId} could not be started`);
    }
    ctx.logger.info(`Starting ${workflowId} on deployment "${deploymentId}"`);
    if (notes) {
      notes.set(unfinished, { id, workflow_id: workflowId, within: ctx.executionId ?? '' });
      await ctx.instance.update();
    }
    await manager.startExecution(id, requestOf(ctx, manager, run));
  } else if (present.status === 'failed' || present.status === 'cancelled') {
    ctx.logger.info(`Resuming ${workflowId} on deployment "${deploymentId}"`);
    await manager.resumeExecution(id);
  }
  await requireSuccess(ctx, manager, id, run);
  notes?.delete(unfinished);
}

/** What an earlier attempt within the same execution has started and not seen succeed. */
function notedExecution(ctx: PluginContext, { workflowId, notes }: WorkflowRun): string | undefined {
  const noted = objectOf(notes?.get(unfinished));
  const isSame = noted['workflow_id'] === workflowId && noted['within'] === ctx.executionId;
  return isSame ? textOf(noted['id']) : undefined;
}

/**
 * Waits for an execution of another deployment.
 * @throws NonRecoverableError unless it succeeds
 * @throws OperationRetry when it was cancelled together with the execution around, which may be resumed
 * @param run without the start arguments, which are of no interest here
 */
export async function requireSuccess(
  ctx: PluginContext,
  manager: ExtensionsManager,
  executionId: string,
  run: Omit<WorkflowRun, 'startArguments'>,
): Promise<void> {
  const { workflowId, deploymentId, waiting, isRedirecting } = run;
  const show = isRedirecting ? (line: ManagedLine) => logLine(ctx, deploymentId, line) : undefined;
  const ended = await manager.waitUntilEnded(executionId, waiting, show);
  if (ended?.status === 'terminated') {
    ctx.logger.info(`${workflowId} succeeded on deployment "${deploymentId}"`);
    return;
  }
  if (ended?.status === 'cancelled' && (await manager.isCancelled())) {
    throw new OperationRetry(`${workflowId} on deployment "${deploymentId}" was cancelled, too`, { retryAfter: 0 });
  }
  const reason = ended?.error ? `: ${ended.error}` : '';
  throw new NonRecoverableError(
    `Execution ${executionId} of ${workflowId} on deployment "${deploymentId}" ${outcome(ended?.status)}${reason}`,
  );
}

function outcome(status: string | undefined): string {
  switch (status) {
    case undefined:
      return 'is gone';
    case 'failed':
      return 'failed';
    case 'cancelled':
      return 'was cancelled';
    default:
      return `has not ended in time, it is ${status}`;
  }
}

/** The parameters of the workflow around go with a workflow of the same name. */
function requestOf(ctx: PluginContext, manager: ExtensionsManager, run: WorkflowRun): WorkflowRequest {
  const { deploymentId, workflowId, startArguments: given } = run;
  const isSame = workflowId === ctx.workflowId;
  return {
    deploymentId,
    workflowId,
    parameters: isSame ? manager.ownParameters : objectOf(given['parameters']),
    allowCustomParameters: isSame || given['allow_custom_parameters'] === true,
    force: given['force'] === true,
    queue: given['queue'] === true,
  };
}

function logLine(ctx: PluginContext, deploymentId: string, { level, message }: ManagedLine): void {
  const text = `[${deploymentId}] ${message.slice(0, longestLine)}`;
  switch (level) {
    case 'debug':
      return ctx.logger.debug(text);
    case 'warning':
      return ctx.logger.warning(text);
    case 'error':
    case 'critical':
      return ctx.logger.error(text);
    default:
      return ctx.logger.info(text);
  }
}

/** Whether the manager refused because the workflow has nothing to do in the present state of the deployment. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof GantryError && error.code === 'unavailable_workflow_error';
}
