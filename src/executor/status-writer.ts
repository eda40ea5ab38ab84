import type { Clock } from '../domain/clock.ts';
import type { EventInput, Execution } from '../domain/entities.ts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { RevealSecret } from '../domain/resources.ts';
import type { ExecutionStatus } from '../domain/states.ts';
import { DslError } from '../dsl/errors.ts';
import type { Logger } from '../log/logger.ts';
import { GroupCommit } from '../recorder/group-commit.ts';
import type { Database } from '../store/database.ts';
import { lockDrivenExecutions } from '../store/driving.ts';
import { insertEvents } from '../store/events.ts';
import { applyExecutionStatuses } from '../store/execution-effects.ts';
import { changeExecutionStatuses, setExecutionTokens } from '../store/executions.ts';
import { moveExecutions } from '../store/plain-moves.ts';
import type { PlainMove } from '../store/plain-moves.ts';
import { findDynamicSources } from '../store/inter-deployment-dependencies.ts';
import type { Transaction } from '../store/session.ts';
import { findControls } from '../store/operation-control.ts';
import { groupRows } from '../store/values.ts';
import { executionEvent } from './changes.ts';
import { refreshDependencyTargets } from './dependency-targets.ts';
import { whileDatabaseAway } from './patience.ts';
import { ExecutionTakenOverError, WriterStoppedError } from './progress-writer.ts';
import { leavingWorkflows } from './system-workflow.ts';
import type { SystemWorkflowResult } from './system-workflow.ts';

/** How the workflow of an execution ended. */
export type ExecutionOutcome =
  | { status: 'succeeded'; result: SystemWorkflowResult | undefined }
  | { status: 'failed'; message: string }
  | { status: 'cancelled' };

/** Somebody decided about the execution while it was ending as failed: it goes on. */
export class DecidedMeanwhile extends Error {
  override readonly name = 'DecidedMeanwhile';
  readonly status: ExecutionStatus;

  constructor(id: string, status: ExecutionStatus) {
    super(`Somebody decided about execution ${id} meanwhile`);
    this.status = status;
  }
}

export interface StatusWriterOptions {
  readonly database: Database;
  /** Name of this process, as it claims executions. */
  readonly executorName: string;
  /** Name people know this manager by. */
  readonly managerName: string;
  readonly clock: Clock;
  /** Reads a secret. */
  readonly reveal: RevealSecret;
  readonly log: Logger;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
}

export interface BeginOptions {
  readonly isResume: boolean;
  /** sha256 hex of a new token of the execution; undefined = it has one. */
  readonly tokenHash?: string | undefined;
}

interface Beginning extends BeginOptions {
  readonly execution: Execution;
}

interface Ending {
  readonly execution: Execution;
  readonly outcome: ExecutionOutcome;
}

/** How some executions begin or end. */
interface Commit<Item> {
  readonly event: 'start' | 'succeed';
  /** Those that may need no more than one statement. */
  readonly moves: readonly PlainMove[];
  /** What the others need. */
  readonly others: (
    transaction: Transaction,
    items: readonly Item[],
  ) => Promise<ReadonlyMap<string, Execution | Error>>;
}

/** Statuses in which an execution does its work. */
const drivenStatuses: readonly ExecutionStatus[] = ['started', 'paused'];

const mostItems = 50;
const parallel = 2;

