import { workflowMessage } from '../amqp/workflow-message.ts';
import { derivedId } from '../security/derived-id.ts';
import type { Deployment, Execution, OutboxMessage } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { endedExecutionStatuses } from '../domain/states.ts';
import { findChildren } from '../store/deployment-hierarchy.ts';
import { findDeployments } from '../store/deployments.ts';
import { findStatuses } from '../store/driving.ts';
import { createExecutions, findExecutions } from '../store/executions.ts';
import type { NewExecution } from '../store/executions.ts';
import { addToOutbox, deletePublished } from '../store/outbox.ts';
import { mergeWorkflowParameters } from '../workflows/declared-parameters.ts';
import { ExecutionCancelled } from '../workflows/errors.ts';
import type { RunDependencies } from './executor.ts';
import { whileDatabaseAway } from './patience.ts';

export interface ServicesRequest {
  readonly workflowId: string;
  readonly parameters: JsonObject;
  readonly signal: AbortSignal;
}

/**
 * Runs a workflow on every deployment that is a part of the given one and waits until all have ended, however they end.
 * The executions have ids made of the caller's, so that a repeated call finds those it started before.
 * @throws ExecutionCancelled when the caller's execution is being cancelled
 */
export async function runOnServices(
  dependencies: RunDependencies,
  execution: Execution,
  deployment: Pick<Deployment, 'storageId'>,
  request: ServicesRequest,
): Promise<void> {
  const { database } = dependencies;
  const children = await findChildren(database, deployment.storageId);
  const services = await findDeployments(database, children, { fields: ['id', 'workflows'] });
  const wanted = services
    .filter(({ workflows }) => workflows?.[request.workflowId])
    .map((service) => newPart(service, execution, request));
  await runExecutions(dependencies, wanted, request.signal);
}

/**
 * An execution that another one waits for, on a deployment as it is now. Its parameters are made as for one that people
 * start: with the defaults that the workflow declares, in which functions are evaluated when it begins.
 * @throws GantryError nonexistent_workflow_error, illegal_execution_parameters_error
 */
export function newPart(
  deployment: Pick<Deployment, 'id' | 'storageId' | 'tenantId' | 'visibility' | 'blueprintId' | 'workflows'>,
  { id, creatorId }: Pick<Execution, 'id' | 'creatorId'>,
  { workflowId, parameters }: Pick<ServicesRequest, 'workflowId' | 'parameters'>,
): NewExecution {
  const workflow = deployment.workflows?.[workflowId];
  if (!workflow) {
    throw new GantryError('nonexistent_workflow_error', `Workflow ${workflowId} does not exist in ${deployment.id}`);
  }
  return {
    id: derivedExecutionId(id, workflowId, deployment.storageId),
    tenantId: deployment.tenantId,
    creatorId,
    visibility: deployment.visibility,
    workflowId,
    status: 'pending',
    parameters: mergeWorkflowParameters(workflowId, workflow, parameters, { allowCustom: true }),
    deploymentStorageId: deployment.storageId,
    blueprintId: deployment.blueprintId,
    allowCustomParameters: true,
  };
}

/**
 * Starts executions unless they are there already, and waits until all have ended, however they end.
 * @throws ExecutionCancelled when the caller's execution is being cancelled
 */
export async function runExecutions(
  dependencies: RunDependencies,
  wanted: readonly NewExecution[],
  signal: AbortSignal,
): Promise<void> {
  await startMissing(dependencies, wanted);
  await allEnded(
    dependencies,
    wanted.map(({ id }) => id),
    signal,
  );
}

/** A UUID that is the same for the same caller, workflow and deployment. */
export function derivedExecutionId(executionId: string, workflowId: string, deploymentStorageId: number): string {
  return derivedId(`${executionId}\n${workflowId}\n${deploymentStorageId}`);
}

async function startMissing(dependencies: RunDependencies, wanted: readonly NewExecution[]): Promise<void> {
  const { database, log } = dependencies;
  const messages = await database.transaction(async (transaction) => {
    const known = await findExecutions(
      transaction,
      wanted.map(({ id }) => id),
    );
    const present = new Set(known.map(({ id }) => id));
    const missing = wanted.filter(({ id }) => !present.has(id));
    if (missing.length === 0) {
      return [];
    }
    const created = await createExecutions(transaction, missing);
    return addToOutbox(
      transaction,
      created.map((execution) => workflowMessage(execution)),
    );
  });
  await publishStored(dependencies, messages);
  log.debug('Workflows of services started', { count: messages.length });
}

/** Publishes messages of a committed transaction; what cannot be published now, the scheduler will. */
export async function publishStored(
  { database, broker }: RunDependencies,
  messages: readonly OutboxMessage[],
): Promise<void> {
  const outcomes = await broker.publishAll(
    messages.map(({ exchange, routingKey, body }) => ({ exchange, routingKey, body })),
    { whenDown: 'fail' },
  );
  const published = messages.filter((_, index) => outcomes[index] === undefined);
  await deletePublished(
    database,
    published.map(({ id }) => id),
  );
}

/**
 * Waits until none of the executions runs any more; those that are gone have ended.
 * @throws ExecutionCancelled when the caller's execution is being cancelled
 */
export async function allEnded(
  { database, log, stopping, waits }: RunDependencies,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const waiting = new Set(ids);
  if (signal.aborted) {
    throw new ExecutionCancelled();
  }
  let unlisten: (() => Promise<void>) | undefined;
  // others take its place meanwhile, those that it waits for among them
  const endWait = waits.begin();
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (some: readonly string[]): void => {
        whileDatabaseAway(() => findStatuses(database, some), log, stopping).then((statuses) => {
          for (const id of some) {
            const status = statuses.get(id);
            if (status === undefined || endedExecutionStatuses.includes(status)) {
              waiting.delete(id);
            }
          }
          if (waiting.size === 0) {
            resolve();
          }
        }, reject);
      };
      const onAbort = (): void => reject(new ExecutionCancelled());
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) {
        onAbort();
      }
      database
        .listen('gantry_executions', (id) => {
          if (id === undefined) {
            look([...waiting]);
          } else if (waiting.has(id)) {
            look([id]);
          }
        })
        .then((stop) => {
          unlisten = stop;
          look([...waiting]);
        }, reject);
    });
  } finally {
    endWait();
    await unlisten?.();
  }
}
