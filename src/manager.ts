import type { Config } from './config/config.ts';
import type { Logger } from './log/logger.ts';
import type { RunningManager } from './cli/manager-control.ts';

export async function startManager(_config: Config, _log: Logger, _signal: AbortSignal): Promise<RunningManager> {
  throw new Error('not there yet');
}

export async function migrateDatabase(_config: Config, _log: Logger): Promise<readonly string[]> {
  throw new Error('not there yet');
}
