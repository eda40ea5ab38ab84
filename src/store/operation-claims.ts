/** How a worker takes operations and gives their outcome back, so that each runs once however often it is delivered. */
import type { EventInput } from '../domain/entities.ts';
import type { Json } from '../domain/plan.ts';
import { eventClauses, eventParameterCount, eventParameters } from './events.ts';
import type { Session } from './session.ts';
import { isAlive } from './processes.ts';
import { toJsonLines } from './values.ts';

/** What became of the wish to run an operation. */
export type OperationClaim =
  /** The caller runs it now. `isTakenOver`: a worker that died in the middle had begun it. */
  | { id: string; outcome: 'claimed'; isTakenOver: boolean }
  /** It was answered already; publish this answer again. */
  | { id: string; outcome: 'answered'; ok: boolean; result: Json; error: Json }
  /** A live process runs it: it will answer. */
  | { id: string; outcome: 'running'; worker: string }
  /** Its workflow has taken the outcome, or its execution was cancelled: drop the message. */
  | { id: string; outcome: 'over' }
  /** The graph it belongs to is not stored: nobody keeps its state. */
  | { id: string; outcome: 'unknown' };

export interface OperationAnswer {
  id: string;
  ok: boolean;
  result?: Json;
  error?: Json;
}

interface ClaimRow {
  /** null in the one row of a batch of which the store knows nothing. */
  id: string | null;
  state: string;
  result: Json;
  error: Json;
  worker: string | null;
  isCancelled: boolean;
  isClaimed: boolean;
}

const firstEventParameter = 5;

/**
 * Rows are locked before anything is decided about them: two workers may be given the same operation. Only of
 * operations that the worker runs now is it told that they have begun; the last parameter has their ids by event.
 */
const claimStatement = `
  with target as (
    select operation.storage_id, operation.id, operation.state, operation.result, operation.error, operation.worker,
      operation.started_at, execution.status in ('cancelled', 'kill_cancelling') as is_cancelled
    from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
    join executions execution on execution.storage_id = graph.execution_id
    where operation.id = any($1) order by operation.storage_id for update of operation
  ), judged as (
    select target.*, ${isAlive('target.worker', 'target.started_at', '$4')} as is_alive from target
  ), claimed as (
    update operations operation set state = 'started', worker = $2, manager_name = $3, started_at = now(),
      attempt = operation.attempt + 1
    from judged
    where operation.storage_id = judged.storage_id
      and not judged.is_cancelled
      and (judged.state in ('pending', 'sending', 'sent') or judged.state = 'started' and not judged.is_alive)
    returning operation.id
  ), begun as (
    select event_of.position from unnest($${firstEventParameter + eventParameterCount}::text[]) with ordinality
      as event_of (id, position)
    left join judged on judged.id = event_of.id left join claimed on claimed.id = event_of.id
    where claimed.id is not null or judged.id is null
  ), ${eventClauses(firstEventParameter, { condition: 'given.position in (select position from begun)' })}
  select judged.id, judged.state, judged.result, judged.error, judged.worker, judged.is_cancelled as "isCancelled",
    claimed.id is not null as "isClaimed"
  from notified left join judged on true left join claimed on claimed.id = judged.id`;

function toClaim(id: string, row: ClaimRow): OperationClaim {
  if (row.isClaimed) {
    return { id, outcome: 'claimed', isTakenOver: row.state === 'started' };
  }
  if (row.state === 'response-sent') {
    return { id, outcome: 'answered', ok: row.error === null, result: row.result, error: row.error };
  }
  return row.state === 'started' && row.worker !== null && !row.isCancelled
    ? { id, outcome: 'running', worker: row.worker }
    : { id, outcome: 'over' };
}

/**
 * Claims operations for the worker process in one statement, compare-and-set on the state: one that is answered gives
 * its stored answer, one that a live process runs is left alone, one whose worker is dead is taken over.
 * @param worker its process name, the manager or agent name shown to people (`host`), and the seconds without
 *   heartbeat after which a process counts as dead
 * @param started by id, the event that tells of an operation that it has begun; stored if the caller runs it now
 * @returns one claim per id, in the given order
 */
export async function claimOperations(
  session: Session,
  ids: readonly string[],
  worker: { name: string; host: string; staleAfter: number },
  started: ReadonlyMap<string, EventInput> = new Map(),
): Promise<OperationClaim[]> {
  const rows = await session.prepared<ClaimRow>(claimStatement, [
    [...ids],
    worker.name,
    worker.host,
    worker.staleAfter,
    ...eventParameters([...started.values()]),
    [...started.keys()],
  ]);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    return row ? toClaim(id, row) : { id, outcome: 'unknown' };
  });
}

/**
 * Stores answers (response-sent) of operations that `worker` runs; those it lost meanwhile are not touched.
 * @returns stored ids
 */
export async function storeAnswers(
  session: Session,
  worker: string,
  answers: readonly OperationAnswer[],
): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `update operations operation set state = 'response-sent', result = nullif(answer.result, '')::json,
       error = nullif(answer.error, '')::json
     from rows from (unnest($2::text[]), string_to_table($3::text, E'\\n'), string_to_table($4::text, E'\\n'))
       as answer (id, result, error)
     where operation.id = any($2) and operation.id = answer.id and operation.worker = $1 and operation.state = 'started'
     returning operation.id`,
    [
      worker,
      answers.map(({ id }) => id),
      toJsonLines(answers.map(({ ok, result }) => (ok ? (result ?? null) : undefined))),
      // an answer without an error object would read as a success
      toJsonLines(answers.map(({ ok, error }) => (ok ? undefined : (error ?? {})))),
    ],
  );
  return rows.map(({ id }) => id);
}

/** The answers that stand in the store for operations the engine still waits for (after a restart). */
export async function findAnswers(session: Session, executionId: string): Promise<OperationAnswer[]> {
  const rows = await session.prepared<{ id: string; result: Json; error: Json }>(
    `select operation.id, operation.result, operation.error from operations operation
     join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
     join executions execution on execution.storage_id = graph.execution_id
     where execution.id = $1 and operation.state = 'response-sent' order by operation.storage_id`,
    [executionId],
  );
  return rows.map(({ id, result, error }) => (error === null ? { id, ok: true, result } : { id, ok: false, error }));
}
