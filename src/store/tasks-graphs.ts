import type { TasksGraphRow } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import type { Session } from './session.ts';

export interface NewOperation {
  id: string;
  name?: string | undefined;
  type: string;
  dependencies: readonly string[];
  parameters: JsonObject;
  /** Default pending. */
  state?: OperationState;
  createdAt?: Date | undefined;
  managerName?: string | undefined;
  agentName?: string | undefined;
}

export interface NewTasksGraph {
  id: string;
  name: string;
  createdAt?: Date | undefined;
  operations: readonly NewOperation[];
}

const missing = (): never => {
  throw new Error('not there yet');
};

/**
 * Stores a graph with all its operations in one statement and adds them to the counters of the execution
 * (NOPLocalWorkflowTask does not count). Tenant, creator and visibility are those of the execution.
 * @throws GantryError not_found_error without such an execution; conflict_error when it has a graph of that name
 */
export async function storeTasksGraph(
  _session: Session,
  _executionId: string,
  _graph: NewTasksGraph,
): Promise<TasksGraphRow> {
  return missing();
}

/** Graphs of an execution, oldest first; `name` narrows to one. */
export async function findTasksGraphs(
  _session: Session,
  _executionId: string,
  _name?: string,
): Promise<TasksGraphRow[]> {
  return missing();
}
