import { optimise } from './optimiser.ts';
import { TasksGraph } from './tasks-graph.ts';
import type { GraphSettings } from './tasks-graph.ts';

/**
 * Builds a graph that is ready to be stored and run: without tasks that do nothing, and proven to be free of cycles.
 *
 * @param build - adds the tasks
 * @throws GraphError naming the tasks of a dependency cycle
 */
export function buildGraph(settings: GraphSettings, build: (graph: TasksGraph) => void): TasksGraph {
  const graph = new TasksGraph(settings);
  build(graph);
  optimise(graph);
  return graph;
}
