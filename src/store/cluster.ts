/** The members of the cluster: managers, brokers and databases, with the certificates they are trusted by. */
import type { BrokerMember, DatabaseMember, ManagerMember } from '../domain/cluster.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import { isUniqueViolation } from './database-errors.ts';
import type { Session } from './session.ts';
import { Parameters, assignments, jsonChange, onlyRow, toJson, withoutNulls } from './values.ts';

const managerStatement = `
  select managers.id, hostname, private_ip as "privateIp", public_ip as "publicIp", version, edition, distribution,
    distro_release as "distroRelease", fs_sync_node_id as "fileSyncNodeId", networks, certificates.value as "caCertificate",
    last_seen as "lastSeen", status_report_frequency as "statusReportFrequency"
  from managers left join certificates on certificates.id = managers.ca_cert_id`;

const brokerStatement = `
  select brokers.name, host, management_host as "managementHost", port, username, password, params, networks,
    certificates.value as "caCertificate", is_external as "isExternal"
  from brokers left join certificates on certificates.id = brokers.ca_cert_id`;

/**
 * Managers by host name; `hostname` narrows to one. Machines that signed on by themselves are left out when nothing
 * was heard of them for a while: containers come back under other names.
 */
export async function listManagers(session: Session, hostname?: string): Promise<ManagerMember[]> {
  const rows = await session.prepared<ManagerMember>(
    `${managerStatement} where ($1::text is null or hostname = $1)
       and (status_report_frequency is null or last_seen > now() - interval '15 minutes') order by hostname`,
    [hostname ?? null],
  );
  return rows.map(withoutNulls);
}

export interface NewManager {
  hostname: string;
  privateIp: string;
  publicIp: string;
  version: string;
  edition: string;
  distribution: string;
  distroRelease: string;
  networks: JsonObject;
  caCertificateId?: number | undefined;
  fileSyncNodeId?: string | undefined;
  /** Seconds between its signs of life; undefined for one that was entered by hand and gives none. */
  statusReportFrequency?: number | undefined;
}

/** Enters a manager, or renews what is known about it. */
export async function putManager(session: Session, manager: NewManager): Promise<void> {
  try {
    await session.prepared(
      `insert into managers (hostname, private_ip, public_ip, version, edition, distribution, distro_release, networks, ca_cert_id,
         fs_sync_node_id, status_report_frequency)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
       on conflict (hostname) do update set private_ip = excluded.private_ip, public_ip = excluded.public_ip,
         version = excluded.version, edition = excluded.edition, distribution = excluded.distribution,
         distro_release = excluded.distro_release, networks = excluded.networks,
         ca_cert_id = coalesce(excluded.ca_cert_id, managers.ca_cert_id),
         fs_sync_node_id = coalesce(excluded.fs_sync_node_id, managers.fs_sync_node_id),
         status_report_frequency = excluded.status_report_frequency, last_seen = now()`,
      [
        manager.hostname,
        manager.privateIp,
        manager.publicIp,
        manager.version,
        manager.edition,
        manager.distribution,
        manager.distroRelease,
        toJson(manager.networks),
        manager.caCertificateId ?? null,
        manager.fileSyncNodeId ?? null,
        manager.statusReportFrequency ?? null,
      ],
    );
  } catch (error) {
    throw isUniqueViolation(error, 'managers_private_ip')
      ? new GantryError('conflict_error', `Another manager has the address ${manager.privateIp}`, { cause: error })
      : error;
  }
}

/** The manager of a host name, listed or not. */
export async function findManager(session: Session, hostname: string): Promise<ManagerMember | undefined> {
  const [row] = await session.prepared<ManagerMember>(`${managerStatement} where hostname = $1`, [hostname]);
  return row && withoutNulls(row);
}

export async function setFileSyncNode(session: Session, hostname: string, nodeId: string): Promise<void> {
  await session.prepared('update managers set fs_sync_node_id = $2 where hostname = $1', [hostname, nodeId]);
}

/** @returns whether it was there */
export async function deleteManager(session: Session, hostname: string): Promise<boolean> {
  const rows = await session.prepared('delete from managers where hostname = $1 returning id', [hostname]);
  return rows.length > 0;
}