/**
 * Stores that executions begin and end, with all it means for their deployments and groups. Those of this process that
 * do so at the same moment share a transaction: many short executions are mostly beginnings and ends.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #beginnings: GroupCommit<Beginning, Execution | Error | undefined>;
  readonly #endings: GroupCommit<Ending, Execution | Error | undefined>;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    const commit = { maxItems: mostItems, parallel };
    this.#beginnings = new GroupCommit({
      ...commit,
      commit: (items) =>
        this.#commit(items, {
          event: 'start',
          moves: items.map((item) => ({ ...item, event: this.#beginEvent(item.execution, item.isResume) })),
          others: (transaction, some) => this.#begin(transaction, some),
        }),
    });
    this.#endings = new GroupCommit({
      ...commit,
      commit: (items) =>
        this.#commit(items, {
          event: 'succeed',
          moves: items.filter(isPlainEnd).map(({ execution }) => ({
            execution,
            event: this.#endEvent({ ...execution, status: 'terminated' }),
          })),
          others: (transaction, some) => this.#end(transaction, some),
        }),
    });
  }

  /**
   * @returns the started execution, or undefined when it may not start: it was cancelled a moment ago
   * @throws ExecutionTakenOverError, WriterStoppedError, or what the store refuses it with
   */
  async begin(execution: Execution, options: BeginOptions): Promise<Execution | undefined> {
    return valueOf(await this.#beginnings.add({ ...options, execution }));
  }

  /**
   * @param execution with the last decision that was taken into account as its control version
   * @returns the ended execution
   * @throws DecidedMeanwhile, ExecutionTakenOverError, WriterStoppedError, or what the store refuses it with
   */
  async end(execution: Execution, outcome: ExecutionOutcome): Promise<Execution> {
    const ended = valueOf(await this.#endings.add({ execution, outcome }));
    if (!ended) {
      throw new ExecutionTakenOverError('The execution was ended from outside');
    }
    return ended;
  }

  /** Moves what can be moved by one statement, and the others as they need it. */
  async #commit<Item extends { execution: Execution }>(
    items: readonly Item[],
    { event, moves, others }: Commit<Item>,
  ): Promise<(Execution | Error | undefined)[]> {
    const moved = await this.#move(event, onePerDeployment(moves));
    const rest = items.filter(({ execution }) => !moved.has(execution.id));
    const results = rest.length > 0 ? await this.#together(rest, others) : [];
    const byItem = new Map(rest.map((item, index) => [item, results[index]]));
    return items.map((item) => moved.get(item.execution.id) ?? byItem.get(item));
  }

  /** Whatever hinders this, the others' way tells what it is. */
  async #move(event: Commit<never>['event'], moves: readonly PlainMove[]): Promise<ReadonlyMap<string, Execution>> {
    const { database, executorName, log, stopping } = this.#options;
    if (moves.length === 0) {
      return new Map();
    }
    try {
      return await whileDatabaseAway(() => moveExecutions(database, executorName, event, moves), log, stopping);
    } catch (error) {
      log.warn('Executions are moved one by one', { event, error });
      return new Map();
    }
  }

  /** One transaction for all items; if it fails, one for each, so that none fails with another. */
  async #together<Item extends { execution: Execution }>(
    items: readonly Item[],
    work: Commit<Item>['others'],
  ): Promise<(Execution | Error | undefined)[]> {
    const { database, executorName, log, stopping } = this.#options;
    const store = async (transaction: Transaction): Promise<(Execution | Error | undefined)[]> => {
      const ids = items.map(({ execution }) => execution.id);
      const driven = new Set(await lockDrivenExecutions(transaction, executorName, ids));
      const mine = items.filter(({ execution }) => driven.has(execution.id));
      const changed: ReadonlyMap<string, Execution | Error> =
        mine.length > 0 ? await work(transaction, mine) : new Map();
      return ids.map((id) =>
        driven.has(id) ? changed.get(id) : new ExecutionTakenOverError(`Execution ${id} is driven by another process`),
      );
    };
    try {
      return await whileDatabaseAway(() => database.transaction(store), log, stopping);
    } catch (thrown) {
      if (items.length === 1 || thrown instanceof WriterStoppedError) {
        return items.map(() => coerceError(thrown));
      }
      const results: (Execution | Error | undefined)[] = [];
      for (const item of items) {
        results.push(...(await this.#together([item], work)));
      }
      return results;
    }
  }

  async #begin(transaction: Transaction, items: readonly Beginning[]): Promise<ReadonlyMap<string, Execution>> {
    const resumed = new Set(items.flatMap(({ execution, isResume }) => (isResume ? [execution.id] : [])));
    const ids = items.map(({ execution }) => execution.id);
    const started = await changeExecutionStatuses(transaction, ids, { event: 'start' });
    if (started.length < ids.length) {
      // those that are paused stay so
      started.push(...(await changeExecutionStatuses(transaction, ids, { event: 'take over' })));
    }
    const tokens = items.flatMap(({ execution: { id }, tokenHash }) =>
      tokenHash === undefined ? [] : [{ id, tokenHash }],
    );
    if (tokens.length > 0) {
      await setExecutionTokens(transaction, tokens);
    }
    await applyAll(transaction, started, false);
    await insertEvents(
      transaction,
      started.map((execution) => this.#beginEvent(execution, resumed.has(execution.id))),
    );
    return byId(started);
  }

  #beginEvent(execution: Execution, isResume: boolean): EventInput {
    const { managerName, clock } = this.#options;
    const verb = isResume ? 'Resuming' : 'Starting';
    const message = `${verb} '${execution.workflowId}' workflow execution${dryRunSuffix(execution)}`;
    return executionEvent(execution, managerName, clock.now(), { eventType: 'workflow_started', message });
  }

  async #end(transaction: Transaction, items: readonly Ending[]): Promise<ReadonlyMap<string, Execution | Error>> {
    const decided = await findDecided(transaction, items);
    const reached = await this.#withDependencies(
      transaction,
      items.filter(({ execution }) => !decided.has(execution.id)),
    );
    const ended = byId(await changeToEnd(transaction, reached));
    await insertEvents(
      transaction,
      [...ended.values()].map((execution) => this.#endEvent(execution)),
    );
    for (const isGoing of [false, true]) {
      const some = [...ended.values()].filter((execution) => isLeaving(execution) === isGoing);
      await applyAll(transaction, some, isGoing);
    }
    for (const { execution, outcome } of reached) {
      if (outcome.status === 'succeeded' && ended.get(execution.id)?.status === 'terminated') {
        await outcome.result?.atEnd?.(transaction);
      }
    }
    return new Map<string, Execution | Error>([...ended, ...decided]);
  }

  /** An execution whose deployment depends on others in a way that cannot be worked out any more has failed. */
  async #withDependencies(transaction: Transaction, items: readonly Ending[]): Promise<Ending[]> {
    const staying = items.filter(({ execution }) => !leavingWorkflows.has(execution.workflowId));
    const dynamic = await findDynamicSources(
      transaction,
      staying.flatMap(({ execution }) => execution.deploymentStorageId ?? []),
    );
    const reached: Ending[] = [];
    for (const item of items) {
      const { deploymentStorageId = -1, workflowId } = item.execution;
      const isRefreshed = dynamic.has(deploymentStorageId) && !leavingWorkflows.has(workflowId);
      reached.push(isRefreshed ? await this.#refresh(transaction, item) : item);
    }
    return reached;
  }

  async #refresh(transaction: Transaction, { execution, outcome }: Ending): Promise<Ending> {
    try {
      await refreshDependencyTargets(transaction, execution, this.#options.reveal);
      return { execution, outcome };
    } catch (thrown) {
      if (!(thrown instanceof DslError || thrown instanceof GantryError)) {
        throw thrown;
      }
      const { message } = thrown;
      this.#options.log.warn('The deployments that a deployment depends on cannot be determined', {
        execution: execution.id,
        reason: message,
      });
      return { execution, outcome: outcome.status === 'succeeded' ? { status: 'failed', message } : outcome };
    }
  }

  #endEvent(ended: Execution): EventInput {
    const { managerName, clock } = this.#options;
    const name = `'${ended.workflowId}' workflow execution`;
    const event =
      ended.status === 'terminated'
        ? { eventType: 'workflow_succeeded', message: `${name} succeeded${dryRunSuffix(ended)}` }
        : ended.status === 'failed'
          ? { eventType: 'workflow_failed', message: `${name} failed: ${ended.error ?? ''}` }
          : { eventType: 'workflow_cancelled', message: `${name} cancelled` };
    return executionEvent(ended, managerName, clock.now(), event);
  }
}

