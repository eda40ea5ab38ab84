import type { OperationRow, TasksGraphRow } from '../../domain/entities.ts';
import { operationStates } from '../../domain/states.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

const graph = fieldsOf<TasksGraphRow>();

export const tasksGraphShape: Shape<TasksGraphRow> = {
  kind: 'TasksGraph',
  fields: [
    graph.timestamp('created_at', 'createdAt'),
    graph.text('visibility', 'visibility', { values: visibilities }),
    graph.text('id', 'id'),
    graph.text('name', 'name'),
    graph.text('execution_id', 'executionId'),
    ...commonFields<TasksGraphRow>(),
  ],
};

const operation = fieldsOf<OperationRow>();

export const operationShape: Shape<OperationRow> = {
  kind: 'Operation',
  fields: [
    operation.timestamp('created_at', 'createdAt'),
    operation.text('visibility', 'visibility', { values: visibilities }),
    operation.text('id', 'id'),
    operation.text('name', 'name'),
    operation.text('state', 'state', { values: operationStates }),
    operation.json('dependencies', 'dependencies'),
    operation.text('type', 'type'),
    operation.json('parameters', 'parameters'),
    operation.text('manager_name', 'managerName'),
    operation.text('agent_name', 'agentName'),
    operation.text('tasks_graph_id', 'tasksGraphId'),
    ...commonFields<OperationRow>(),
  ],
};
