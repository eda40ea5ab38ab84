import type { EventInput, Execution } from '../domain/entities.ts';

/** The event of a decision of people about an execution. @param now milliseconds since the epoch */
export function controlEvent(execution: Execution, message: string, now: number): EventInput {
  return {
    kind: 'event',
    eventType: 'execution_state_change',
    timestamp: new Date(now),
    executionId: execution.id,
    tenantId: execution.tenantId,
    creatorId: execution.creatorId,
    visibility: execution.visibility,
    message,
  };
}
