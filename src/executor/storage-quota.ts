/** How many bytes tenants may have on the file server, for all ways in which files come there. */
import type { Tenant } from '../domain/entities.ts';
import type { FileStore } from '../files/file-store.ts';
import type { ByteLimit, StorageGate } from '../files/limit-bytes.ts';
import type { Database } from '../store/database.ts';
import type { Session, Transaction } from '../store/session.ts';
import { bookStorage, findStored, quotaExceeded, readBooked, readQuota } from '../store/tenant-quotas.ts';

type Owner = Pick<Tenant, 'id' | 'name'>;

/** Bytes of everything a tenant has on the file server: blueprints, plugins, working directories, snapshots, log bundles. */
export async function storedBytes(session: Session, files: FileStore, tenant: Owner): Promise<number> {
  return files.tenantBytes(tenant.name, await findStored(session, tenant.id));
}

function exceeded(tenant: Owner, more: string, limit: number, used: number): Error {
  return quotaExceeded(tenant.name, `bytes on the file server (${more} more were asked for)`, limit, used);
}

/** What a tenant had on the file server when it was measured. */
interface Measured {
  /** Undefined = no limit, and nothing was measured. */
  readonly limit: number | undefined;
  readonly used: number;
  /** What had been booked by then, see `bookStorage`. */
  readonly booked: number;
}

async function measure(session: Session, files: FileStore, tenant: Owner): Promise<Measured> {
  // read before the files are: what is put in place meanwhile counts twice rather than not at all
  const [{ storageBytes: limit }, booked] = await Promise.all([
    readQuota(session, tenant.id),
    readBooked(session, tenant.id),
  ]);
  const used = limit === undefined ? 0 : await storedBytes(session, files, tenant);
  return { limit, used, booked };
}

/** A refusal that does not count: others brought files, or the quota was set, since it was measured. */
class MeasuredBefore extends Error {
  readonly refusal: Error | undefined;

  constructor(refusal: Error | undefined) {
    super('What a tenant has was measured before it changed');
    this.refusal = refusal;
  }
}

async function book(transaction: Transaction, tenant: Owner, measured: Measured, bytes: number): Promise<void> {
  const { storageBytes: limit } = await readQuota(transaction, tenant.id);
  if (bytes <= 0 || limit === undefined) {
    return;
  }
  if (measured.limit === undefined) {
    throw new MeasuredBefore(undefined);
  }
  const since = (await bookStorage(transaction, tenant.id, bytes)) - measured.booked;
  if (measured.used + since <= limit) {
    return;
  }
  const refusal = exceeded(tenant, String(bytes), limit, measured.used);
  throw since > bytes ? new MeasuredBefore(refusal) : refusal;
}

/** Makes sure that so many more bytes are within a quota. @throws GantryError quota_exceeded_error */
export type Book = (bytes: number) => Promise<void>;

/** How often a tenant is measured again because others bring files all the time. */
const mostMeasurements = 5;

/**
 * Brings files for a tenant in a transaction. Others who do so wait from the first `book` to its end, so what is let in
 * has to be in place by then. Measuring, which takes its time where there are many files, is over before the transaction
 * begins; `work` runs again when that was too early.
 * @param session whose transactions are used
 * @throws what `work` does; GantryError quota_exceeded_error
 */
export async function withStorage<Result>(
  { session, files }: { session: Session; files: FileStore },
  tenant: Owner,
  work: (transaction: Transaction, book: Book) => Promise<Result>,
): Promise<Result> {
  for (let measurement = 1; ; measurement += 1) {
    const measured = await measure(session, files, tenant);
    try {
      return await session.transaction((transaction) =>
        work(transaction, (bytes) => book(transaction, tenant, measured, bytes)),
      );
    } catch (thrown) {
      if (!(thrown instanceof MeasuredBefore)) {
        throw thrown;
      }
      if (measurement >= mostMeasurements && thrown.refusal) {
        throw thrown.refusal;
      }
    }
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
      withStorage({ session: database, files }, tenant, async (_transaction, booked) => {
        await booked(bytes);
        return place();
      }),
  };
}
