import type { Topology } from '../../domain/topology.ts';
import { GraphError } from '../../graph/errors.ts';
import { restoreGraph } from '../../graph/restore.ts';
import type { StoredTask } from '../../graph/rows.ts';
import type { HandlerReference, Task } from '../../graph/task.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import { handlerPaths } from '../../workflows/names.ts';

/** What a plugin may decide about the end of its tasks; other handlers change what only the product may change. */
const openHandlers: ReadonlySet<string> = new Set([handlerPaths.ignoreWithEvent]);

/**
 * Puts the tasks of rows that a plugin's process has made into a graph.
 *
 * @param text - rows as JSON, in parts
 * @throws GraphError for rows that cannot be understood, or that reach beyond the deployment
 */
export function addRows(graph: TasksGraph, text: readonly string[], topology: Topology): void {
  const rows = text.flatMap((part) => readRows(part));
  if (rows.some(({ state }) => state !== 'pending')) {
    throw new GraphError('A new graph has only pending tasks');
  }
  const { graph: built } = restoreGraph(graph.settings, rows);
  for (const task of built.tasks.values()) {
    checkTask(task, topology);
    graph.tasks.set(task.id, task);
  }
}

function readRows(text: string): StoredTask[] {
  const rows = JSON.parse(text) as unknown;
  if (!Array.isArray(rows) || !rows.every(isRow)) {
    throw new GraphError('The process of the workflow sent a graph that is none');
  }
  return rows;
}

function isRow(row: unknown): row is StoredTask {
  if (typeof row !== 'object' || row === null) {
    return false;
  }
  const { id, type, state, dependencies, parameters } = row as Record<string, unknown>;
  return (
    [id, type, state].every((value) => typeof value === 'string') &&
    Array.isArray(dependencies) &&
    typeof parameters === 'object' &&
    parameters !== null
  );
}

function checkTask(task: Task, topology: Topology): void {
  checkHandler(task, task.onSuccess);
  checkHandler(task, task.onFailure);
  const { action } = task;
  switch (action.kind) {
    case 'remote':
      checkInstance(task, action.call.instanceId, topology);
      if (action.call.related) {
        checkInstance(task, action.call.related.instanceId, topology);
      }
      return;
    case 'set-state':
    case 'node-event':
      checkInstance(task, action.instanceId, topology);
      return;
    case 'local':
      throw new GraphError(`Task '${task.name}' is a function of the engine, which plugins cannot use`);
    case 'subgraph':
    case 'no-op':
    case 'workflow-event':
      return;
  }
}

function checkHandler(task: Task, handler: HandlerReference | undefined): void {
  if (handler && !openHandlers.has(handler.path)) {
    throw new GraphError(`Task '${task.name}' names the handler '${handler.path}', which plugins cannot use`);
  }
}

function checkInstance(task: Task, instanceId: string, topology: Topology): void {
  if (!topology.instances.has(instanceId)) {
    throw new GraphError(`Task '${task.name}' is for '${instanceId}', which is no node instance of the deployment`);
  }
}