/** A failure that a person has decided about meanwhile does not end the execution. */
async function findDecided(transaction: Transaction, items: readonly Ending[]): Promise<Map<string, DecidedMeanwhile>> {
  const decided = new Map<string, DecidedMeanwhile>();
  const failed = items.filter(({ outcome }) => outcome.status === 'failed').map(({ execution }) => execution);
  if (failed.length === 0) {
    return decided;
  }
  const controls = await findControls(
    transaction,
    failed.map(({ id }) => id),
  );
  for (const { id, controlVersion } of failed) {
    const control = controls.get(id);
    if (control && control.version > controlVersion && drivenStatuses.includes(control.status)) {
      decided.set(id, new DecidedMeanwhile(id, control.status));
    }
  }
  return decided;
}

/** Executions that succeeded while they were being cancelled are cancelled. */
async function changeToEnd(transaction: Transaction, items: readonly Ending[]): Promise<Execution[]> {
  const ended: Execution[] = [];
  const change = async (some: readonly Ending[], event: string, error: string): Promise<readonly Ending[]> => {
    const ids = some.map(({ execution }) => execution.id);
    const changed = ids.length > 0 ? await changeExecutionStatuses(transaction, ids, { event, error }) : [];
    ended.push(...changed);
    const known = new Set(changed.map(({ id }) => id));
    return some.filter(({ execution }) => !known.has(execution.id));
  };
  const succeeded = items.filter(({ outcome }) => outcome.status === 'succeeded');
  const stopped = items.filter(({ outcome }) => outcome.status === 'cancelled');
  const late = await change(succeeded, 'succeed', '');
  await change([...late, ...stopped], 'stopped', '');
  const failed = items.filter(({ outcome }) => outcome.status === 'failed');
  const messageOf = ({ outcome }: Ending): string => (outcome.status === 'failed' ? outcome.message : '');
  for (const [message, some] of groupRows(failed, messageOf)) {
    await change(some, 'fail', message);
  }
  return ended;
}

