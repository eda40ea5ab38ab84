import { lstat, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** The account PostgreSQL runs as. PostgreSQL refuses to run as root, so root lends it another one. */
export interface Account {
  uid: number;
  gid: number;
}

const overflowId = 65534;

/**
 * The account to run the server as: nobody when this process is root, undefined when it runs as itself.
 * @param existing directory of an existing cluster, whose owner is kept
 */
export async function chooseAccount(existing: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const owner = await stat(existing).catch(() => undefined);
  if (owner && owner.uid !== 0) {
    return { uid: owner.uid, gid: owner.gid };
  }
  const accounts = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const [, , uid, gid] =
    accounts
      .split('\n')
      .find((line) => line.startsWith('nobody:'))
      ?.split(':') ?? [];
  return { uid: Number(uid ?? overflowId), gid: Number(gid ?? overflowId) };
}

/** Whether `account` may read (and enter) `path` and every directory above it. */
export async function isReachable(path: string, account: Account | undefined): Promise<boolean> {
  if (!account) {
    return true;
  }
  for (let current = resolve(path); ; current = dirname(current)) {
    const { mode, uid, gid } = await stat(current);
    const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
    const needed = current === resolve(path) ? 0o5 : 0o1;
    if (((mode >> shift) & needed) !== needed) {
      return false;
    }
    if (current === dirname(current)) {
      return true;
    }
  }
}

/** Whether something, even a dangling link, stands at `path`. */
export async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
