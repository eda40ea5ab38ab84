import type { OperationErrorCause, OperationErrorObject } from '../domain/operation-error.ts';
import { describeTask } from './task.ts';
import type { TaskFailure } from './task.ts';

/**
 * The error text of an execution whose graph failed: the failed tasks with their causes, and the traceback of the
 * first one.
 *
 * Compatibility: Cloudify 7 texts of failed executions.
 */
export function describeFailures(failures: readonly TaskFailure[]): string {
  const lines = failures.map((failure) => `${describeTask(failure.task)}: ${describeCauses(failure.error)}`);
  const summary =
    lines.length === 1 ? `Task failed: ${lines[0] ?? ''}` : `${lines.length} operation errors:\n${lines.join('\n')}`;
  const first = failures[0];
  const traceback = first ? tracebackOf(first.error) : '';
  return first && traceback !== ''
    ? `${summary}\nTraceback of ${describeTask(first.task)} (most recent call last):\n${traceback}`
    : summary;
}

function describeCauses(error: OperationErrorObject | undefined): string {
  if (!error) {
    return '';
  }
  const causes = causesOf(error);
  return causes.length > 0
    ? causes.map((cause) => `${cause.type} \`${cause.message}\``).join('\n')
    : `${error.exception_type} \`${error.message}\``;
}

function tracebackOf(error: OperationErrorObject | undefined): string {
  return causesOf(error)
    .flatMap((cause) => (cause.traceback ? [withoutFirstLine(cause.traceback.trim())] : []))
    .join('\n');
}

/** The causes as workers of any version send them: the list may be missing. */
function causesOf(error: OperationErrorObject | undefined): readonly OperationErrorCause[] {
  const causes: unknown = error?.known_exception_type_kwargs?.causes;
  return Array.isArray(causes) ? (causes as OperationErrorCause[]) : [];
}

function withoutFirstLine(text: string): string {
  const end = text.indexOf('\n');
  return end === -1 ? '' : text.slice(end + 1);
}
