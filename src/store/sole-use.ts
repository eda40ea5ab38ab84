import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Database } from './database.ts';

/** Any number nobody else uses. */
const soleUseLock = 7_163_102;
/** Milliseconds until the server has noticed the end of a process that was killed. */
const longestWait = 3000;
const pause = 100;

async function holderOf(client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string }>(
    `select application_name as name from pg_locks lock join pg_stat_activity activity using (pid)
     where lock.locktype = 'advisory' and lock.objid = $1 and lock.granted
       and lock.database = (select oid from pg_database where datname = current_database())`,
    [soleUseLock],
  );
  return rows[0]?.name;
}

/**
 * Makes sure that one process at most works on the database with a broker of its own: messages of the one would never
 * reach the other. The lock is held by a connection, so it ends with the process, however that comes.
 * @returns gives the lock back
 * @throws Error with one sentence on what to do when another process has it
 */
export async function claimSoleUse(database: Database): Promise<() => Promise<void>> {
  const client = database.newConnection();
  client.on('error', () => undefined);
  await client.connect();
  try {
    for (const deadline = Date.now() + longestWait; ; await delay(pause)) {
      const { rows } = await client.query<{ isMine: boolean }>('select pg_try_advisory_lock($1) as "isMine"', [
        soleUseLock,
      ]);
      if (rows[0]?.isMine === true) {
        return async () => {
          await client.end().catch(() => undefined);
        };
      }
      if (Date.now() > deadline) {
        const holder = await holderOf(client);
        throw new Error(
          `Another manager${holder === undefined ? '' : ` (${holder})`} works on this database already. Stop it first, give this one a folder of its own with --data, or let both use a RabbitMQ with --amqp.`,
        );
      }
    }
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}
