/** How new operations go into a statement: one array per short column, one text per column of documents. */
import { terminalOperationStates } from '../domain/states.ts';
import type { NewOperation } from './tasks-graphs.ts';
import { toJsonLines } from './values.ts';

/** Type of tasks that do nothing; progress does not count them. */
export const uncountedType = 'NOPLocalWorkflowTask';

/** Columns of `operations` that `operationSource` fills, besides the graph. */
export const operationColumns =
  'id, name, type, state, created_at, manager_name, agent_name, dependencies, parameters, sent_at, started_at, ended_at';

const ended = terminalOperationStates.map((state) => `'${state}'`).join(', ');

/** The values of `operationColumns` from `operationSource`. What is new in a later state has reached it now. */
export const operationValues = `operation.id, operation.name, operation.type, operation.state,
  coalesce(operation.created_at, now()), operation.manager_name, operation.agent_name, operation.dependencies::json,
  operation.parameters::json, case operation.state when 'sent' then now() end,
  case operation.state when 'started' then now() end, case when operation.state in (${ended}) then now() end`;

/** How many parameters `operationSource` takes. */
export const operationParameterCount = 9;

/**
 * A row source called `operation`, with its position.
 * @param first number of the first of its parameters, which `operationParameters` makes
 */
export function operationSource(first: number): string {
  const types = ['text[]', 'text[]', 'text[]', 'text[]', 'timestamptz[]', 'text[]', 'text[]'];
  const columns = types.map((type, index) => `unnest($${first + index}::${type})`);
  const documents = [7, 8].map((index) => `string_to_table($${first + index}::text, E'\\n')`);
  return `rows from (${[...columns, ...documents].join(', ')}) with ordinality
    as operation (id, name, type, state, created_at, manager_name, agent_name, dependencies, parameters, position)`;
}

type RareMember = 'createdAt' | 'managerName' | 'agentName';

/** A column that is mostly nothing but nulls, for which an empty one stands. */
function rareColumn(operations: readonly NewOperation[], member: RareMember): (string | Date | null)[] {
  return operations.some((operation) => operation[member] !== undefined)
    ? operations.map((operation) => operation[member] ?? null)
    : [];
}

/** The parameters of `operationSource`. */
export function operationParameters(operations: readonly NewOperation[]): unknown[] {
  return [
    operations.map(({ id }) => id),
    operations.map(({ name }) => name ?? null),
    operations.map(({ type }) => type),
    operations.map(({ state }) => state ?? 'pending'),
    rareColumn(operations, 'createdAt'),
    rareColumn(operations, 'managerName'),
    rareColumn(operations, 'agentName'),
    toJsonLines(operations.map(({ dependencies }) => dependencies)),
    toJsonLines(operations.map(({ parameters }) => parameters)),
  ];
}
