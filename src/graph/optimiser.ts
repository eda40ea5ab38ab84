import { Task } from './task.ts';
import { append } from './tasks-graph.ts';
import type { TasksGraph } from './tasks-graph.ts';
import { runnableOrder } from './traversal.ts';

/** How many dependencies more than before the removal of one task may cost; beyond that a junction takes its place. */
const edgeAllowance = 16;

/**
 * Removes tasks that do nothing (no-ops without handlers, subgraphs with nothing in them), so that they are neither
 * stored nor counted; what waited for such a task waits for what it waited for.
 *
 * Where that would multiply the dependencies a silent no-op stays in place, which keeps the graph linear in size.
 *
 * Throws `GraphError` when the graph has a dependency cycle.
 */
export function optimise(graph: TasksGraph): void {
  const order = runnableOrder(graph);
  const idle = findIdle(order);
  if (idle.size === 0) {
    return;
  }
  const removal = new Removal(graph, idle);
  for (const task of order) {
    removal.visit(task);
  }
  removal.finish();
}

function findIdle(order: readonly Task[]): Set<Task> {
  const idle = new Set<Task>();
  for (let position = order.length - 1; position >= 0; position -= 1) {
    const task = order[position] as Task;
    const isIdle =
      task.action.kind === 'no-op'
        ? !task.onSuccess && !task.onFailure
        : task.contents && allIn(task.contents.tasks, idle);
    if (isIdle) {
      idle.add(task);
    }
  }
  return idle;
}

function allIn(tasks: ReadonlySet<Task>, idle: ReadonlySet<Task>): boolean {
  for (const task of tasks) {
    if (!idle.has(task)) {
      return false;
    }
  }
  return true;
}

/** One removal of idle tasks; tasks are visited in runnable order. */
class Removal {
  readonly #graph: TasksGraph;
  readonly #idle: ReadonlySet<Task>;
  /** Outermost idle task -> what it and its content wait for. */
  readonly #sources = new Map<Task, Set<Task>>();
  /** Outermost idle task -> what its dependents wait for instead. */
  readonly #substitutes = new Map<Task, readonly Task[]>();
  readonly #junctions: Task[] = [];

  constructor(graph: TasksGraph, idle: ReadonlySet<Task>) {
    this.#graph = graph;
    this.#idle = idle;
  }

  visit(task: Task): void {
    const root = this.#rootOf(task);
    const dependencies = new Set<Task>();
    for (const dependency of task.dependencies ?? []) {
      const dependencyRoot = this.#rootOf(dependency);
      if (!dependencyRoot) {
        dependencies.add(dependency);
      } else if (dependencyRoot !== root) {
        this.#substitutesOf(dependencyRoot).forEach((substitute) => dependencies.add(substitute));
      }
    }
    if (!root) {
      task.dependencies = dependencies.size > 0 ? [...dependencies] : undefined;
      return;
    }
    const sources = this.#sources.get(root);
    if (sources) {
      dependencies.forEach((dependency) => sources.add(dependency));
    } else {
      this.#sources.set(root, dependencies);
    }
  }

  /** Takes the idle tasks out and counts again what waits for what. */
  finish(): void {
    for (const task of this.#idle) {
      this.#graph.tasks.delete(task.id);
      task.container?.contents?.tasks.delete(task);
    }
    for (const junction of this.#junctions) {
      this.#graph.tasks.set(junction.id, junction);
      junction.container?.contents?.tasks.add(junction);
    }
    for (const task of this.#graph.tasks.values()) {
      task.dependents = undefined;
      task.waitingFor = task.container ? 1 : 0;
    }
    for (const task of this.#graph.tasks.values()) {
      for (const dependency of task.dependencies ?? []) {
        dependency.dependents = append(dependency.dependents, task);
        task.waitingFor += 1;
      }
    }
  }

  #rootOf(task: Task): Task | undefined {
    let root = this.#idle.has(task) ? task : undefined;
    while (root?.container && this.#idle.has(root.container)) {
      root = root.container;
    }
    return root;
  }

  #substitutesOf(root: Task): readonly Task[] {
    let substitutes = this.#substitutes.get(root);
    if (!substitutes) {
      const sources = [...(this.#sources.get(root) ?? [])];
      substitutes = this.#isCheapWithout(root, sources.length) ? sources : [this.#junction(root, sources)];
      this.#substitutes.set(root, substitutes);
    }
    return substitutes;
  }

  #isCheapWithout(root: Task, incoming: number): boolean {
    const outgoing = root.dependents?.length ?? 0;
    const isSeenFromOutside = root.container && root.dependents?.some((task) => task.container !== root.container);
    return !isSeenFromOutside && incoming * outgoing <= incoming + outgoing + edgeAllowance;
  }

  #junction(root: Task, sources: Task[]): Task {
    const junction = new Task({
      id: root.id,
      name: root.name,
      action: { kind: 'no-op' },
      policy: root.policy,
      isSilent: true,
    });
    junction.dependencies = sources;
    junction.container = root.container;
    this.#junctions.push(junction);
    return junction;
  }
}
