import type { Task } from './task.ts';
import type { TasksGraph } from './tasks-graph.ts';

/** A step of a sequence: one task, or several that run side by side. */
export type SequenceStep = Task | readonly Task[];

/** Adds tasks to a graph (or a subgraph of it) one after the other. */
export class TaskSequence {
  readonly #graph: TasksGraph;
  readonly #container: Task | undefined;
  #last: readonly Task[] = [];

  constructor(graph: TasksGraph, container?: Task) {
    this.#graph = graph;
    this.#container = container;
  }

  /** Adds steps: all tasks of a step wait for all tasks of the step before; empty steps are skipped. */
  add(...steps: readonly SequenceStep[]): this {
    for (const step of steps) {
      const tasks: readonly Task[] = isTaskList(step) ? step : [step];
      for (const task of tasks) {
        this.#graph.add(task, this.#container);
        for (const previous of this.#last) {
          this.#graph.addDependency(task, previous);
        }
      }
      if (tasks.length > 0) {
        this.#last = tasks;
      }
    }
    return this;
  }
}

function isTaskList(step: SequenceStep): step is readonly Task[] {
  return Array.isArray(step);
}
