/** What this process and a process of a plugin tell each other. */
import type { JsonObject } from '../../domain/plan.ts';
import type { OperationHost, OperationLog, OperationOutcome, OperationRequest } from '../types.ts';

/** Effects a plugin's process asks for; logs and events are told without an answer. */
export type HostMethod = Exclude<keyof OperationHost, 'log' | 'sendEvent'>;

export type ToPlugin =
  | {
      type: 'run';
      entry: string;
      pluginName: string;
      request: OperationRequest;
      temporaryDirectory: string;
      workDirectory: string | undefined;
    }
  | { type: 'render'; text: string; variables: JsonObject }
  | { type: 'abort'; timeoutSeconds: number | undefined }
  | { type: 'answer'; call: number; value: unknown }
  | { type: 'refusal'; call: number; name: string; message: string; code: string | undefined };

export type FromPlugin =
  | { type: 'ready' }
  | { type: 'call'; call: number; method: HostMethod; args: readonly unknown[] }
  | { type: 'log'; entry: OperationLog }
  | { type: 'event'; message: string }
  | { type: 'done'; outcome: OperationOutcome }
  | { type: 'rendered'; text: string }
  | { type: 'render-failed'; message: string };
