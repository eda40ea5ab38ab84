import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { GantryApiError, ManagerUnreachableError, connectionErrorCode } from './errors.ts';
import { readEventStream } from './event-stream.ts';
import type { StreamMemory } from './event-stream.ts';
import type { QueryValue, Transport } from './transport.ts';

/** A message of `/stream`: `event`, `execution`, `deployment`, `node_instance`, `deleted`. */
export interface LiveMessage {
  readonly event: string;
  readonly body: unknown;
}

export interface LiveOptions {
  /** Called before every connection is used, also the first: what was deleted in a gap is not told by the stream. */
  readonly onConnect?: () => Promise<void>;
  /** Called when the manager does not answer; following goes on. */
  readonly onUnreachable?: (error: ManagerUnreachableError) => void;
  /** Longest silence of the manager in milliseconds that is waited out. Default 60 000. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
}

/** The manager shows a sign of life every 15 seconds. */
const longestSilence = 45_000;
const defaultPause = 1000;

/** Whether trying again can help. */
export function isPassing(error: unknown): boolean {
  return error instanceof ManagerUnreachableError || (error instanceof GantryApiError && error.status >= 502);
}

/**
 * Follows `/stream` and goes on behind the last message when the connection breaks, so that nothing is missed and
 * nothing comes twice. Ends only by its caller.
 * @param query of `/stream`: topics, filters, from
 * @throws GantryApiError when the manager refuses: 404 where it has no streams, and when permissions were withdrawn
 * @throws ManagerUnreachableError when it stays away for longer than `patience`
 */
export async function* followLive(
  transport: Transport,
  query: Readonly<Record<string, QueryValue>>,
  { onConnect, onUnreachable, patience = 60_000, signal }: LiveOptions = {},
): AsyncGenerator<LiveMessage, void, undefined> {
  const memory: StreamMemory = {};
  let silentSince: number | undefined;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const body = await transport.open('/stream', {
        query,
        timeout: longestSilence,
        headers: {
          accept: 'text/event-stream',
          ...(memory.lastEventId === undefined ? {} : { 'last-event-id': memory.lastEventId }),
        },
        ...(signal ? { signal } : {}),
      });
      try {
        requireStream(body);
        await onConnect?.();
        silentSince = undefined;
        yield* messagesOf(transport, body, memory);
      } finally {
        body.destroy();
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) {
        throw error;
      }
      silentSince ??= performance.now();
      if (performance.now() - silentSince > patience) {
        throw error;
      }
      if (error instanceof ManagerUnreachableError) {
        onUnreachable?.(error);
      }
    }
    await delay(memory.retry ?? defaultPause, undefined, signal ? { signal } : {});
  }
}

/** @throws GantryApiError not_found_error for an answer of something else that took the path for its own */
function requireStream({ headers }: IncomingMessage): void {
  if (headers['content-type']?.startsWith('text/event-stream') !== true) {
    throw new GantryApiError('GET /stream', 404, 'not_found_error', 'The manager has no streams');
  }
}

/** The messages of one connection; a connection that breaks just ends. */
async function* messagesOf(
  transport: Transport,
  body: IncomingMessage,
  memory: StreamMemory,
): AsyncGenerator<LiveMessage, void, undefined> {
  const messages = readEventStream(body as AsyncIterable<Uint8Array>, memory);
  for (;;) {
    let next;
    try {
      next = await messages.next();
    } catch (error) {
      throw new ManagerUnreachableError(transport.url, connectionErrorCode(error), error);
    }
    if (next.done === true) {
      return;
    }
    const { event, data } = next.value;
    const parsed = JSON.parse(data) as unknown;
    if (event === 'end') {
      const { error_code: code, message } = parsed as { error_code: string; message: string };
      throw new GantryApiError('GET /stream', 403, code, message);
    }
    if (event !== 'ready') {
      yield { event, body: parsed };
    }
  }
}
