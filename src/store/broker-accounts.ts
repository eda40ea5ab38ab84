/** What tenants and agents have on the message broker, and what is left of those that are gone. */
import type { Database } from './database.ts';
import type { Session, Transaction } from './session.ts';

export interface BrokerLeftover {
  readonly kind: 'vhost' | 'user';
  readonly name: string;
}

/** Any number nobody else uses. */
const lockKey = 7_163_016;

/** Keeps everybody else from making or removing accounts on the broker until the transaction ends. */
export async function lockBrokerAccounts(transaction: Transaction): Promise<void> {
  await transaction.query('select pg_advisory_xact_lock($1)', [lockKey]);
}

/**
 * Notes what has to be removed unless somebody owns it by then.
 * @param delay seconds to wait
 */
export async function noteLeftovers(
  session: Session,
  leftovers: readonly BrokerLeftover[],
  delay: number,
): Promise<void> {
  await session.query(
    `insert into broker_leftovers (kind, name, not_before)
     select kind, name, now() + make_interval(secs => $3) from unnest($1::text[], $2::text[]) as leftover (kind, name)
     on conflict (kind, name) do update set not_before = excluded.not_before`,
    [leftovers.map(({ kind }) => kind), leftovers.map(({ name }) => name), delay],
  );
}

/** Forgets what is not to be removed any more. */
export async function forgetLeftovers(session: Session, leftovers: readonly BrokerLeftover[]): Promise<void> {
  await session.query(
    `delete from broker_leftovers where (kind, name) in (select * from unnest($1::text[], $2::text[]))`,
    [leftovers.map(({ kind }) => kind), leftovers.map(({ name }) => name)],
  );
}

/** What is due to be removed, and milliseconds until the next one is. */
export async function dueLeftovers(session: Session): Promise<{ due: BrokerLeftover[]; nextIn: number | undefined }> {
  const rows = await session.query<BrokerLeftover & { wait: number }>(
    `select kind, name, extract(epoch from not_before - now())::float8 * 1000 as wait from broker_leftovers
     order by not_before, kind desc, name`,
  );
  const waits = rows.map(({ wait }) => wait).filter((wait) => wait > 0);
  return {
    due: rows.filter(({ wait }) => wait <= 0).map(({ kind, name }) => ({ kind, name })),
    nextIn: waits.length > 0 ? Math.ceil(Math.min(...waits)) : undefined,
  };
}

/** Whether a tenant or an agent has an account of that name. */
async function isOwned(session: Session, { kind, name }: BrokerLeftover): Promise<boolean> {
  const statement =
    kind === 'vhost'
      ? 'select from tenants where rabbitmq_vhost = $1'
      : 'select from tenants where rabbitmq_username = $1 union all select from agents where rabbitmq_username = $1';
  return (await session.query(statement, [name])).length > 0;
}

/**
 * Removes one leftover, while nobody makes accounts.
 * @param remove removes it from the broker; what is not there is fine
 */
export async function removeLeftover(
  database: Database,
  leftover: BrokerLeftover,
  remove: () => Promise<void>,
): Promise<void> {
  await database.transaction(async (transaction) => {
    await lockBrokerAccounts(transaction);
    if (!(await isOwned(transaction, leftover))) {
      await remove();
    }
    await forgetLeftovers(transaction, [leftover]);
  });
}

export interface StoredBrokerAccount {
  readonly tenantId: number;
  readonly tenantName: string;
  readonly username: string | null;
  readonly vhost: string | null;
  /** Encrypted. */
  readonly password: string | null;
}

/** The accounts of all tenants; those without one have nulls. */
export async function listBrokerAccounts(session: Session): Promise<StoredBrokerAccount[]> {
  return session.query<StoredBrokerAccount>(
    `select id as "tenantId", name as "tenantName", rabbitmq_username as username, rabbitmq_vhost as vhost,
       rabbitmq_password as password
     from tenants order by id`,
  );
}
