import pg from 'pg';

export interface Findings {
  /** Executions that are not stored any more, or that have lost operations. */
  lost: string[];
  /** Executions that ended otherwise than they should, or whose operations are not each done exactly once. */
  wrong: string[];
  /** Operations that ran more than once because a process died in the middle of them. */
  rerun: number;
}

interface ExecutionFacts {
  id: string;
  status: string;
  error: string | null;
  workflow: string;
}

interface OperationFacts {
  execution_id: string;
  node_instance_id: string | null;
  operation: string | null;
  type: string;
  state: string;
  attempt: number;
}

const facts = `
  select execution.id as execution_id, operation.type, operation.state, operation.attempt,
    operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,node_id}' as node_instance_id,
    operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,operation,name}' as operation
  from operations operation
  join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
  join executions execution on execution.storage_id = graph.execution_id
  where execution.id = any($1) and operation.type = 'RemoteWorkflowTask'`;

/** How often each operation of each instance must have succeeded, by workflow. */
const operationsOf: Readonly<Record<string, readonly string[]>> = {
  install: ['create', 'configure', 'start'],
  uninstall: ['stop', 'delete'],
};

/**
 * Looks into the store what became of executions.
 * @param executionIds executions that have ended
 * @param instances instances that each of them worked on
 */
export async function verifyExecutions(
  databaseUrl: string,
  executionIds: readonly string[],
  instances: number,
): Promise<Findings> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows: executions } = await client.query<ExecutionFacts>(
      'select id, status, error, workflow_id as workflow from executions where id = any($1)',
      [executionIds],
    );
    const { rows: operations } = await client.query<OperationFacts>(facts, [executionIds]);
    const found = new Map(executions.map((execution) => [execution.id, execution]));
    const lost = executionIds.filter((id) => !found.has(id)).map((id) => `${id}: not stored`);
    const wrong = executions.flatMap((execution) =>
      complaints(
        execution,
        operations.filter((operation) => operation.execution_id === execution.id),
        instances,
      ),
    );
    const rerun = operations.reduce((sum, { attempt }) => sum + Math.max(0, attempt - 1), 0);
    return { lost, wrong, rerun };
  } finally {
    await client.end();
  }
}

function complaints(execution: ExecutionFacts, operations: readonly OperationFacts[], instances: number): string[] {
  const name = `${execution.workflow} ${execution.id}`;
  if (execution.status !== 'terminated') {
    return [`${name} ended ${execution.status}: ${execution.error ?? ''}`];
  }
  const done = new Map<string, number>();
  for (const { node_instance_id: instance, operation, state } of operations) {
    const key = `${instance ?? ''} ${operation?.split('.').at(-1) ?? ''}`;
    done.set(key, (done.get(key) ?? 0) + (state === 'succeeded' ? 1 : 0));
  }
  const expected = operationsOf[execution.workflow] ?? [];
  const counts = expected.map((operation) => {
    const keys = [...done.keys()].filter((key) => key.endsWith(` ${operation}`));
    return { operation, instances: keys.length, isOnce: keys.every((key) => done.get(key) === 1) };
  });
  return counts
    .filter((count) => count.instances !== instances || !count.isOnce)
    .map((count) => {
      const times = count.isOnce ? 'once' : 'not once';
      return `${name}: ${count.operation} was done ${times} on ${count.instances} of ${instances} instances`;
    });
}

/** What the store says about executions that did not end: who drives them and how far their operations are. */
export async function describeHung(databaseUrl: string, executionIds: readonly string[]): Promise<string[]> {
  if (executionIds.length === 0) {
    return [];
  }
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      `select execution.id, execution.workflow_id, execution.status, execution.executor,
         extract(epoch from now() - execution.claimed_at)::integer as claimed_seconds_ago,
         (select extract(epoch from now() - last_seen)::integer from processes where name = execution.executor)
           as executor_seen_seconds_ago,
         (select jsonb_agg(line) from (
           select concat_ws(' ', operation.type, operation.state, operation.worker, count(*)) as line
           from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
           where graph.execution_id = execution.storage_id and operation.state not in ('succeeded', 'pending')
           group by operation.type, operation.state, operation.worker) lines) as open_operations
       from executions execution where execution.id = any($1)`,
      [executionIds],
    );
    return rows.map((row) => `hung: ${JSON.stringify(row)}`);
  } finally {
    await client.end();
  }
}
