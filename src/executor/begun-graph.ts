import { insertBegunGraph } from '../store/begun-graphs.ts';
import { changeSystemProperties } from '../store/driving.ts';
import type { NewTasksGraph } from '../store/tasks-graphs.ts';
import type { RunDependencies } from './executor.ts';
import { ExecutionTakenOverError } from './progress-writer.ts';
import type { ProgressPart } from './progress-writer.ts';

/**
 * Stores a new graph with what the first step of its run changed, if this process still drives the execution.
 * @throws ExecutionTakenOverError, or what the store refuses it with
 */
export async function storeBegunGraph(
  { database, executorName }: Pick<RunDependencies, 'database' | 'executorName'>,
  graph: NewTasksGraph,
  { executionId, deploymentStorageId, properties, ...progress }: ProgressPart,
): Promise<void> {
  const owner = { executionId, executor: executorName };
  const hasProperties = properties.length > 0 && deploymentStorageId !== undefined;
  const isStored = await insertBegunGraph(
    database,
    owner,
    graph,
    progress,
    hasProperties ? (transaction) => changeSystemProperties(transaction, deploymentStorageId, properties) : undefined,
  );
  if (!isStored) {
    throw new ExecutionTakenOverError(`Execution ${executionId} is driven by another process`);
  }
}
