import { setTimeout as delay } from 'node:timers/promises';
import { coerceError } from '../domain/errors.ts';
import type { EventInput } from '../domain/entities.ts';
import type { JsonObject } from '../domain/plan.ts';
import type { Logger } from '../log/logger.ts';
import { GroupCommit } from '../recorder/group-commit.ts';
import { isConnectionError } from '../store/database-errors.ts';
import { changeSystemProperties, lockDrivenExecutions } from '../store/driving.ts';
import type { InstanceStateChange } from '../store/node-instances.ts';
import type { OperationChange } from '../store/operations.ts';
import { storeProgress } from '../store/progress.ts';
import type { Progress } from '../store/progress.ts';
import type { Session } from '../store/session.ts';
import { withoutStored } from '../store/stored-events.ts';
import type { NewOperation } from '../store/tasks-graphs.ts';

export interface PropertiesChange {
  instanceId: string;
  /** Makes the new system properties of the stored ones. */
  update: (properties: JsonObject) => JsonObject;
}

/** What one step of one execution writes. */
export interface ProgressPart {
  executionId: string;
  deploymentStorageId: number | undefined;
  operations: OperationChange[];
  newOperations: { tasksGraphId: string; operation: NewOperation }[];
  instances: InstanceStateChange[];
  properties: PropertiesChange[];
  events: EventInput[];
}

/** Another process drives the execution now; whoever gets this must let go of it without a trace. */
export class ExecutionTakenOverError extends Error {
  override readonly name = 'ExecutionTakenOverError';
}

/** The process stops; what was not stored is done again by the next driver. */
export class WriterStoppedError extends Error {
  override readonly name = 'WriterStoppedError';
}

const mostParts = 200;
/** Rows of one transaction, unless a single part has more: the next one's work can begin once it is stored. */
const mostRows = 3000;
const longestPause = 5000;

/**
 * Stores the progress of all executions of this process: one transaction every few milliseconds, whatever their number.
 * Parts of one execution are stored in the order they were given. While the database is away parts wait.
 */
export class ProgressWriter {
  readonly #session: Session;
  readonly #executor: string;
  readonly #log: Logger;
  readonly #group: GroupCommit<ProgressPart, Error | undefined>;
  readonly #stopping = new AbortController();

  /** @param executor name of this process, as it claims executions */
  constructor(session: Session, executor: string, log: Logger) {
    this.#session = session;
    this.#executor = executor;
    this.#log = log;
    this.#group = new GroupCommit({
      maxItems: mostParts,
      weight: { of: rowsOf, max: mostRows },
      commit: (parts) => this.#commit(parts),
    });
  }

  /**
   * Stores a part; resolves after its commit.
   * @throws ExecutionTakenOverError, WriterStoppedError, or what the store refuses this very part with
   */
  async write(part: ProgressPart): Promise<void> {
    const failure = await this.#group.add(part);
    if (failure) {
      throw failure;
    }
  }

  /** Stores what is in hand if that is possible right now. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#group.drained();
  }

  async #commit(parts: readonly ProgressPart[]): Promise<readonly (Error | undefined)[]> {
    let isRepeated = false;
    for (let pause = 50; ; pause = Math.min(pause * 2, longestPause)) {
      try {
        return await this.#store(parts, isRepeated);
      } catch (thrown) {
        if (!isConnectionError(thrown)) {
          return await this.#isolate(parts, coerceError(thrown));
        }
        if (this.#stopping.signal.aborted) {
          const error = new WriterStoppedError('The database cannot be reached while this process stops');
          return parts.map(() => error);
        }
        // the commit may have been what was lost, or only the answer to it
        isRepeated = true;
        this.#log.warn('Progress waits for the database', { reason: coerceError(thrown).message });
        await delay(pause, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  /** One refused part must not fail the executions it shares a batch with. */
  async #isolate(parts: readonly ProgressPart[], error: Error): Promise<readonly (Error | undefined)[]> {
    if (parts.length === 1) {
      return [error];
    }
    const outcomes: (Error | undefined)[] = [];
    for (const part of parts) {
      outcomes.push(...(await this.#commit([part])));
    }
    return outcomes;
  }

  async #store(parts: readonly ProgressPart[], isRepeated: boolean): Promise<readonly (Error | undefined)[]> {
    const executionIds = [...new Set(parts.map((part) => part.executionId))];
    const driver = { executor: this.#executor, executionIds };
    const hasOnlyRows = parts.every((part) => part.properties.length === 0);
    if (hasOnlyRows && (await storeProgress(this.#session, await this.#progressOf(parts, isRepeated), driver))) {
      return parts.map(() => undefined);
    }
    return this.#storeDriven(parts, executionIds, isRepeated);
  }

  /** Stores the parts of those executions that this process still drives. */
  async #storeDriven(
    parts: readonly ProgressPart[],
    executionIds: readonly string[],
    isRepeated: boolean,
  ): Promise<readonly (Error | undefined)[]> {
    return this.#session.transaction(async (transaction) => {
      const driven = new Set(await lockDrivenExecutions(transaction, this.#executor, executionIds));
      const valid = parts.filter((part) => driven.has(part.executionId));
      const progress = await this.#progressOf(valid, isRepeated);
      await storeProgress(transaction, progress, { executor: this.#executor, executionIds: [...driven] });
      for (const part of valid) {
        if (part.properties.length > 0 && part.deploymentStorageId !== undefined) {
          await changeSystemProperties(transaction, part.deploymentStorageId, part.properties);
        }
      }
      return parts.map((part) =>
        driven.has(part.executionId)
          ? undefined
          : new ExecutionTakenOverError(`Execution ${part.executionId} is driven by another process`),
      );
    });
  }

  async #progressOf(parts: readonly ProgressPart[], isRepeated: boolean): Promise<Progress> {
    const events = parts.flatMap((part) => part.events);
    return {
      operations: parts.flatMap((part) => part.operations),
      newOperations: parts.flatMap((part) => part.newOperations),
      instances: parts.flatMap((part) => part.instances),
      events: isRepeated ? await withoutStored(this.#session, events) : events,
    };
  }
}

function rowsOf({ operations, newOperations, instances, properties, events }: ProgressPart): number {
  return operations.length + newOperations.length + instances.length + properties.length + events.length;
}
