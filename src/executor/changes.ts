import type { EventInput, Execution } from '../domain/entities.ts';
import type { Json } from '../domain/plan.ts';
import type { GraphBatch, GraphChange } from '../graph/batch.ts';
import type { MessageEnvironment } from '../graph/operation-message.ts';
import { taskRow } from '../graph/rows.ts';
import { taskEvent } from '../graph/task-events.ts';
import type { Task } from '../graph/task.ts';
import type { ProgressPart } from './progress-writer.ts';

/** What turning graph changes into rows needs to know about the execution and its graph. */
export interface ChangeTarget {
  readonly execution: Execution;
  /** Name of this manager as people know it. */
  readonly managerName: string;
  /** Undefined for a graph that is not stored. */
  readonly tasksGraphId: string | undefined;
  /** Without tokens: what is stored with operations. */
  readonly storedEnvironment: MessageEnvironment;
}

/** An empty part of the execution's progress. */
export function emptyPart(execution: Execution): ProgressPart {
  return {
    executionId: execution.id,
    deploymentStorageId: execution.deploymentStorageId,
    operations: [],
    newOperations: [],
    instances: [],
    properties: [],
    events: [],
  };
}

/** All that the first step of a run changes, the operations that are sent after it included. */
export function firstPart(batch: GraphBatch, target: ChangeTarget, now: number): ProgressPart {
  const part = emptyPart(target.execution);
  batch.changes.forEach((change) => addChange(part, change, target, now));
  batch.ready.filter(({ action }) => action.kind === 'remote').forEach((task) => addSending(part, task, target, now));
  return part;
}

/** An event of an execution with the members all its events share. */
export function executionEvent(
  execution: Execution,
  managerName: string,
  now: number,
  event: { eventType: string; message: string } & Partial<EventInput>,
): EventInput {
  const { id: executionId, tenantId, creatorId, visibility } = execution;
  return {
    kind: 'event',
    timestamp: new Date(now),
    executionId,
    tenantId,
    creatorId,
    visibility,
    managerName,
    ...event,
    message: event.message.replaceAll('\0', '<NUL>'),
  };
}

/** A line of the execution's own log. */
export function executionLog(
  execution: Execution,
  managerName: string,
  now: number,
  level: string,
  message: string,
): EventInput {
  const { eventType: _none, ...line } = executionEvent(execution, managerName, now, { eventType: '', message });
  return { ...line, kind: 'log', logger: `ctx.${execution.id}`, level };
}

/** Adds what a change means for the store to `part`. */
export function addChange(part: ProgressPart, change: GraphChange, target: ChangeTarget, now: number): void {
  const { execution, managerName, tasksGraphId } = target;
  switch (change.kind) {
    case 'task-state':
      addTaskState(part, change, target, now);
      return;
    case 'task-added':
      if (tasksGraphId !== undefined) {
        part.newOperations.push({ tasksGraphId, operation: taskRow(change.task, target.storedEnvironment) });
      }
      return;
    case 'instance-state':
      part.instances.push({ id: change.instanceId, state: change.state });
      return;
    case 'workflow-event': {
      const { eventType, message } = change;
      part.events.push(executionEvent(execution, managerName, now, { eventType, message }));
      return;
    }
    case 'node-event': {
      const { message, instanceId: nodeInstanceId } = change;
      const event = { eventType: 'workflow_node_event', message, nodeInstanceId };
      part.events.push(executionEvent(execution, managerName, now, event));
      return;
    }
    case 'log':
      part.events.push(executionLog(execution, managerName, now, change.level, change.message));
      return;
    case 'system-properties':
      part.properties.push(change);
      return;
  }
}

type TaskStateChange = Extract<GraphChange, { kind: 'task-state' }>;

function addTaskState(part: ProgressPart, change: TaskStateChange, target: ChangeTarget, now: number): void {
  const { task, state, result, error } = change;
  const { execution, tasksGraphId } = target;
  if (tasksGraphId !== undefined) {
    part.operations.push({
      id: task.id,
      state,
      ...(result === undefined ? {} : { result }),
      ...(error === undefined ? {} : { error: error as unknown as Json }),
    });
  }
  const isFailure = state === 'failed';
  if (!hasEvents(task) || (task.isSilent && !isFailure)) {
    return;
  }
  const event = taskEvent({
    name: task.name,
    isSubgraph: task.action.kind === 'subgraph',
    state,
    currentRetries: task.currentRetries,
    totalRetries: task.policy.totalRetries,
    isDryRun: execution.isDryRun,
    result,
    error: error?.message,
  });
  if (event) {
    const causes = error?.known_exception_type_kwargs.causes;
    part.events.push(
      executionEvent(execution, target.managerName, now, {
        ...event,
        ...whereOf(task),
        ...(causes === undefined ? {} : { errorCauses: causes as unknown as Json }),
      }),
    );
  }
}

/** Only operations and subgraphs are worth an event; the rest shows by its effect. */
function hasEvents(task: Task): boolean {
  return task.action.kind === 'remote' || task.action.kind === 'subgraph';
}

/** Adds that an operation is being sent: its row is `sent` before its message leaves. */
export function addSending(part: ProgressPart, task: Task, target: ChangeTarget, now: number): void {
  task.state = 'sent';
  if (target.tasksGraphId !== undefined) {
    part.operations.push({ id: task.id, state: 'sent' });
  }
  const event = taskEvent({
    name: task.name,
    isSubgraph: false,
    state: 'sending',
    currentRetries: task.currentRetries,
    totalRetries: task.policy.totalRetries,
  });
  if (event && !task.isSilent) {
    part.events.push(executionEvent(target.execution, target.managerName, now, { ...event, ...whereOf(task) }));
  }
}

function whereOf(task: Task): Pick<EventInput, 'operation' | 'nodeInstanceId' | 'sourceId' | 'targetId'> {
  if (task.action.kind !== 'remote') {
    return {};
  }
  const { operation, instanceId, related } = task.action.call;
  if (!related) {
    return { operation, nodeInstanceId: instanceId };
  }
  const ends = related.isTarget ? [instanceId, related.instanceId] : [related.instanceId, instanceId];
  return { operation, nodeInstanceId: instanceId, sourceId: ends[0] ?? '', targetId: ends[1] ?? '' };
}
