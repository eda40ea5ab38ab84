/** What tenants may use at most, and what they use. */
import { GantryError } from '../domain/errors.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import type { Session, Transaction } from './session.ts';

/** Undefined = no limit. */
export interface TenantQuota {
  readonly deployments: number | undefined;
  /** Executions that run at once, those of the manager itself not counted. */
  readonly executions: number | undefined;
  /** Archives, blueprints, working directories and plugins on the file server. */
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

/** Sets all limits of a tenant. */
export async function putQuota(session: Session, tenantId: number, quota: TenantQuota): Promise<void> {
  await session.query(
    `insert into tenant_quotas (tenant_id, deployments, executions, storage_bytes) values ($1, $2, $3, $4)
     on conflict (tenant_id) do update set deployments = excluded.deployments, executions = excluded.executions,
       storage_bytes = excluded.storage_bytes`,
    [tenantId, quota.deployments ?? null, quota.executions ?? null, quota.storageBytes ?? null],
  );
}

/** How much of what is counted in rows a tenant uses. */
export async function countUse(session: Session, tenantId: number): Promise<TenantUse> {
  const [row] = await session.prepared<TenantUse>(
    `select (select count(*) from deployments where tenant_id = $1)::integer as deployments,
       (select count(*) from executions where tenant_id = $1 and status = any($2) and not is_system_workflow)::integer
         as executions`,
    [tenantId, [...activeExecutionStatuses]],
  );
  return row ?? { deployments: 0, executions: 0 };
}

/** Ids of the plugins of a tenant. */
export async function pluginIdsOf(session: Session, tenantId: number): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>('select id from plugins where tenant_id = $1', [tenantId]);
  return rows.map(({ id }) => id);
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

/** Makes sure that one more is within the quota, also when others ask at the same time. @throws GantryError quota_exceeded_error */
export async function requireQuota(
  transaction: Transaction,
  tenant: { readonly id: number; readonly name: string },
  what: keyof typeof shown,
): Promise<void> {
  const limit = (await readQuota(transaction, tenant.id, true))[what];
  if (limit === undefined) {
    return;
  }
  const used = (await countUse(transaction, tenant.id))[what];
  if (used >= limit) {
    throw quotaExceeded(tenant.name, shown[what], limit, used);
  }
}
