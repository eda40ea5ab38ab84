import type { Execution } from '../domain/entities.ts';
import type { Database } from './database.ts';
import { findExecutionByToken } from './executions.ts';
import { readSettings } from './settings.ts';
import type { StoredToken } from './tokens.ts';
import { findToken, recordTokenUse } from './tokens.ts';
import type { Account } from './users.ts';
import { findAccount, findAccountByName, recordFailedLogin, recordLogin } from './users.ts';

/** Everything that finding out who calls needs. */
export interface Accounts {
  findByName(username: string): Promise<Account | undefined>;
  findById(id: number): Promise<Account | undefined>;
  findToken(id: string): Promise<StoredToken | undefined>;
  findExecutionByToken(tokenHash: string): Promise<Execution | undefined>;
  /** Whether some operation of the execution is not in a final state. */
  hasOpenOperations(execution: Execution): Promise<boolean>;
  recordLogin(userId: number): Promise<void>;
  recordFailure(userId: number): Promise<void>;
  recordTokenUse(tokenId: string): Promise<void>;
  /** Failures after which an account is locked, and for how many minutes (not positive = never). */
  lockRule(): Promise<{ failures: number; period: number }>;
}

async function hasOpenOperations(database: Database, execution: Execution): Promise<boolean> {
  const rows = await database.prepared(
    `select from operations operation join tasks_graphs graph on graph.storage_id = operation.tasks_graph_id
     where graph.execution_id = $1 and operation.state not in ('succeeded', 'failed', 'rescheduled') limit 1`,
    [execution.storageId],
  );
  return rows.length > 0;
}

/** The accounts of a database. */
export function createAccounts(database: Database): Accounts {
  return {
    findByName: (username) => findAccountByName(database, username),
    findById: (id) => findAccount(database, id),
    findToken: (id) => findToken(database, id),
    findExecutionByToken: (tokenHash) => findExecutionByToken(database, tokenHash),
    hasOpenOperations: (execution) => hasOpenOperations(database, execution),
    recordLogin: (id) => recordLogin(database, id),
    recordFailure: (id) => recordFailedLogin(database, id),
    recordTokenUse: (id) => recordTokenUse(database, id),
    lockRule: async () => {
      const settings = await readSettings(database, 'rest');
      return {
        failures: Number(settings.get('failed_logins_before_account_lock') ?? 4),
        period: Number(settings.get('account_lock_period') ?? -1),
      };
    },
  };
}
