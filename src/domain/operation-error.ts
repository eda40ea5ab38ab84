import type { Json } from './plan.ts';

/**
 * Failure of one operation as it travels in replies and is stored. Python plugins and workflows read the same
 * fields, so the names are theirs.
 */
export interface OperationErrorCause {
  type: string;
  message: string;
  traceback: string | null;
}

export interface OperationErrorObject {
  exception_type: string;
  message: string;
  traceback?: string;
  known_exception_type: KnownExceptionType;
  known_exception_type_args: Json[];
  known_exception_type_kwargs: { causes: OperationErrorCause[] };
  append_message: boolean;
}

/** What a failure means for the engine: retry (Recoverable, OperationRetry) or not. */
export type KnownExceptionType =
  'RecoverableError' | 'NonRecoverableError' | 'OperationRetry' | 'HttpException' | 'StopAgent' | 'WorkflowFailed';

/** The reply of a worker to one operation. */
export type OperationReply = { ok: true; result: Json } | { ok: false; error: OperationErrorObject };

interface OperationErrorInput {
  kind: KnownExceptionType;
  message: string;
  /** Class name of what was thrown, shown to people; defaults to `kind`. */
  type?: string;
  traceback?: string;
  /** Seconds until the next attempt. */
  retryAfter?: number;
}

/** Builds the error object of a reply; `causes` carries the original type, message and traceback for display. */
export function operationError(input: OperationErrorInput): OperationErrorObject {
  const suffix = ` [retry_after=${input.retryAfter}]`;
  const message =
    input.kind === 'RecoverableError' && input.retryAfter !== undefined && !input.message.includes(suffix)
      ? input.message + suffix
      : input.message;
  const takesRetryAfter = input.kind === 'RecoverableError' || input.kind === 'OperationRetry';
  return {
    exception_type: input.kind,
    message,
    known_exception_type: input.kind,
    known_exception_type_args: takesRetryAfter ? [input.retryAfter ?? null] : [],
    known_exception_type_kwargs: {
      causes: [{ type: input.type ?? input.kind, message, traceback: input.traceback ?? null }],
    },
    append_message: false,
  };
}

const interruptedType = 'OperationInterrupted';

/** The error of an operation that was running when its process died, and that does not say it can be resumed. */
export function interruptedOperation(): OperationErrorObject {
  const message = 'The process that ran this operation ended in the middle of it';
  return operationError({ kind: 'RecoverableError', type: interruptedType, message, retryAfter: 0 });
}

/** Whether an operation did not fail by itself: the process that ran it died. */
export function wasInterrupted(error: OperationErrorObject): boolean {
  return error.known_exception_type_kwargs.causes[0]?.type === interruptedType;
}

/** Seconds a failed operation asks to wait before its next attempt; scripts may send it as text. */
export function retryAfterOf(error: OperationErrorObject): number | undefined {
  const value = error.known_exception_type_args[0];
  const seconds = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
