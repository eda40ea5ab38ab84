import type { Config } from '../config/config.ts';
import type { Logger } from '../log/logger.ts';
import type { KeyRotation } from '../services/key-rotation.ts';

/** A manager that runs in this process. */
export interface RunningManager {
  /** Address of the REST service; undefined when this process does not run the role `rest`. */
  readonly url: string | undefined;
  readonly adminUsername: string;
  /** Where the password of the administrator stands. */
  readonly adminPasswordFile: string;
  /** Whether the administrator was created by this start. */
  readonly isNew: boolean;
  /** What the person who starts it should know, one sentence each. */
  readonly notices: readonly string[];
  /** Ends everything; resolves when all is stored and closed. */
  stop(): Promise<void>;
}

/** What the command line needs of the manager's program; handed in so that clients never load it. */
export interface ManagerControl {
  start(config: Config, log: Logger, signal: AbortSignal): Promise<RunningManager>;
  /** Brings the database schema up to date; returns the migrations that ran. */
  migrate(config: Config, log: Logger): Promise<readonly string[]>;
  /** Works on the keys that encrypt secrets, with the database open meanwhile. */
  keys<Result>(config: Config, log: Logger, work: (rotation: KeyRotation) => Promise<Result>): Promise<Result>;
}
