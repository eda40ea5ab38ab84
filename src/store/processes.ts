import type { JsonObject } from '../domain/plan.ts';
import type { Session } from './session.ts';

/** A running process of the product. */
export interface ProcessRow {
  name: string;
  roles: readonly string[];
  startedAt: Date;
  lastSeen: Date;
  info: JsonObject;
}

const missing = (): never => {
  throw new Error('not there yet');
};

/** Enters this process, or renews its heartbeat. */
export async function beat(
  _session: Session,
  _process: { name: string; roles: readonly string[]; info?: JsonObject },
): Promise<void> {
  return missing();
}

/** Removes the process on a clean stop: what it drove is free at once. */
export async function leave(_session: Session, _name: string): Promise<void> {
  return missing();
}

/** Processes seen within `staleAfter` seconds (all when undefined). */
export async function listProcesses(_session: Session, _staleAfter?: number): Promise<ProcessRow[]> {
  return missing();
}
