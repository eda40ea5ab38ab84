import type { EventInput, EventRow } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { deleteEvents, insertEvents, listEvents } from '../store/events.ts';
import type { EventQuery } from '../store/events.ts';
import { getExecutionGroup } from '../store/execution-groups.ts';
import { getExecution } from '../store/executions.ts';
import { scopeOf } from './caller.ts';
import type { TenantCaller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';
import { requireOwnTenant } from './identifiers.ts';

/** An event or log line as a client sends it; whose it is comes with the call. */
export type NewEvent = Omit<
  EventInput,
  'executionId' | 'executionGroupId' | 'tenantId' | 'creatorId' | 'visibility' | 'timestamp' | 'storedAt'
> & { readonly timestamp?: Date; readonly storedAt?: Date };

/** What events are added to; at most one of them. Neither = the execution that calls. */
export interface EventOwner {
  readonly executionId: string | undefined;
  readonly executionGroupId: string | undefined;
}

export interface EventService {
  list(caller: TenantCaller, query: EventQuery): Promise<{ items: EventRow[]; total: number }>;
  /** Removes events of a deployment. @returns how many */
  remove(caller: TenantCaller, query: EventQuery): Promise<number>;
  /**
   * Stores events of an execution or a group of executions.
   * @throws GantryError conflict_error, not_found_error; illegal_action_error for those of another tenant
   */
  add(caller: TenantCaller, owner: EventOwner, events: readonly NewEvent[]): Promise<void>;
}

type FoundOwner = Pick<EventInput, 'executionId' | 'executionGroupId' | 'tenantId' | 'visibility'>;

/** Makes the use cases of events and logs. */
export function createEventService({ database, clock }: ServiceDependencies): EventService {
  const ownerOf = async (caller: TenantCaller, { executionId, executionGroupId }: EventOwner): Promise<FoundOwner> => {
    if (executionGroupId !== undefined) {
      const group = await getExecutionGroup(database, scopeOf(caller), executionGroupId, { fields: ['id'] });
      requireOwnTenant(caller, group);
      return { executionGroupId: group.id, tenantId: group.tenantId, visibility: group.visibility };
    }
    const execution =
      executionId === undefined ? caller.execution : await getExecution(database, scopeOf(caller), executionId);
    if (!execution) {
      throw new GantryError('conflict_error', 'No execution passed, and not authenticated by an execution token');
    }
    requireOwnTenant(caller, execution);
    return { executionId: execution.id, tenantId: execution.tenantId, visibility: execution.visibility };
  };
  return {
    list: (caller, query) => listEvents(database, scopeOf(caller), query),

    remove: (caller, query) => deleteEvents(database.actingAs(actorOf(caller)), scopeOf(caller), query),

    async add(caller, owner, events) {
      const { tenantId, visibility, ...of } = await ownerOf(caller, owner);
      await insertEvents(
        database.actingAs(actorOf(caller)),
        events.map((event) => ({
          ...event,
          timestamp: event.timestamp ?? new Date(clock.now()),
          ...of,
          tenantId,
          creatorId: caller.user.id,
          visibility,
        })),
      );
    },
  };
}
