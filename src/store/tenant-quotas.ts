/** What tenants may use at most, and what they use. */
import { GantryError } from '../domain/errors.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { Session, Transaction } from './session.ts';
import { isAmong, onlyRow } from './values.ts';

/**
 * What is not counted among the executions of a tenant: the manager's own work on its blueprints and deployments, which
 * runs none of their operations.
 */
const uncountedWorkflows = ['create_deployment_environment', 'delete_deployment_environment', 'upload_blueprint'];

/** Whether an execution counts; an SQL condition of columns of `executions`. */
export const isCountedExecution = `(not is_system_workflow and not is_dry_run
  and workflow_id not in (${uncountedWorkflows.map((name) => `'${name}'`).join(', ')}))`;

/** Undefined = no limit. */
export interface TenantQuota {
  readonly deployments: number | undefined;
  /** Executions that run at once, those of the manager itself and dry runs not counted. */
  readonly executions: number | undefined;
  /** Blueprints, working directories, plugins, snapshots and log bundles on the file server. */
  readonly storageBytes: number | undefined;
}

export interface TenantUse {
  readonly deployments: number;
  readonly executions: number;
}

interface QuotaRow {
  deployments: number | null;
  executions: number | null;
  storageBytes: number | null;
}

const noQuota: TenantQuota = { deployments: undefined, executions: undefined, storageBytes: undefined };

function quotaOf(row: QuotaRow | undefined): TenantQuota {
  return row
    ? {
        deployments: row.deployments ?? undefined,
        executions: row.executions ?? undefined,
        storageBytes: row.storageBytes === null ? undefined : Number(row.storageBytes),
      }
    : noQuota;
}

/** The quota of a tenant. @param lock keeps others who count against it waiting until the transaction ends */
export async function readQuota(session: Session, tenantId: number, lock = false): Promise<TenantQuota> {
  const [row] = await session.prepared<QuotaRow>(
    `select deployments, executions, storage_bytes as "storageBytes" from tenant_quotas where tenant_id = $1
     ${lock ? 'for update' : ''}`,
    [tenantId],
  );
  return quotaOf(row);
}

/** Sets all limits of a tenant; executions that waited for room are looked at again after the commit. */
export async function putQuota(session: Session, tenantId: number, quota: TenantQuota): Promise<void> {
  await session.query(
    `insert into tenant_quotas (tenant_id, deployments, executions, storage_bytes) values ($1, $2, $3, $4)
     on conflict (tenant_id) do update set deployments = excluded.deployments, executions = excluded.executions,
       storage_bytes = excluded.storage_bytes`,
    [tenantId, quota.deployments ?? null, quota.executions ?? null, quota.storageBytes ?? null],
  );
  await session.query(`select pg_notify('gantry_queue', 'quota')`);
}

/** How much of what is counted in rows a tenant uses. */
export async function countUse(session: Session, tenantId: number): Promise<TenantUse> {
  const [row] = await session.prepared<TenantUse>(
    `select (select count(*) from deployments where tenant_id = $1)::integer as deployments,
       (select count(*) from executions where tenant_id = $1 and ${isAmong('status', activeExecutionStatuses)}
         and ${isCountedExecution})::integer as executions`,
    [tenantId],
  );
  return row ?? { deployments: 0, executions: 0 };
}

/** Ids of what a tenant has on the file server outside of its own directories. */
export interface StoredIds {
  readonly plugins: readonly string[];
  readonly snapshots: readonly string[];
  readonly logBundles: readonly string[];
}

/** What a tenant has on the file server outside of its own directories. */
export async function findStored(session: Session, tenantId: number): Promise<StoredIds> {
  const [row] = await session.prepared<StoredIds>(
    `select array(select id from plugins where tenant_id = $1) as plugins,
       array(select id from snapshots where tenant_id = $1) as snapshots,
       array(select id from log_bundles where tenant_id = $1) as "logBundles"`,
    [tenantId],
  );
  return row ?? { plugins: [], snapshots: [], logBundles: [] };
}

/** All bytes that a tenant has ever booked; what is added to it tells what others brought since it was read last. */
export async function readBooked(session: Session, tenantId: number): Promise<number> {
  const [row] = await session.prepared<{ booked: number }>('select booked from tenant_storage where tenant_id = $1', [
    tenantId,
  ]);
  return row?.booked ?? 0;
}

/**
 * Books bytes that a tenant brings. Others who bring files of the same tenant wait until the transaction ends.
 * @returns all bytes that it has ever booked, these included
 */
export async function bookStorage(transaction: Transaction, tenantId: number, bytes: number): Promise<number> {
  const rows = await transaction.prepared<{ booked: number }>(
    `insert into tenant_storage as known (tenant_id, booked) values ($1, $2)
     on conflict (tenant_id) do update set booked = known.booked + excluded.booked returning booked`,
    [tenantId, bytes],
  );
  return onlyRow(rows).booked;
}

/** The refusal of what would be more than a tenant may use. */
export function quotaExceeded(tenantName: string, what: string, limit: number, used: number): GantryError {
  return new GantryError(
    'quota_exceeded_error',
    `The tenant \`${tenantName}\` may have ${limit} ${what} and has ${used}. Remove some, or ask an administrator to ` +
      `raise the quota (gantry tenants quota ${tenantName})`,
    { details: { quota: { what, limit, used } } },
  );
}

const shown = { deployments: 'deployments', executions: 'executions that run at once' } as const;

/**
 * Makes sure that so many more are within the quota, also when others ask at the same time. For executions the queue has to
 * be locked already, since what waits in it begins without asking here.
 * @throws GantryError quota_exceeded_error
 */
export async function requireQuota(
  transaction: Transaction,
  tenant: { readonly id: number; readonly name: string },
  what: keyof typeof shown,
  count = 1,
): Promise<void> {
  await requireRoom(transaction, tenant, what, await readQuota(transaction, tenant.id, true), count);
}

/** The same by a quota that has been read and locked. @throws GantryError quota_exceeded_error */
export async function requireRoom(
  transaction: Transaction,
  tenant: { readonly id: number; readonly name: string },
  what: keyof typeof shown,
  { [what]: limit }: TenantQuota,
  count = 1,
): Promise<void> {
  if (limit === undefined) {
    return;
  }
  const used = (await countUse(transaction, tenant.id))[what];
  if (used + count > limit) {
    throw quotaExceeded(tenant.name, shown[what], limit, used);
  }
}
