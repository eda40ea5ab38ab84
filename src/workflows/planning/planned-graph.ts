import type { JsonObject } from '../../domain/plan.ts';
import type { Task } from '../../graph/task.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import { runnableOrder } from '../../graph/traversal.ts';

/** Seconds an operation is expected to take; undefined when nothing is known. */
export type DurationEstimate = (operation: { operation: string; nodeId: string }) => number | undefined;

/** One operation a workflow would run. */
export interface PlannedOperation {
  readonly id: string;
  readonly operation: string;
  /** Function of the plugin. */
  readonly task: string;
  readonly nodeId: string;
  readonly instanceId: string;
  /** The other end of a relationship operation. */
  readonly relatedInstanceId: string | undefined;
  /** Host whose agent runs it; undefined = the manager. */
  readonly hostId: string | undefined;
  readonly inputs: JsonObject;
  /** Names of the subgraphs around it, outermost first. */
  readonly path: readonly string[];
  /** Ids of the operations that end directly before it. */
  readonly after: readonly string[];
  /** Seconds from the start of its graph at which it can start, as far as durations are known. */
  readonly startsAt: number;
  readonly seconds: number | undefined;
}

export interface PlannedGraph {
  readonly name: string;
  readonly operations: readonly PlannedOperation[];
  /** Seconds from its first to its last operation, as far as durations are known. */
  readonly seconds: number;
  /** Ids of the operations that decide how long it takes, in order. */
  readonly criticalPath: readonly string[];
}

interface Times {
  readonly start: number;
  end: number;
  /** What was waited for last. */
  readonly before: Task | undefined;
}

/** What a graph would do, in an order in which it could, with expected times. */
export function planGraph(name: string, graph: TasksGraph, estimate: DurationEstimate): PlannedGraph {
  const order = runnableOrder(graph);
  const times = timesOf(order, estimate);
  const edges = new Edges();
  const operations = order.flatMap((task) => {
    const { action } = task;
    if (action.kind !== 'remote') {
      return [];
    }
    const { call } = action;
    const isOnHost = call.executor === 'host_agent' || (call.executor === 'auto' && call.hostId !== undefined);
    return [
      {
        id: task.id,
        operation: call.operation,
        task: call.taskName,
        nodeId: call.nodeId,
        instanceId: call.instanceId,
        relatedInstanceId: call.related?.instanceId,
        hostId: isOnHost ? call.hostId : undefined,
        inputs: call.inputs,
        path: pathOf(task),
        after: [...edges.before(task)],
        startsAt: times.get(task)?.start ?? 0,
        seconds: estimate(call),
      },
    ];
  });
  const last = latest(order, times);
  return { name, operations, seconds: times.get(last as Task)?.end ?? 0, criticalPath: criticalPath(last, times) };
}

function pathOf(task: Task): string[] {
  const path: string[] = [];
  for (let container = task.container; container; container = container.container) {
    path.unshift(container.name);
  }
  return path;
}

/** When each task could start and end if nothing but its dependencies held it up. */
function timesOf(order: readonly Task[], estimate: DurationEstimate): Map<Task, Times> {
  const times = new Map<Task, Times>();
  for (const task of order) {
    let start = 0;
    let before: Task | undefined;
    for (const dependency of task.dependencies ?? []) {
      const end = times.get(dependency)?.end ?? 0;
      if (end >= start) {
        start = end;
        before = dependency;
      }
    }
    const opened = task.container && times.get(task.container);
    if (opened && opened.start > start) {
      start = opened.start;
      before = opened.before;
    }
    const seconds = task.action.kind === 'remote' ? (estimate(task.action.call) ?? 0) : 0;
    times.set(task, { start, end: start + seconds, before });
    // what waits for a subgraph comes after all of its content
    for (let container = task.container; container; container = container.container) {
      const around = times.get(container);
      if (around) {
        around.end = Math.max(around.end, start + seconds);
      }
    }
  }
  return times;
}

function latest(tasks: Iterable<Task>, times: ReadonlyMap<Task, Times>): Task | undefined {
  let found: Task | undefined;
  for (const task of tasks) {
    const end = times.get(task)?.end ?? 0;
    const isLater = !found || end > (times.get(found)?.end ?? 0);
    const isSameButInside = found?.contents !== undefined && end === times.get(found)?.end && !task.contents;
    if (isLater || isSameButInside) {
      found = task;
    }
  }
  return found;
}

function criticalPath(last: Task | undefined, times: ReadonlyMap<Task, Times>): string[] {
  const path: string[] = [];
  for (let task = last; task;) {
    if (task.contents && task.contents.tasks.size > 0) {
      task = latest(task.contents.tasks, times);
      continue;
    }
    if (task.action.kind === 'remote') {
      path.unshift(task.id);
    }
    task = times.get(task)?.before;
  }
  return path;
}

/** Which operations end directly before a task: looks through events, states and subgraphs. */
class Edges {
  readonly #before = new Map<Task, ReadonlySet<string>>();
  readonly #ends = new Map<Task, ReadonlySet<string>>();

  before(task: Task): ReadonlySet<string> {
    let before = this.#before.get(task);
    if (!before) {
      const inside = (task.dependencies ?? []).map((dependency) => this.#end(dependency));
      const isFirst = inside.every((some) => some.size === 0);
      before = isFirst && task.container ? this.before(task.container) : union(inside);
      this.#before.set(task, before);
    }
    return before;
  }

  /** The operations whose end is the end of a task. */
  #end(task: Task): ReadonlySet<string> {
    let ends = this.#ends.get(task);
    if (!ends) {
      ends = this.#findEnd(task);
      this.#ends.set(task, ends);
    }
    return ends;
  }

  #findEnd(task: Task): ReadonlySet<string> {
    if (task.action.kind === 'remote') {
      return new Set([task.id]);
    }
    const contents = task.contents?.tasks;
    if (!contents || contents.size === 0) {
      return this.before(task);
    }
    const last = [...contents].filter((content) => !content.dependents?.some((next) => contents.has(next)));
    const inside = union(last.map((content) => this.#end(content)));
    return inside.size > 0 ? inside : this.before(task);
  }
}

function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  const [only, ...others] = sets;
  return others.length === 0 ? (only ?? new Set()) : new Set(sets.flatMap((set) => [...set]));
}
