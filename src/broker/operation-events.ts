import type { EventInput } from '../domain/entities.ts';
import { taskEvent } from '../graph/task-events.ts';
import type { OperationContext, OperationLog } from '../runtime/types.ts';
import type { ExecutionFact } from './execution-facts.ts';

/** What the lines of an operation have in common. */
function common(
  context: OperationContext,
  fact: ExecutionFact,
  managerName: string,
  now: number,
): Omit<EventInput, 'kind' | 'message'> {
  const { tenantId, creatorId, visibility, id: executionId } = fact;
  const { related, node_id: nodeInstanceId, operation } = context;
  const ends = related?.is_target
    ? { sourceId: nodeInstanceId, targetId: related.node_id }
    : { sourceId: related?.node_id, targetId: nodeInstanceId };
  return {
    timestamp: new Date(now),
    executionId,
    tenantId,
    creatorId,
    visibility,
    managerName,
    ...(operation ? { operation: operation.name } : {}),
    ...(nodeInstanceId ? { nodeInstanceId } : {}),
    ...(related && ends.sourceId && ends.targetId ? { sourceId: ends.sourceId, targetId: ends.targetId } : {}),
  };
}

/** The event of an operation that a worker has begun. */
export function startedEvent(
  context: OperationContext,
  fact: ExecutionFact,
  managerName: string,
  now: number,
): EventInput | undefined {
  const event = taskEvent({
    name: context.task_name,
    isSubgraph: false,
    state: 'started',
    currentRetries: context.operation?.retry_number ?? 0,
    totalRetries: context.operation?.max_retries ?? -1,
  });
  return event && { kind: 'event', ...common(context, fact, managerName, now), ...event };
}

/** A line an operation writes to the log. */
export function operationLog(
  context: OperationContext,
  fact: ExecutionFact,
  managerName: string,
  now: number,
  entry: OperationLog,
): EventInput {
  return {
    kind: 'log',
    ...common(context, fact, managerName, now),
    message: entry.message,
    logger: entry.logger ?? `ctx.${context.task_id ?? ''}`,
    level: entry.level,
  };
}

/** An event an operation sends itself. */
export function pluginEvent(
  context: OperationContext,
  fact: ExecutionFact,
  managerName: string,
  now: number,
  message: string,
): EventInput {
  return { kind: 'event', ...common(context, fact, managerName, now), message, eventType: 'plugin_event' };
}
