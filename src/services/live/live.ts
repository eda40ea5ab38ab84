import { GantryError } from '../../domain/errors.ts';
import type { Logger } from '../../log/logger.ts';
import type { Database } from '../../store/database.ts';
import { formatPosition, parsePosition } from '../../store/live.ts';
import { holdsAnywhere, listScopeOf, notPermitted, requirePermission } from '../caller.ts';
import type { Caller } from '../caller.ts';
import { LiveHub } from './hub.ts';
import { topicPermissions } from './messages.ts';
import type { LiveFilter, LiveScopes, LiveTopic } from './messages.ts';
import { Subscription } from './subscription.ts';
import type { LiveReceiver } from './subscription.ts';

/** Streams one process serves at once; more are refused, so that none of them starves. */
const maximumStreams = 1000;

export interface LiveFollowRequest {
  readonly topics: readonly LiveTopic[];
  readonly filter: LiveFilter;
  readonly isAllTenants: boolean;
  /** `now`, `start`, or the position an earlier stream had reached. */
  readonly from: string;
  readonly receiver: LiveReceiver;
  /** Called when the process stops. */
  readonly end: () => void;
}

export interface LiveStream {
  /** Whether it goes on exactly where an earlier stream had stopped. */
  readonly isResumed: boolean;
  /** How far it has got. */
  readonly position: string;
  /** Looks at the caller's permissions again. @throws GantryError forbidden_error */
  admit(caller: Caller): void;
  close(): void;
}

export interface LiveService {
  /** Open streams. */
  readonly size: number;
  /**
   * Starts to tell what changes.
   * @throws GantryError forbidden_error; bad_parameters_error for a position that is none, or for everything from the
   *   start without naming executions or deployments; manager_unavailable when there are too many streams
   */
  follow(caller: Caller, request: LiveFollowRequest): Promise<LiveStream>;
  /** Ends every stream; their clients come back to another process. */
  stop(): Promise<void>;
}

function scopesOf(caller: Caller, topics: readonly LiveTopic[], isAllTenants: boolean): LiveScopes {
  return new Map(
    topics.map((topic) => {
      const permission = topicPermissions[topic];
      if (!isAllTenants) {
        requirePermission(caller, permission);
      } else if (!holdsAnywhere(caller, permission)) {
        throw notPermitted(caller, permission);
      }
      return [topic, listScopeOf(caller, isAllTenants, permission)];
    }),
  );
}

function requireNarrow({ executionIds, executionGroupIds, deploymentIds }: LiveFilter): void {
  if (!executionIds && !executionGroupIds && !deploymentIds) {
    throw new GantryError(
      'bad_parameters_error',
      'A stream from the start needs execution_id, execution_group_id or deployment_id; use lists to read existing rows',
    );
  }
}

/** Makes the use case of following what happens. */
export function createLiveService({ database, log }: { database: Database; log: Logger }): LiveService {
  const hub = new LiveHub({ database, log });
  const open = new Map<Subscription, () => void>();
  let isStopped = false;
  return {
    get size() {
      return open.size;
    },

    async follow(caller, request) {
      const { topics, filter, isAllTenants, from, receiver, end } = request;
      const scopes = scopesOf(caller, topics, isAllTenants);
      if (from === 'start') {
        requireNarrow(filter);
      }
      if (isStopped || open.size >= maximumStreams) {
        const reason = isStopped ? 'is stopping' : `already serves ${maximumStreams} streams`;
        throw new GantryError('manager_unavailable', `This process ${reason}; try again in a moment`);
      }
      const start = from === 'now' || from === 'start' ? from : parsePosition(from);
      const subscription = new Subscription({ scopes, filter, from: start, receiver });
      open.set(subscription, end);
      try {
        const isResumed = await hub.add(subscription);
        return {
          isResumed,
          get position() {
            return formatPosition(subscription.position);
          },
          admit(current) {
            subscription.scopes = scopesOf(current, topics, isAllTenants);
          },
          close() {
            open.delete(subscription);
            hub.remove(subscription);
          },
        };
      } catch (error) {
        open.delete(subscription);
        throw error;
      }
    },

    async stop() {
      isStopped = true;
      open.forEach((end) => end());
      await hub.stop();
    },
  };
}
