import { GantryError } from '../domain/errors.ts';
import { endedExecutionStatuses } from '../domain/states.ts';
import { deleteEndedExecutions } from '../store/execution-queue.ts';
import { listExecutions } from '../store/executions.ts';
import type { ListQuery } from '../store/scope.ts';
import { listScopeOf } from './caller.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import type { ServiceDependencies } from './dependencies.ts';

export interface PurgeRequest {
  /** Which executions may be removed at all. */
  readonly query: ListQuery;
  readonly isAllTenants: boolean;
  /** Keep the newest so many. */
  readonly keepLast: number | undefined;
  /** Only those created before. */
  readonly before: Date | undefined;
}

/**
 * Removes ended executions; never the one that created a deployment.
 * @returns how many
 * @throws GantryError bad_parameters_error
 */
export async function purgeExecutions(
  { database }: ServiceDependencies,
  caller: Caller,
  request: PurgeRequest,
): Promise<number> {
  if (request.keepLast !== undefined && request.before !== undefined) {
    throw new GantryError(
      'bad_parameters_error',
      'Must provide either a `to_datetime` timestamp or a `keep_last` number',
    );
  }
  const scope = listScopeOf(caller, request.isAllTenants, 'execution_list');
  const asked = request.query.filters?.['status'];
  const ended = endedExecutionStatuses.filter((status) => asked === undefined || asked.includes(status));
  if (ended.length === 0) {
    return 0;
  }
  return database.transactionAs(actorOf(caller), async (transaction) => {
    const { items } = await listExecutions(transaction, scope, {
      ...request.query,
      filters: { ...request.query.filters, status: ended },
      all: true,
      fields: ['id'],
    });
    return deleteEndedExecutions(transaction, {
      among: items.map(({ storageId }) => storageId),
      keepLast: request.keepLast,
      before: request.before,
    });
  });
}
