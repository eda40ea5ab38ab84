import { setTimeout as delay } from 'node:timers/promises';
import { endedExecutionStatuses } from '../domain/states.ts';
import { GantryApiError, ManagerUnreachableError } from './errors.ts';
import type { GantryClient } from './client.ts';
import { followLive, isPassing } from './live.ts';
import type { EventShape, ExecutionShape } from './types.ts';

export interface FollowOptions {
  onEvents?: (events: readonly EventShape[]) => void;
  /** Called whenever status or counters were read. */
  onExecution?: (execution: ExecutionShape) => void;
  /** Called when the manager does not answer; following goes on. */
  onUnreachable?: (error: ManagerUnreachableError) => void;
  withLogs?: boolean;
  /** Longest silence of the manager in milliseconds that is waited out. Default 60 000. */
  patience?: number;
  signal?: AbortSignal;
}

const pageSize = 100;
const shortestPause = 50;
const longestPause = 1000;

/**
 * Follows an execution until it has ended: hands over every event once and in order, and the execution whenever it
 * has changed. Outlives restarts of the manager. Where the manager has no stream it is asked again and again with the
 * calls that Cloudify's own client uses, so it works against both.
 * @throws GantryApiError when the manager refuses, e.g. `not_found_error` once a deployment is deleted
 */
export async function followExecution(
  client: GantryClient,
  executionId: string,
  options: FollowOptions = {},
): Promise<ExecutionShape> {
  try {
    return await followByStream(client, executionId, options);
  } catch (error) {
    if (error instanceof NoStreamError) {
      return followByPaging(client, executionId, options);
    }
    throw error;
  }
}

/** The manager has no `/stream`. */
class NoStreamError extends Error {}

async function followByStream(
  client: GantryClient,
  executionId: string,
  options: FollowOptions,
): Promise<ExecutionShape> {
  const { onEvents, onExecution, withLogs = true, onUnreachable, patience, signal } = options;
  let isConnected = false;
  const messages = followLive(
    client.transport,
    {
      topics: onEvents ? 'events,executions' : 'executions',
      execution_id: executionId,
      from: 'start',
      ...(withLogs ? {} : { type: 'cloudify_event' }),
    },
    {
      onConnect: async () => {
        isConnected = true;
        await client.executions.get(executionId, signal);
      },
      ...(onUnreachable ? { onUnreachable } : {}),
      ...(patience === undefined ? {} : { patience }),
      ...(signal ? { signal } : {}),
    },
  );
  try {
    for await (const { event, body } of messages) {
      if (event === 'event') {
        onEvents?.([body as EventShape]);
        continue;
      }
      const execution = body as ExecutionShape;
      if (event === 'execution') {
        onExecution?.(execution);
      }
      if (event === 'deleted' || hasEnded(execution)) {
        // the stream leaves documents out, and what is deleted is refused like everywhere else
        return await client.executions.get(executionId, signal);
      }
    }
  } catch (error) {
    if (!isConnected && error instanceof GantryApiError && [404, 405].includes(error.status)) {
      throw new NoStreamError('The manager has no streams', { cause: error });
    }
    throw error;
  }
  throw new Error('A stream ended that never ends by itself');
}

async function followByPaging(
  client: GantryClient,
  executionId: string,
  options: FollowOptions,
): Promise<ExecutionShape> {
  const reader = new EventReader(client, executionId, options);
  let pause = shortestPause;
  let silentSince: number | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const execution = await client.executions.get(executionId, options.signal);
      options.onExecution?.(execution);
      const count = await reader.read();
      silentSince = undefined;
      if (hasEnded(execution)) {
        return execution;
      }
      pause = count > 0 ? shortestPause : Math.min(pause * 1.6, longestPause);
    } catch (error) {
      if (!isPassing(error)) {
        throw error;
      }
      silentSince ??= performance.now();
      if (performance.now() - silentSince > (options.patience ?? 60_000)) {
        throw error;
      }
      if (error instanceof ManagerUnreachableError) {
        options.onUnreachable?.(error);
      }
      pause = longestPause;
    }
    await delay(pause, undefined, options.signal ? { signal: options.signal } : {});
  }
}

/** Whether the status of an execution never changes any more. */
export function hasEnded(execution: Pick<ExecutionShape, 'status'>): boolean {
  return endedExecutionStatuses.some((status) => status === execution.status);
}

/** Reads the events of one execution from where it stopped the last time. */
class EventReader {
  private readonly client: GantryClient;
  private readonly executionId: string;
  private readonly options: FollowOptions;
  private offset = 0;

  constructor(client: GantryClient, executionId: string, options: FollowOptions) {
    this.client = client;
    this.executionId = executionId;
    this.options = options;
  }

  /** Hands over what is new; returns how many events that were. */
  async read(): Promise<number> {
    if (!this.options.onEvents) {
      return 0;
    }
    const before = this.offset;
    for (;;) {
      const page = await this.client.executions.events({
        filters: { execution_id: this.executionId },
        withLogs: this.options.withLogs ?? true,
        size: pageSize,
        offset: this.offset,
        ...(this.options.signal ? { signal: this.options.signal } : {}),
      });
      this.offset += page.items.length;
      if (page.items.length > 0) {
        this.options.onEvents(page.items);
      }
      if (page.items.length < pageSize) {
        return this.offset - before;
      }
    }
  }
}

/** Follows an execution and swallows the end that deleting a deployment has: its own execution disappears with it. */
export async function followDeletion(
  client: GantryClient,
  executionId: string,
  options: FollowOptions = {},
): Promise<ExecutionShape | undefined> {
  try {
    return await followExecution(client, executionId, options);
  } catch (error) {
    if (error instanceof GantryApiError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}
