import type { Execution } from '../domain/entities.ts';
import { listExecutions } from './executions.ts';
import type { Session } from './session.ts';

/** Executions of any tenant by id, with one query; unknown ids are left out. */
export async function loadExecutions(
  session: Session,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Execution>> {
  if (ids.length === 0) {
    return new Map();
  }
  const everywhere = { tenantId: -1, tenants: 'all' } as const;
  const { items } = await listExecutions(session, everywhere, { all: true, filters: { id: ids } });
  return new Map(items.map((execution) => [execution.id, execution]));
}
