import { GraphError } from './errors.ts';
import type { Task } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

/**
 * Lists the tasks in an order in which they could run one at a time; subgraphs come before their content.
 *
 * Throws `GraphError` naming the tasks of a dependency cycle, if there is one.
 */
export function runnableOrder(graph: TasksGraph): Task[] {
  const waiting = new Map<Task, number>();
  const open = new Map<Task, number>();
  const order: Task[] = [];
  for (const task of graph.tasks.values()) {
    const count = (task.dependencies?.length ?? 0) + (task.container ? 1 : 0);
    if (count === 0) {
      order.push(task);
    } else {
      waiting.set(task, count);
    }
  }
  const release = (task: Task) => {
    const count = (waiting.get(task) ?? 0) - 1;
    waiting.set(task, count);
    if (count === 0) {
      waiting.delete(task);
      order.push(task);
    }
  };
  const end = (task: Task) => {
    task.dependents?.forEach(release);
    const container = task.container;
    if (container) {
      const left = (open.get(container) ?? 0) - 1;
      open.set(container, left);
      if (left === 0) {
        end(container);
      }
    }
  };
  for (let position = 0; position < order.length; position += 1) {
    const task = order[position] as Task;
    if (task.contents && task.contents.tasks.size > 0) {
      open.set(task, task.contents.tasks.size);
      task.contents.tasks.forEach(release);
    } else {
      end(task);
    }
  }
  if (order.length < graph.tasks.size) {
    throw new GraphError(`The tasks graph has a dependency cycle: ${describeCycle(waiting)}`);
  }
  return order;
}

/** Walks from an unreachable task along what it waits for until a task comes up again. */
function describeCycle(waiting: ReadonlyMap<Task, number>): string {
  const path: Task[] = [];
  const positions = new Map<Task, number>();
  let task: Task | undefined = waiting.keys().next().value;
  while (task && !positions.has(task)) {
    positions.set(task, path.length);
    path.push(task);
    task = blockerOf(task, waiting);
  }
  const cycle = task ? path.slice(positions.get(task)).concat(task) : path;
  return cycle.map((member) => `'${member.name}'`).join(' waits for ');
}

function blockerOf(task: Task, waiting: ReadonlyMap<Task, number>): Task | undefined {
  for (const dependency of task.dependencies ?? []) {
    const blocked = waiting.has(dependency) ? dependency : blockedContent(dependency, waiting);
    if (blocked) {
      return blocked;
    }
  }
  return task.container && waiting.has(task.container) ? task.container : undefined;
}

/** A subgraph that started but cannot end is held up by its content. */
function blockedContent(task: Task, waiting: ReadonlyMap<Task, number>): Task | undefined {
  for (const content of task.contents?.tasks ?? []) {
    const blocked = waiting.has(content) ? content : blockedContent(content, waiting);
    if (blocked) {
      return blocked;
    }
  }
  return undefined;
}
