import type { Execution } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { ExecutionStatus, Visibility } from '../domain/states.ts';
import type { ListQuery, Page, Scope } from './scope.ts';
import type { Session } from './session.ts';

export interface NewExecution {
  id: string;
  tenantId: number;
  creatorId: number;
  visibility: Visibility;
  workflowId: string;
  status: ExecutionStatus;
  parameters: JsonObject;
  deploymentStorageId?: number | undefined;
  blueprintId?: string | undefined;
  isSystemWorkflow?: boolean;
  isDryRun?: boolean;
  allowCustomParameters?: boolean;
  /** Seconds; default 600. */
  waitAfterFail?: number;
  scheduledFor?: Date | undefined;
  createdAt?: Date | undefined;
  startedAt?: Date | undefined;
  endedAt?: Date | undefined;
  error?: string | undefined;
  /** sha256 hex of the execution token. */
  tokenHash?: string | undefined;
}

/** What a status change may write besides the status. */
export interface ExecutionChange {
  /** Event of `executionTransitions`, e.g. `start`, `succeed`, `fail`, `cancel`, `stopped`, `resume`. */
  event: string;
  /** Stored as given; '' clears. */
  error?: string;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** Stores executions in one statement. @throws GantryError conflict_error for a known id */
export async function createExecutions(_session: Session, _executions: readonly NewExecution[]): Promise<Execution[]> {
  return missing();
}

/** The execution `id` as visible in `scope`. @throws GantryError not_found_error, ambiguous_name */
export async function getExecution(_session: Session, _scope: Scope, _id: string): Promise<Execution> {
  return missing();
}

/** The execution `id` of any tenant: how the engine reads. */
export async function findExecution(_session: Session, _id: string): Promise<Execution | undefined> {
  return missing();
}

export async function listExecutions(_session: Session, _scope: Scope, _query: ListQuery): Promise<Page<Execution>> {
  return missing();
}

/**
 * Compare-and-set of the status by a transition of the state table; sets started_at (start), ended_at (terminal
 * states) and clears ended_at and sets resume (resume). Notifies `gantry_executions` with the id.
 * @returns the execution after the change, or undefined when its status did not allow it (or it is gone)
 */
export async function changeExecutionStatus(
  _session: Session,
  _id: string,
  _change: ExecutionChange,
): Promise<Execution | undefined> {
  return missing();
}

/**
 * Makes the process `executor` the driver of an execution that has not ended and that no live process drives.
 * @param staleAfter seconds without heartbeat after which another process counts as dead
 * @returns the execution, or undefined when it has ended, is gone, waits, or another live process drives it
 */
export async function claimExecution(
  _session: Session,
  _id: string,
  _executor: string,
  _staleAfter: number,
): Promise<Execution | undefined> {
  return missing();
}

/** Gives executions back, e.g. when a process stops: somebody else may claim them. */
export async function releaseExecutions(_session: Session, _executor: string, _ids?: readonly string[]): Promise<void> {
  return missing();
}

/** Executions that are active but whose driver is dead or was never there for `staleAfter` seconds. */
export async function findOrphanedExecutions(_session: Session, _staleAfter: number): Promise<Execution[]> {
  return missing();
}

/** Replaces the execution token. */
export async function setExecutionToken(_session: Session, _id: string, _tokenHash: string): Promise<void> {
  return missing();
}

/** The execution whose token has this sha256; whether it may still be used is for the caller to decide. */
export async function findExecutionByToken(_session: Session, _tokenHash: string): Promise<Execution | undefined> {
  return missing();
}
