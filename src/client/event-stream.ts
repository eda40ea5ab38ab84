import { StringDecoder } from 'node:string_decoder';

/** One message of a stream of server-sent events. */
export interface ServerSentEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

/** What a stream says besides its messages. */
export interface StreamMemory {
  /** Position to send as `Last-Event-ID` when the stream is opened again. */
  lastEventId?: string;
  /** Milliseconds to wait before that. */
  retry?: number;
}

/** Longest line that is accepted, in characters. */
const longestLine = 64 * 1024 * 1024;

/**
 * Reads a body of type text/event-stream, as the HTML standard describes it.
 * @param memory gets the id and the pause of the stream as they come; an id counts once its block is complete
 * @throws Error for a line that never ends
 */
export async function* readEventStream(
  body: AsyncIterable<Uint8Array>,
  memory: StreamMemory = {},
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const block = new Block(memory);
  for await (const line of linesOf(body)) {
    if (line !== '') {
      block.take(line);
      continue;
    }
    const message = block.finish();
    if (message) {
      yield message;
    }
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.write(Buffer.from(chunk));
    // a line may end with CR, LF or both: a CR at the very end waits for what follows
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > longestLine) {
      throw new Error('A line of the event stream is too long');
    }
    yield* lines;
  }
}

/** The lines between two empty ones. */
class Block {
  private readonly memory: StreamMemory;
  private data: string[] = [];
  private event = '';
  private id: string | undefined;

  constructor(memory: StreamMemory) {
    this.memory = memory;
  }

  take(line: string): void {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') {
      this.data.push(value);
    } else if (field === 'event') {
      this.event = value;
    } else if (field === 'id' && !value.includes('\0')) {
      this.id = value;
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      this.memory.retry = Number(value);
    }
  }

  finish(): ServerSentEvent | undefined {
    const { data, event, id } = this;
    this.data = [];
    this.event = '';
    this.id = undefined;
    if (id !== undefined) {
      this.memory.lastEventId = id;
    }
    return data.length > 0 ? { event: event || 'message', data: data.join('\n') } : undefined;
  }
}
