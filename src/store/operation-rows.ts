/** How new operations go into a statement: one array per short column, one text per column of documents. */
import type { NewOperation } from './tasks-graphs.ts';
import { toJsonLines } from './values.ts';

/** Type of tasks that do nothing; progress does not count them. */
export const uncountedType = 'NOPLocalWorkflowTask';

/** Columns of `operations` that `operationSource` fills, besides the graph. */
export const operationColumns = 'id, name, type, state, created_at, manager_name, agent_name, dependencies, parameters';

/** The values of `operationColumns` from `operationSource`. */
export const operationValues = `operation.id, operation.name, operation.type, operation.state,
  coalesce(operation.created_at, now()), operation.manager_name, operation.agent_name, operation.dependencies::json,
  operation.parameters::json`;

/**
 * A row source called `operation`, with its position.
 * @param first number of the first of its nine parameters
 */
export function operationSource(first: number): string {
  const types = ['text[]', 'text[]', 'text[]', 'text[]', 'timestamptz[]', 'text[]', 'text[]'];
  const columns = types.map((type, index) => `unnest($${first + index}::${type})`);
  const documents = [7, 8].map((index) => `string_to_table($${first + index}::text, E'\\n')`);
  return `rows from (${[...columns, ...documents].join(', ')}) with ordinality
    as operation (id, name, type, state, created_at, manager_name, agent_name, dependencies, parameters, position)`;
}

/** The parameters of `operationSource`. */
export function operationParameters(operations: readonly NewOperation[]): unknown[] {
  return [
    operations.map(({ id }) => id),
    operations.map(({ name }) => name ?? null),
    operations.map(({ type }) => type),
    operations.map(({ state }) => state ?? 'pending'),
    operations.map(({ createdAt }) => createdAt ?? null),
    operations.map(({ managerName }) => managerName ?? null),
    operations.map(({ agentName }) => agentName ?? null),
    toJsonLines(operations.map(({ dependencies }) => dependencies)),
    toJsonLines(operations.map(({ parameters }) => parameters)),
  ];
}
