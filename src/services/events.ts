import type { EventInput, EventRow, Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { deleteEvents, insertEvents, listEvents } from '../store/events.ts';
import type { EventQuery } from '../store/events.ts';
import { getExecution } from '../store/executions.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';

/** An event or log line as a client sends it; whose it is comes with the call. */
export type NewEvent = Omit<
  EventInput,
  'executionId' | 'executionGroupId' | 'tenantId' | 'creatorId' | 'visibility' | 'timestamp'
> & { readonly timestamp?: Date };

export interface EventService {
  list(caller: TenantCaller, query: EventQuery): Promise<{ items: EventRow[]; total: number }>;
  /** Removes events of a deployment. @returns how many */
  remove(caller: TenantCaller, query: EventQuery): Promise<number>;
  /** Stores events of an execution: the named one, or the caller's own. @throws GantryError conflict_error */
  add(caller: TenantCaller, executionId: string | undefined, events: readonly NewEvent[]): Promise<void>;
}

/** Makes the use cases of events and logs. */
export function createEventService({ database, clock }: ServiceDependencies): EventService {
  const executionOf = async (caller: TenantCaller, id: string | undefined): Promise<Execution> => {
    if (id !== undefined) {
      return getExecution(database, scopeOf(caller), id);
    }
    if (!caller.execution) {
      throw new GantryError('conflict_error', 'No execution passed, and not authenticated by an execution token');
    }
    return caller.execution;
  };
  return {
    list: (caller, query) => listEvents(database, scopeOf(caller), query),

    remove: (caller, query) => deleteEvents(database.actingAs(actorOf(caller)), scopeOf(caller), query),

    async add(caller, executionId, events) {
      const execution = await executionOf(caller, executionId);
      await insertEvents(
        database.actingAs(actorOf(caller)),
        events.map((event) => ({
          ...event,
          timestamp: event.timestamp ?? new Date(clock.now()),
          executionId: execution.id,
          tenantId: execution.tenantId,
          creatorId: caller.user.id,
          visibility: execution.visibility,
        })),
      );
    },
  };
}
