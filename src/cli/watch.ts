import { followDeletion, followExecution } from '../client/follow.ts';
import type { FollowOptions } from '../client/follow.ts';
import type { GantryClient } from '../client/client.ts';
import type { ExecutionShape } from '../client/types.ts';
import { FailedOutcome, StoppedFollowing } from './errors.ts';
import type { Invocation } from './invocation.ts';
import { makeProgressView } from './progress.ts';

export interface WatchOptions {
  /** What the bar is called. */
  title: string;
  withLogs?: boolean;
  /** The execution disappears together with its deployment when it succeeds. */
  endsInDeletion?: boolean;
}

/**
 * Shows an execution until it has ended.
 * @returns the ended execution; undefined when it disappeared together with its deployment
 * @throws FailedOutcome when it failed or was cancelled
 */
export async function watchExecution(
  invocation: Invocation,
  client: GantryClient,
  execution: Pick<ExecutionShape, 'id'>,
  options: WatchOptions,
): Promise<ExecutionShape | undefined> {
  const isSilent = invocation.options.quiet === true || invocation.output.format !== 'table';
  const isVerbose = invocation.options.verbose === true;
  const view = isSilent ? undefined : makeProgressView(invocation.terminal, options.title, { withCauses: isVerbose });
  const follow: FollowOptions = {
    withLogs: options.withLogs ?? true,
    signal: invocation.signal,
    ...(view
      ? {
          onEvents: (events) => view.events(isVerbose ? events : events.filter(({ level }) => level !== 'debug')),
          onExecution: (current) => view.execution(current),
          onUnreachable: (error) => view.note(`${error.message}; waiting for it to come back`),
        }
      : {}),
  };
  let ended: ExecutionShape | undefined;
  try {
    const followed = options.endsInDeletion === true ? followDeletion : followExecution;
    ended = await followed(client, execution.id, follow);
  } catch (error) {
    throw invocation.signal.aborted ? stoppedFollowing(execution.id) : error;
  } finally {
    view?.stop();
  }
  if (ended && ended.status !== 'terminated') {
    throw failedExecution(ended);
  }
  return ended;
}

/** What a person is told who presses Ctrl-C: the manager goes on, and how to come back or end it. */
function stoppedFollowing(id: string): StoppedFollowing {
  return new StoppedFollowing(
    `Execution ${id} continues on the manager`,
    `Follow it again: gantry executions follow ${id}`,
    `Cancel it: gantry executions cancel ${id}`,
  );
}

function failedExecution(execution: ExecutionShape): FailedOutcome {
  const reason = execution.error ? `: ${execution.error}` : '';
  const hints =
    execution.status === 'failed'
      ? [
          `See its events: gantry events ${execution.id}`,
          `Mend the cause and go on where it stopped: gantry executions resume ${execution.id} --follow`,
        ]
      : [];
  const name = `Execution ${execution.id} (${execution.workflow_id})`;
  return new FailedOutcome(`${name} ended ${execution.status}${reason}`, ...hints);
}