/** Brokers by name. */
export async function listBrokers(session: Session): Promise<BrokerMember[]> {
  const rows = await session.prepared<BrokerMember>(`${brokerStatement} order by brokers.name`);
  return rows.map(withoutNulls);
}

export interface BrokerUpdate {
  host?: string | undefined;
  managementHost?: string | undefined;
  port?: number | undefined;
  username?: string | undefined;
  /** Encrypted. */
  password?: string | undefined;
  params?: Json | undefined;
  networks?: JsonObject | undefined;
  isExternal?: boolean | undefined;
  caCertificateId?: number | undefined;
}

function brokerColumns(update: BrokerUpdate): Record<string, unknown> {
  return {
    host: update.host,
    management_host: update.managementHost,
    port: update.port,
    username: update.username,
    password: update.password,
    params: jsonChange(update.params),
    networks: jsonChange(update.networks),
    is_external: update.isExternal,
    ca_cert_id: update.caCertificateId,
  };
}

/** @throws GantryError conflict_error for a known name */
export async function createBroker(
  session: Session,
  broker: BrokerUpdate & { name: string; host: string },
): Promise<void> {
  const parameters = new Parameters();
  const columns = Object.entries({ name: broker.name, ...brokerColumns(broker) }).filter(
    ([, value]) => value !== undefined,
  );
  try {
    await session.query(
      `insert into brokers (${columns.map(([name]) => name).join(', ')})
       values (${columns.map(([, value]) => parameters.add(value)).join(', ')})`,
      parameters.values,
    );
  } catch (error) {
    throw isUniqueViolation(error)
      ? new GantryError('conflict_error', `Broker ${broker.name} already exists`, { cause: error })
      : error;
  }
}

/** @returns whether it was there */
export async function updateBroker(session: Session, name: string, update: BrokerUpdate): Promise<boolean> {
  const parameters = new Parameters();
  const set = assignments(brokerColumns(update), parameters);
  const rows = await session.query(
    `${set ? `update brokers set ${set}` : 'select from brokers'} where name = ${parameters.add(name)} ${set ? 'returning name' : ''}`,
    parameters.values,
  );
  return rows.length > 0;
}

/** @returns whether it was there */
export async function deleteBroker(session: Session, name: string): Promise<boolean> {
  const rows = await session.prepared('delete from brokers where name = $1 returning name', [name]);
  return rows.length > 0;
}

/** Database nodes by name. */
export async function listDatabaseNodes(session: Session): Promise<DatabaseMember[]> {
  return session.prepared<DatabaseMember>('select name, host, is_external as "isExternal" from db_nodes order by name');
}

/** Makes the given nodes the only ones. */
export async function replaceDatabaseNodes(session: Session, nodes: readonly DatabaseMember[]): Promise<void> {
  await session.transaction(async (transaction) => {
    await transaction.prepared('delete from db_nodes where name <> all($1)', [nodes.map(({ name }) => name)]);
    await transaction.prepared(
      `insert into db_nodes (name, host, is_external)
       select * from unnest($1::text[], $2::text[], $3::boolean[])
       on conflict (name) do update set host = excluded.host, is_external = excluded.is_external`,
      [nodes.map(({ name }) => name), nodes.map(({ host }) => host), nodes.map(({ isExternal }) => isExternal)],
    );
  });
}

/** Stores a certificate (PEM) under a name. @returns its id */
export async function putCertificate(session: Session, name: string, pem: string, updaterId?: number): Promise<number> {
  const rows = await session.prepared<{ id: number }>(
    `insert into certificates (name, value, updated_at, updater_id) values ($1, $2, now(), $3)
     on conflict (name) do update set value = excluded.value, updated_at = now(), updater_id = excluded.updater_id
     returning id`,
    [name, pem, updaterId ?? null],
  );
  return onlyRow(rows).id;
}

/** The certificate (PEM) of a name. */
export async function findCertificate(session: Session, name: string): Promise<string | undefined> {
  const [row] = await session.prepared<{ value: string }>('select value from certificates where name = $1', [name]);
  return row?.value;
}
