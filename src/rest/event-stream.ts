import type { Response } from 'express';
import type { LiveMessage } from '../services/live/messages.ts';
import type { Delivery, LiveReceiver } from '../services/live/subscription.ts';
import { deploymentShape } from './shapes/deployment.ts';
import { shapeEvent } from './shapes/event.ts';
import { executionShape } from './shapes/execution.ts';
import { project } from './shapes/field.ts';
import type { Field, Shape } from './shapes/field.ts';
import { nodeInstanceShape } from './shapes/node.ts';

/** Bytes that may wait for a client; a slow one gets nothing more until it has read them. */
const mostWaiting = 256 * 1024;
/** How long a client may read nothing at all, in milliseconds. */
const longestStall = 60_000;
/** Milliseconds a client should wait before it comes back. */
const retryAfter = 2000;

/** Members of a row that a stream does not carry: documents, and what is worked out for one answer only. */
function lightFields<Entity>(shape: Shape<Entity>, left: readonly string[]): readonly Field<Entity>[] {
  return shape.fields.filter(({ name, type }) => type !== 'json' && !left.includes(name));
}

const fields = {
  executions: lightFields(executionShape, []),
  deployments: lightFields(deploymentShape, ['workdir_zip', 'environment_type']),
  node_instances: lightFields(nodeInstanceShape, []),
};

function nameAndBody(message: LiveMessage): [name: string, body: object] {
  switch (message.topic) {
    case 'events':
      return ['event', shapeEvent(message.item)];
    case 'executions':
      return ['execution', project(fields.executions, message.item)];
    case 'deployments':
      return [
        'deployment',
        project(fields.deployments, { ...message.item, workflowViews: undefined, workdirZip: undefined }),
      ];
    case 'node_instances':
      return ['node_instance', project(fields.node_instances, message.item)];
    case 'deleted':
      return ['deleted', { topic: message.of, id: message.item.id }];
  }
}

/** Texts of messages, made once for all streams they go to. */
const texts = new WeakMap<LiveMessage, string>();

function textOf(message: LiveMessage): string {
  let text = texts.get(message);
  if (text === undefined) {
    const [name, body] = nameAndBody(message);
    text = `event: ${name}\ndata: ${JSON.stringify(body)}\n`;
    texts.set(message, text);
  }
  return text;
}

/** An answer of type text/event-stream. */
export class EventStream implements LiveReceiver {
  readonly #response: Response;
  #stall: NodeJS.Timeout | undefined;

  constructor(response: Response) {
    this.#response = response;
  }

  /** Sends the header and the first message, `ready`. */
  begin(body: object): void {
    this.#response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      // a proxy that would collect the answer
      'X-Accel-Buffering': 'no',
    });
    this.#response.flushHeaders();
    this.#response.socket?.setNoDelay(true);
    this.#write(`retry: ${retryAfter}\nevent: ready\ndata: ${JSON.stringify(body)}\n\n`);
  }

  deliver(deliveries: readonly Delivery[], position: string): boolean {
    const parts = deliveries.map(
      ({ message, position: behind }) => `${textOf(message)}${behind === undefined ? '' : `id: ${behind}\n`}\n`,
    );
    this.#write(`${parts.join('')}id: ${position}\n\n`);
    if (this.#response.writableLength < mostWaiting) {
      return true;
    }
    this.#stall ??= setTimeout(() => this.#response.destroy(), longestStall);
    return false;
  }

  async drained(): Promise<void> {
    const response = this.#response;
    if (response.writableLength >= mostWaiting) {
      await new Promise<void>((resolve, reject) => {
        response.once('drain', resolve);
        response.once('close', () => reject(new Error('The client has gone')));
      });
    }
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }

  /** Shows that the connection is alive, and how far the stream has got. */
  beat(position: string): void {
    if (this.#response.writableLength === 0) {
      this.#write(`id: ${position}\n\n`);
    }
  }

  /** Ends the answer, with a reason where coming back is of no use. */
  end(reason?: { error_code: string; message: string }): void {
    clearTimeout(this.#stall);
    this.#write(reason ? `event: end\ndata: ${JSON.stringify(reason)}\n\n` : '');
    this.#response.end();
  }

  #write(text: string): void {
    // the end may have been decided between two writes
    if (!this.#response.destroyed && !this.#response.writableEnded && text !== '') {
      this.#response.write(text);
    }
  }
}
