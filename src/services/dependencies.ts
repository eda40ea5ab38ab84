import type { Config } from '../config/config.ts';
import type { Clock, IdGenerator } from '../domain/clock.ts';
import type { FileStore } from '../files/file-store.ts';
import type { Logger } from '../log/logger.ts';
import type { Database } from '../store/database.ts';
import type { Actor } from '../store/session.ts';
import type { Caller } from './caller.ts';
import type { ExecutionWaiter } from './execution-waiter.ts';
import type { OutboxPublisher } from './outbox.ts';

/** What the use cases work with. */
export interface ServiceDependencies {
  readonly config: Config;
  readonly log: Logger;
  readonly database: Database;
  readonly files: FileStore;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly outbox: OutboxPublisher;
  readonly waiter: ExecutionWaiter;
}

/** The caller as the audit log names it. */
export function actorOf(caller: Caller): Actor {
  const { user, execution, address, once } = caller;
  // operations of an execution come from workers by the thousand: the execution says more than their address
  return {
    username: user.username,
    ...(execution ? { executionId: execution.id } : { address }),
    ...(once ? { once } : {}),
  };
}
