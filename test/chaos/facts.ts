import type { Incident } from './injector.ts';
import type { Run, Sighting } from './workload.ts';

export interface Evidence {
  readonly databaseUrl: string;
  /** Executions that have ended. */
  readonly runs: readonly Run[];
  readonly sightings: readonly Sighting[];
  readonly incidents: readonly Incident[];
  /** File that scripts wrote to. */
  readonly journal: string;
}

/** What the store knows about an operation. */
export interface OperationFacts {
  execution_id: string;
  id: string;
  type: string;
  state: string;
  attempt: number;
  instance: string | null;
  operation: string | null;
  other: string | null;
  error: string | null;
  has_result: boolean;
}

const interrupted = 'ended in the middle';

/** Whether an attempt failed because the process that ran it had ended in the middle. */
export function isInterrupted({ error }: Pick<OperationFacts, 'error'>): boolean {
  return error?.includes(interrupted) === true;
}

/** Rows of operations by what they do to what. */
export function byDeed<Row extends { execution_id: string }>(
  rows: readonly Row[],
  deed: (row: Row) => string,
): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row.execution_id} ${deed(row)}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}
