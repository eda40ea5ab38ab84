/** How many bytes tenants may have on the file server, for all ways in which files come there. */
import type { Tenant } from '../domain/entities.ts';
import type { FileStore } from '../files/file-store.ts';
import type { ByteLimit, StorageGate } from '../files/limit-bytes.ts';
import type { Database } from '../store/database.ts';
import type { Session, Transaction } from '../store/session.ts';
import { findStored, lockStorage, quotaExceeded, readQuota } from '../store/tenant-quotas.ts';

type Owner = Pick<Tenant, 'id' | 'name'>;

/** Bytes of everything a tenant has on the file server: blueprints, plugins, working directories, snapshots, log bundles. */
export async function storedBytes(session: Session, files: FileStore, tenant: Owner): Promise<number> {
  return files.tenantBytes(tenant.name, await findStored(session, tenant.id));
}

function exceeded(tenant: Owner, more: string, limit: number, used: number): Error {
  return quotaExceeded(tenant.name, `bytes on the file server (${more} more were asked for)`, limit, used);
}

/**
 * Makes sure that so many more bytes are within the quota of a tenant. Others that ask for the same tenant wait until
 * the transaction ends, so what is let in has to be in place by then.
 * @throws GantryError quota_exceeded_error
 */
export async function requireStorage(
  transaction: Transaction,
  files: FileStore,
  tenant: Owner,
  bytes: number,
): Promise<void> {
  // nothing is measured where nothing is limited
  if (bytes <= 0 || (await readQuota(transaction, tenant.id)).storageBytes === undefined) {
    return;
  }
  await lockStorage(transaction, tenant.id);
  const { storageBytes: limit } = await readQuota(transaction, tenant.id);
  const used = limit === undefined ? 0 : await storedBytes(transaction, files, tenant);
  if (limit !== undefined && used + bytes > limit) {
    throw exceeded(tenant, String(bytes), limit, used);
  }
}

/**
 * What may arrive for a tenant now: `most` bytes, or what is left of its quota where that is less.
 * @returns the limit for something that takes the place of so many bytes
 */
async function measureRoom(
  session: Session,
  files: FileStore,
  tenant: Owner,
  most: number,
): Promise<(replaced: number) => ByteLimit> {
  const { storageBytes: limit } = await readQuota(session, tenant.id);
  if (limit === undefined) {
    return () => most;
  }
  const used = await storedBytes(session, files, tenant);
  return (replaced) => {
    const left = Math.max(0, limit - used + replaced);
    return left >= most ? most : { bytes: left, refusal: () => exceeded(tenant, `more than ${left}`, limit, used) };
  };
}

/** What may arrive for a tenant now: `most` bytes, or what is left of its quota where that is less. */
export async function arrivalLimit(
  session: Session,
  files: FileStore,
  tenant: Owner,
  most: number,
  replaced = 0,
): Promise<ByteLimit> {
  return (await measureRoom(session, files, tenant, most))(replaced);
}

/** The gate for files of a tenant. @param most bytes of one upload, whatever the quota */
export async function openStorageGate(
  { database, files }: { database: Database; files: FileStore },
  tenant: Owner,
  most: number,
): Promise<StorageGate> {
  const limitFor = await measureRoom(database, files, tenant, most);
  return {
    limit: (replaced = 0) => limitFor(replaced),
    admit: (bytes, place) =>
      database.transaction(async (transaction) => {
        await requireStorage(transaction, files, tenant, bytes);
        return place();
      }),
  };
}
