import type { Tenant } from '../domain/entities.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import { activeExecutionStatuses } from '../domain/states.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session, Transaction } from './session.ts';
import { Parameters, assignments, onlyRow, withoutNulls } from './values.ts';

const columns = 'id, name, rabbitmq_username as "rabbitmqUsername", rabbitmq_vhost as "rabbitmqVhost"';

/** Broker account of a tenant; the password is encrypted. */
export interface TenantBroker {
  rabbitmqUsername: string;
  rabbitmqVhost: string;
  rabbitmqPassword: string;
}

/** Every tenant by name. */
export async function loadTenants(session: Session): Promise<Map<string, Tenant>> {
  const rows = await session.prepared<Tenant>(`select ${columns} from tenants order by name`);
  return new Map(rows.map((row) => [row.name, withoutNulls(row)]));
}

/** @throws GantryError not_found_error */
export async function getTenant(session: Session, name: string): Promise<Tenant> {
  const [tenant] = await session.prepared<Tenant>(`select ${columns} from tenants where name = $1`, [name]);
  if (!tenant) {
    throw notFound('Tenant', name);
  }
  return withoutNulls(tenant);
}

/**
 * The tenant, which nobody adds anything to until the transaction ends.
 * @throws GantryError not_found_error
 */
export async function lockTenant(transaction: Transaction, name: string): Promise<Tenant> {
  const [tenant] = await transaction.prepared<Tenant>(`select ${columns} from tenants where name = $1 for update`, [
    name,
  ]);
  if (!tenant) {
    throw notFound('Tenant', name);
  }
  return withoutNulls(tenant);
}

/** @throws GantryError conflict_error for a known name */
export async function createTenant(session: Session, name: string, broker?: TenantBroker): Promise<Tenant> {
  try {
    const rows = await session.prepared<Tenant>(
      `insert into tenants (name, rabbitmq_username, rabbitmq_vhost, rabbitmq_password) values ($1, $2, $3, $4)
       returning ${columns}`,
      [name, broker?.rabbitmqUsername ?? null, broker?.rabbitmqVhost ?? null, broker?.rabbitmqPassword ?? null],
    );
    return withoutNulls(onlyRow(rows));
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `<Tenant name=\`${name}\`> already exists`, { cause: error })
      : error;
  }
}

export async function updateTenantBroker(session: Session, id: number, broker: Partial<TenantBroker>): Promise<void> {
  const parameters = new Parameters();
  const set = assignments(
    {
      rabbitmq_username: broker.rabbitmqUsername,
      rabbitmq_vhost: broker.rabbitmqVhost,
      rabbitmq_password: broker.rabbitmqPassword,
    },
    parameters,
  );
  if (set) {
    await session.query(`update tenants set ${set} where id = ${parameters.add(id)}`, parameters.values);
  }
}

/** The encrypted password of a tenant's broker account. */
export async function readTenantBrokerPassword(session: Session, id: number): Promise<string | undefined> {
  const [row] = await session.prepared<{ password: string | null }>(
    'select rabbitmq_password as password from tenants where id = $1',
    [id],
  );
  return row?.password ?? undefined;
}

const owned = [
  ['blueprints', 'blueprints'],
  ['deployments', 'deployments'],
  ['plugins', 'plugins'],
  ['secrets', 'secrets'],
  ['sites', 'sites'],
  ['deployment groups', 'deployment_groups'],
  ['secrets providers', 'secrets_providers'],
] as const;

/** Kinds of resources a tenant still has; an empty tenant may be deleted. */
export async function findTenantContents(session: Session, id: number): Promise<string[]> {
  const selects = owned.map(
    ([kind, table]) => `select '${kind}' as kind where exists (select from ${table} where tenant_id = $1)`,
  );
  selects.push(
    `select 'running executions' where exists (select from executions where tenant_id = $1 and status = any($2))`,
  );
  const rows = await session.prepared<{ kind: string }>(selects.join(' union all '), [
    id,
    [...activeExecutionStatuses],
  ]);
  return rows.map(({ kind }) => kind);
}

/** Removes a tenant with what it still has. @returns whether it was there */
export async function deleteTenant(session: Session, id: number): Promise<boolean> {
  const rows = await session.prepared(
    `with gone as (delete from tenants where id = $1 returning id, name),
     unsent as (delete from outbox using gone where outbox.vhost = 'rabbitmq_vhost_' || gone.name)
     select id from gone`,
    [id],
  );
  return rows.length > 0;
}
