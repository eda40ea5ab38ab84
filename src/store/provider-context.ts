import { GantryError } from '../domain/errors.ts';
import type { JsonObject } from '../domain/plan.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session } from './session.ts';
import { toJson } from './values.ts';

export interface ProviderContext {
  name: string;
  context: JsonObject;
}

/** The only row there is. */
const rowId = 'CONTEXT';

export async function readProviderContext(session: Session): Promise<ProviderContext | undefined> {
  const [row] = await session.prepared<ProviderContext>('select name, context from provider_context where id = $1', [
    rowId,
  ]);
  return row;
}

/** @throws GantryError conflict_error when there is one */
export async function createProviderContext(session: Session, { name, context }: ProviderContext): Promise<void> {
  try {
    await session.prepared('insert into provider_context (id, name, context) values ($1, $2, $3)', [
      rowId,
      name,
      toJson(context),
    ]);
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', 'The provider context already exists; pass update=true to replace it', {
          cause: error,
        })
      : error;
  }
}

export async function replaceProviderContext(session: Session, { name, context }: ProviderContext): Promise<void> {
  await session.prepared(
    `insert into provider_context (id, name, context) values ($1, $2, $3)
     on conflict (id) do update set name = excluded.name, context = excluded.context`,
    [rowId, name, toJson(context)],
  );
}
