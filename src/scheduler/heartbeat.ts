import { hostname, platform, release } from 'node:os';
import type { Config } from '../config/config.ts';
import { machineAddresses } from '../config/addresses.ts';
import { compatibleVersion } from '../domain/compatible-version.ts';
import type { Logger } from '../log/logger.ts';
import { putManager } from '../store/cluster.ts';
import type { Database } from '../store/database.ts';
import { beat, leave } from '../store/processes.ts';
import { Patience } from './patience.ts';

export interface HeartbeatDependencies {
  config: Config;
  log: Logger;
  database: Database;
}

export interface Heartbeat {
  /** Name under which the roles of this process claim work. */
  readonly processName: string;
  /** Seconds without heartbeat after which another process counts as dead now; see `Patience`. */
  readonly staleAfter: () => number;
  /** Ends the heartbeat and signs the process off: what it drove may be taken over at once. */
  stop(): Promise<void>;
  /** Ends the heartbeat only, as if the process had died; for tests of taking over. */
  abandon(): Promise<void>;
}

const longestBeat = 2000;
/** Heartbeats that may be lost or late before a living process counts as dead. */
const beatsPerStaleLimit = 3;

/** Seconds between signs of life, as clients are told. */
const reportFrequency = 5;

/** Lists this machine among the managers; a cluster works without, so it is no reason not to start. */
async function enterMachine(config: Config, log: Logger, database: Database): Promise<void> {
  const addresses = machineAddresses(config);
  try {
    await putManager(database, {
      hostname: hostname(),
      privateIp: addresses.private,
      publicIp: addresses.public,
      version: compatibleVersion,
      edition: 'premium',
      distribution: platform(),
      distroRelease: release(),
      networks: { default: addresses.private },
      statusReportFrequency: reportFrequency,
    });
  } catch (error) {
    log.warn('This machine could not be registered as a manager', { hostname: hostname(), addresses, error });
  }
}

/**
 * Signs this process on (every process runs one heartbeat, whatever its roles) and keeps it alive in the store; to be
 * started before the roles and stopped after them.
 */
export async function startHeartbeat({ config, log, database }: HeartbeatDependencies): Promise<Heartbeat> {
  const entry = { name: config.instanceName, roles: config.roles, info: { hostname: hostname() } };
  const pause = Math.min(longestBeat, (config.executor.staleAfterSeconds * 1000) / beatsPerStaleLimit);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const patience = new Patience(config.executor.staleAfterSeconds);
  const next = (): void => {
    if (isStopped) {
      return;
    }
    timer = setTimeout(() => {
      running = beat(database, entry)
        .then(() => patience.beat())
        .catch((error: unknown) => log.warn('Heartbeat not stored', { error }))
        .then(next);
    }, pause);
  };
  await enterMachine(config, log, database);
  await beat(database, entry);
  patience.beat();
  next();
  const abandon = async (): Promise<void> => {
    isStopped = true;
    clearTimeout(timer);
    await running;
  };
  return {
    processName: config.instanceName,
    staleAfter: () => patience.seconds(),
    abandon,
    stop: async () => {
      await abandon();
      await leave(database, config.instanceName).catch((error: unknown) =>
        log.warn('The process could not be signed off; others notice its missing heartbeat', { error }),
      );
    },
  };
}
