import { GantryError, errorCatalogue } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import type { OperationContext, OperationHost } from '../types.ts';
import type { FromPlugin, HostMethod, ToPlugin } from './protocol.ts';

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The effects of an operation as a plugin's process sees them: each is a message to the process that started it. */
export class RemoteHost {
  readonly #send: (message: FromPlugin) => void;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;

  constructor(send: (message: FromPlugin) => void) {
    this.#send = send;
  }

  /** Takes an answer to a call. */
  receive(message: Extract<ToPlugin, { type: 'answer' | 'refusal' }>): void {
    const pending = this.#pending.get(message.call);
    this.#pending.delete(message.call);
    if (message.type === 'answer') {
      pending?.resolve(message.value);
    } else {
      pending?.reject(refusalError(message));
    }
  }

  host(): OperationHost {
    const call =
      (method: HostMethod) =>
      (_context: OperationContext, ...args: unknown[]): Promise<never> =>
        this.#call(method, args);
    return {
      getNode: call('getNode'),
      getNodeInstance: call('getNodeInstance'),
      updateNodeInstance: call('updateNodeInstance'),
      evaluateFunctions: call('evaluateFunctions'),
      getSecret: call('getSecret'),
      readResource: call('readResource'),
      downloadResource: call('downloadResource'),
      writeDeploymentFile: call('writeDeploymentFile'),
      deleteDeploymentFile: call('deleteDeploymentFile'),
      ask: call('ask'),
      log: (_context, entry) => this.#send({ type: 'log', entry }),
      sendEvent: (_context, message) => this.#send({ type: 'event', message }),
    };
  }

  #call(method: HostMethod, args: readonly unknown[]): Promise<never> {
    this.#calls += 1;
    const call = this.#calls;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(call, { resolve, reject }));
    this.#send({ type: 'call', call, method, args });
    return answer as Promise<never>;
  }
}

function refusalError(message: Extract<ToPlugin, { type: 'refusal' }>): Error {
  if (message.code !== undefined && message.code in errorCatalogue) {
    return new GantryError(message.code as ErrorCode, message.message);
  }
  const error = new Error(message.message);
  error.name = message.name;
  return error;
}
