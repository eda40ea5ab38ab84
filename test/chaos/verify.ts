import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { installOperations, statusCheck, uninstallOperations } from './blueprint.ts';
import { judgeEvents } from './verify-events.ts';
import type { EventFacts } from './verify-events.ts';
import { byDeed, isInterrupted } from './facts.ts';
import type { Evidence, OperationFacts } from './facts.ts';
import type { Run, Sighting } from './workload.ts';

export interface Findings {
  /** Executions that are not stored any more. */
  lost: string[];
  /** What is otherwise than it should be, one line each. */
  wrong: string[];
  /** Operations that ran again because the process that ran them died in the middle. */
  rerun: number;
}

const operationFacts = `
  select execution.id as execution_id, operation.id, operation.type, operation.state, operation.attempt,
    operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,node_id}' as instance,
    operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,operation,name}' as operation,
    operation.parameters #>> '{task_kwargs,kwargs,__cloudify_context,related,node_id}' as other,
    operation.error ->> 'message' as error, operation.result is not null as has_result
  from operations operation
  join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
  join executions execution on execution.storage_id = graph.execution_id
  where execution.id = any($1)`;

const eventFacts = `
  select execution.id as execution_id, event.event_type, event.node_instance_id as instance, event.operation,
    event.manager_name as manager, event.timestamp, event.source_id, event.target_id
  from events event join executions execution on execution.storage_id = event.execution_id
  where execution.id = any($1) order by event.timestamp`;

const lifecycle = 'cloudify.interfaces.lifecycle.';

/** Looks into the store and the journal what became of executions. */
export async function verifyExecutions(evidence: Evidence): Promise<Findings> {
  const ids = evidence.runs.map(({ id }) => id);
  const client = new pg.Client({ connectionString: evidence.databaseUrl });
  await client.connect();
  try {
    const { rows: executions } = await client.query<{ id: string; status: string }>(
      'select id, status from executions where id = any($1)',
      [ids],
    );
    const { rows: operations } = await client.query<OperationFacts>(operationFacts, [ids]);
    const { rows: events } = await client.query<EventFacts>(eventFacts, [ids]);
    const stored = new Set(executions.map(({ id }) => id));
    const remote = operations.filter(({ type }) => type === 'RemoteWorkflowTask');
    const wrong = [
      ...evidence.runs.flatMap((run) => judgeOperations(run, operations)),
      ...judgeEvents(remote, events, evidence),
      ...judgeJournal(remote, await readFile(evidence.journal, 'utf8')),
      ...judgeProperties(remote, evidence.sightings),
    ];
    const again = remote.filter(isInterrupted).length;
    return {
      lost: ids.filter((id) => !stored.has(id)).map((id) => `${id}: not stored`),
      wrong,
      rerun:
        again +
        remote.reduce((sum, { attempt, ...row }) => sum + Math.max(0, attempt - 1) * Number(!isInterrupted(row)), 0),
    };
  } finally {
    await client.end();
  }
}

/** Whether every operation of an execution succeeded once, and they are as many as the workflow asks for. */
function judgeOperations(run: Run, all: readonly OperationFacts[]): string[] {
  const name = `${run.workflow} ${run.id}`;
  const rows = all.filter((row) => row.execution_id === run.id);
  const open = rows.filter(({ state }) => !['succeeded', 'failed', 'rescheduled'].includes(state));
  const remote = rows.filter(({ type }) => type === 'RemoteWorkflowTask');
  const complaints = open.map(({ id, type, state }) => `${name}: ${type} ${id} is ${state}`);
  for (const [deed, attempts] of byDeed(
    remote,
    ({ instance, operation, other }) => `${operation} ${instance} ${other}`,
  )) {
    const succeeded = attempts.filter(({ state }) => state === 'succeeded').length;
    const odd = attempts.filter((row) => row.state !== 'succeeded' && !isInterrupted(row));
    const isRight = deed.includes(statusCheck) ? attempts.length === 1 : succeeded === 1 && odd.length === 0;
    if (!isRight) {
      complaints.push(`${name}: ${deed}: ${succeeded} succeeded, ${odd.map(({ error }) => error).join('; ')}`);
    }
  }
  const expected: [readonly string[], number][] = [
    [installOperations, run.installs],
    [uninstallOperations, run.uninstalls],
  ];
  for (const [operation, count] of expected.flatMap(([names, count]) => names.map((one) => [one, count] as const))) {
    const instances = new Set(
      remote
        .filter((row) => row.operation === `${lifecycle}${operation}` && row.state === 'succeeded')
        .map((row) => row.instance),
    );
    if (instances.size !== count) {
      complaints.push(`${name}: ${operation} was done on ${instances.size} instances, not ${count}`);
    }
  }
  return complaints;
}

/** Whether scripts ran as often as the store says: each attempt once, and to its end when it succeeded. */
function judgeJournal(operations: readonly OperationFacts[], journal: string): string[] {
  const counts = new Map<string, { begin: number; end: number }>();
  for (const line of journal.split('\n').filter(Boolean)) {
    const [what, id = ''] = line.split(' ');
    const count = counts.get(id) ?? { begin: 0, end: 0 };
    count[what === 'begin' ? 'begin' : 'end'] += 1;
    counts.set(id, count);
  }
  const known = new Map(operations.map((operation) => [operation.id, operation]));
  return [...counts].flatMap(([id, { begin, end }]) => {
    const operation = known.get(id);
    const isRight = begin === 1 && end <= 1 && (operation?.state !== 'succeeded' || end === 1);
    return operation === undefined || isRight
      ? []
      : [`script ${id} (${operation.operation}, ${operation.state}) began ${begin} times and ended ${end} times`];
  });
}

/** Whether what operations wrote is there: on each instance that came up, by the attempt that succeeded. */
function judgeProperties(operations: readonly OperationFacts[], sightings: readonly Sighting[]): string[] {
  const known = new Map(operations.map((operation) => [operation.id, operation]));
  return sightings.flatMap(({ run, instanceId, properties }) =>
    installOperations.flatMap((name) => {
      const id = properties[name];
      const writer = typeof id === 'string' ? known.get(id) : undefined;
      return writer?.instance === instanceId && writer.state === 'succeeded'
        ? []
        : [`after ${run.workflow} ${run.id}: ${name} of ${instanceId} was written by ${writer?.state ?? String(id)}`];
    }),
  );
}
