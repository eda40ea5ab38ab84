import { byDeed, isInterrupted } from './facts.ts';
import type { Evidence, OperationFacts } from './facts.ts';
import type { Incident } from './injector.ts';

export interface EventFacts {
  execution_id: string;
  event_type: string | null;
  instance: string | null;
  operation: string | null;
  /** Name of the process that wrote it. */
  manager: string | null;
  timestamp: Date;
  source_id: string | null;
  target_id: string | null;
}

/** Milliseconds by which a process may be late to die, or to be seen as dead. */
const slack = 2000;

/** Whether events tell all that happened, each once, and nothing ran twice without a reason. */
export function judgeEvents(
  operations: readonly OperationFacts[],
  events: readonly EventFacts[],
  { runs, incidents }: Pick<Evidence, 'runs' | 'incidents'>,
): string[] {
  const complaints: string[] = [];
  const deeds = byDeed(operations, ({ operation, instance, other }) => `${operation} ${instance} ${other}`);
  const told = byDeed(
    events.filter(({ operation }) => operation !== null),
    ({ operation, instance, source_id: source, target_id: target }) =>
      `${operation} ${instance} ${source === null ? null : source === instance ? target : source}`,
  );
  for (const [deed, attempts] of deeds) {
    const lines = told.get(deed) ?? [];
    const count = (type: string): number => lines.filter((line) => line.event_type === type).length;
    const expected = {
      sending_task: attempts.length,
      task_started: attempts.reduce((sum, { attempt }) => sum + attempt, 0),
      task_succeeded: attempts.filter(({ state }) => state === 'succeeded').length,
      task_failed: attempts.filter(({ state }) => state === 'failed').length,
      task_rescheduled: attempts.filter(({ state }) => state === 'rescheduled').length,
    };
    for (const [type, wanted] of Object.entries(expected)) {
      if (count(type) !== wanted) {
        complaints.push(`${deed}: ${count(type)} events ${type} instead of ${wanted}`);
      }
    }
    const again = attempts.some((row) => row.attempt > 1 || isInterrupted(row));
    if (again) {
      const reports = attempts.filter(isInterrupted).length;
      complaints.push(...judgeReruns(deed, lines, incidents).slice(reports));
    }
  }
  for (const run of runs) {
    const ends = events.filter((line) => line.execution_id === run.id && line.event_type === 'workflow_succeeded');
    if (ends.length !== 1) {
      complaints.push(`${run.workflow} ${run.id}: ${ends.length} events of its end`);
    }
  }
  return complaints;
}

/**
 * Starts of an operation after which it started again although the process that ran it had neither died nor seemed to,
 * one line each. An interrupted script starts once more only to say so; those are among them.
 */
function judgeReruns(deed: string, lines: readonly EventFacts[], incidents: readonly Incident[]): string[] {
  const starts = lines.filter((line) => line.event_type === 'task_started');
  return starts.slice(0, -1).flatMap((start, index) => {
    const next = starts[index + 1]?.timestamp.getTime() ?? Infinity;
    const cause = incidents.some(
      (incident) =>
        incident.fault.victim === start.manager &&
        incident.from < next + slack &&
        incident.until > start.timestamp.getTime() - slack,
    );
    return cause ? [] : [`${deed} ran again although nothing had happened to ${start.manager ?? 'its worker'}`];
  });
}
