import type { OperationRow } from '../domain/entities.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { OperationState } from '../domain/states.ts';
import type { Session } from './session.ts';

/** What became of the wish to run an operation. */
export type OperationClaim =
  /** The caller runs it now. */
  | { id: string; outcome: 'claimed'; attempt: number }
  /** It was answered already; publish this answer again. */
  | { id: string; outcome: 'answered'; ok: boolean; result: Json; error: Json }
  /** A live process runs it: it will answer. */
  | { id: string; outcome: 'running'; worker: string }
  /** Its workflow has taken the outcome, or it is unknown: drop the message. */
  | { id: string; outcome: 'over' };

export interface OperationAnswer {
  id: string;
  ok: boolean;
  result?: Json;
  error?: Json;
}

/** One change of a stored operation by the engine; absent members stay. */
export interface OperationChange {
  id: string;
  state: OperationState;
  result?: Json;
  error?: Json;
  managerName?: string;
  agentName?: string;
  /** Merged into the stored parameters at the top level, e.g. `{ current_retries: 1 }`. */
  parameters?: JsonObject;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** All operations of a graph, in the order they were stored. */
export async function loadOperations(_session: Session, _tasksGraphId: string): Promise<OperationRow[]> {
  return missing();
}

/** pending or sending -> sent for all `ids` in one statement. @returns the ids that were changed */
export async function markOperationsSent(_session: Session, _ids: readonly string[]): Promise<string[]> {
  return missing();
}

/**
 * Claims operations for the worker process in one statement, compare-and-set on the state: one that is answered gives
 * its stored answer, one that a live process runs is left alone, one whose worker is dead is taken over.
 * @param host manager or agent name shown to people
 * @param staleAfter seconds without heartbeat after which a process counts as dead
 */
export async function claimOperations(
  _session: Session,
  _ids: readonly string[],
  _worker: { name: string; host: string; staleAfter: number },
): Promise<OperationClaim[]> {
  return missing();
}

/** Stores answers (response-sent) of operations that `worker` runs; those it lost meanwhile are not touched. @returns stored ids */
export async function storeAnswers(
  _session: Session,
  _worker: string,
  _answers: readonly OperationAnswer[],
): Promise<string[]> {
  return missing();
}

/** The answers that stand in the store for operations the engine still waits for (after a restart). */
export async function findAnswers(_session: Session, _executionId: string): Promise<OperationAnswer[]> {
  return missing();
}

/**
 * Puts operations back to pending with current_retries 0 for a resume: failed and rescheduled ones that no other
 * operation retries; with `force` also sending, sent and started ones. @returns how many
 */
export async function resetOperations(_session: Session, _executionId: string, _force: boolean): Promise<number> {
  return missing();
}
