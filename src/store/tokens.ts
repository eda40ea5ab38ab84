import type { Token } from '../domain/entities.ts';
import type { Session } from './session.ts';
import { withoutNulls } from './values.ts';

export interface StoredToken extends Token {
  secretHash: string;
  /** System role of its owner. */
  role: string;
  /** The token goes with this execution. */
  executionId: string | undefined;
}

export interface NewToken {
  id: string;
  secretHash: string;
  userId: number;
  description?: string | undefined;
  expirationDate?: Date | undefined;
  /** Storage id of an execution it belongs to. */
  executionStorageId?: number | undefined;
}

const statement = `
  select token.id, token.secret_hash as "secretHash", token.user_id as "userId", users.username, roles.name as role,
    token.description, token.created_at as "createdAt", token.last_used as "lastUsed",
    token.expiration_date as "expirationDate", execution.id as "executionId"
  from tokens token join users on users.id = token.user_id join roles on roles.id = users.role_id
  left join executions execution on execution.storage_id = token.execution_id`;

/** Stores a token and removes those of its owner that have expired. */
export async function createToken(session: Session, token: NewToken): Promise<void> {
  await session.prepared(
    `with expired as (delete from tokens where user_id = $3 and expiration_date < now())
     insert into tokens (id, secret_hash, user_id, description, expiration_date, execution_id)
     values ($1, $2, $3, $4, $5, $6)`,
    [
      token.id,
      token.secretHash,
      token.userId,
      token.description ?? null,
      token.expirationDate ?? null,
      token.executionStorageId ?? null,
    ],
  );
}

export async function findToken(session: Session, id: string): Promise<StoredToken | undefined> {
  const [token] = await session.prepared<StoredToken>(`${statement} where token.id = $1`, [id]);
  return token && withoutNulls(token);
}

/** Tokens of a user, or of everybody, oldest first. */
export async function listTokens(session: Session, userId?: number): Promise<StoredToken[]> {
  const rows = await session.prepared<StoredToken>(
    `${statement} where $1::integer is null or token.user_id = $1 order by token.created_at, token.id`,
    [userId ?? null],
  );
  return rows.map(withoutNulls);
}

/** @returns whether it was there */
export async function deleteToken(session: Session, id: string): Promise<boolean> {
  const rows = await session.prepared('delete from tokens where id = $1 returning id', [id]);
  return rows.length > 0;
}

export async function recordTokenUse(session: Session, id: string): Promise<void> {
  await session.prepared('update tokens set last_used = now() where id = $1', [id]);
}