function isPlainEnd({ execution, outcome }: Ending): boolean {
  return outcome.status === 'succeeded' && !outcome.result?.atEnd && !leavingWorkflows.has(execution.workflowId);
}

/** The first move of each deployment, and those of none. */
function onePerDeployment(moves: readonly PlainMove[]): PlainMove[] {
  const seen = new Set<number>();
  return moves.filter(({ execution: { deploymentStorageId } }) => {
    const isFirst = deploymentStorageId === undefined || !seen.has(deploymentStorageId);
    seen.add(deploymentStorageId ?? -1);
    return isFirst;
  });
}

/** Two executions of one deployment are told one after the other: the last one is its latest. */
async function applyAll(
  transaction: Transaction,
  executions: readonly Execution[],
  isDeploymentLeaving: boolean,
): Promise<void> {
  let rest = executions;
  while (rest.length > 0) {
    const seen = new Set<number>();
    const round: Execution[] = [];
    const later: Execution[] = [];
    for (const execution of rest) {
      const { deploymentStorageId } = execution;
      if (deploymentStorageId !== undefined && seen.has(deploymentStorageId)) {
        later.push(execution);
      } else {
        seen.add(deploymentStorageId ?? -1);
        round.push(execution);
      }
    }
    await applyExecutionStatuses(transaction, round, { isDeploymentLeaving });
    rest = later;
  }
}

function byId(executions: readonly Execution[]): Map<string, Execution> {
  return new Map(executions.map((execution) => [execution.id, execution]));
}

function valueOf(result: Execution | Error | undefined): Execution | undefined {
  if (result instanceof Error) {
    throw result;
  }
  return result;
}

/** Whether the deployment goes with this end of the execution. */
function isLeaving({ workflowId, status }: Execution): boolean {
  return leavingWorkflows.has(workflowId) && status === 'terminated';
}

function dryRunSuffix(execution: Execution): string {
  return execution.isDryRun ? ' (dry run)' : '';
}
