import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Account } from './account.ts';
import { chooseAccount, exists, isReachable } from './account.ts';
import type { Binaries } from './binaries.ts';

const run = promisify(execFile);

/** Where everything of one embedded server lies. */
export interface ClusterPlaces {
  /** Belongs to the account of the server. */
  base: string;
  data: string;
  socket: string;
  log: string;
  passwordFile: string;
  ownerFile: string;
  account: Account | undefined;
}

export const superuser = 'gantry';
/** A socket path must fit into 107 bytes, with `/.s.PGSQL.5432` and a lock file's suffix. */
const longestSocketDirectory = 85;

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

async function makeOwned(directory: string, account: Account | undefined): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (account) {
    await chown(directory, account.uid, account.gid);
    await chmod(directory, 0o700);
  }
}

/**
 * Decides where the server lives. Root's own directories are often closed to everybody else; then the server's account
 * could not enter them, and the cluster goes below /var/lib instead.
 */
export async function placesOf(dataDir: string): Promise<ClusterPlaces> {
  const home = resolve(dataDir);
  await mkdir(home, { recursive: true });
  let base = join(home, 'postgres');
  let account = await chooseAccount(base);
  if (!(await isReachable(home, account))) {
    base = join('/var/lib', `gantry-${shortHash(home)}`);
    account = await chooseAccount(base);
  }
  await makeOwned(base, account);
  const near = join(base, 'socket');
  const socket = near.length <= longestSocketDirectory ? near : join(tmpdir(), `gantry-${shortHash(base)}`);
  await makeOwned(socket, account);
  return {
    base,
    data: join(base, 'data'),
    socket,
    log: join(base, 'postgres.log'),
    passwordFile: join(home, 'postgres-password'),
    ownerFile: join(home, 'postgres-owner'),
    account,
  };
}

/**
 * The password of the server's only user.
 * @param isOwner whether this process may make one when there is none; others wait for it
 */
export async function readPassword(places: ClusterPlaces, isOwner: boolean): Promise<string> {
  for (let attempt = 0; !isOwner && attempt < 100 && !(await exists(places.passwordFile)); attempt += 1) {
    await delay(20);
  }
  const stored = await readFile(places.passwordFile, 'utf8').catch(() => undefined);
  if (stored?.trim()) {
    return stored.trim();
  }
  if (!isOwner || (await exists(join(places.data, 'PG_VERSION')))) {
    throw new Error(
      `The database in ${places.data} has no password file any more: put ${places.passwordFile} back, or move ${places.data} away to start with an empty database.`,
    );
  }
  const password = randomBytes(24).toString('hex');
  await writeFile(places.passwordFile, `${password}\n`, { mode: 0o600 });
  return password;
}

async function majorVersion(postgres: string): Promise<number> {
  const { stdout } = await run(postgres, ['--version']);
  return Number(/(\d+)/.exec(stdout)?.[1] ?? 0);
}

export function spawnOptions(account: Account | undefined): {
  uid?: number;
  gid?: number;
  cwd: string;
  env: NodeJS.ProcessEnv;
} {
  return { ...(account ?? {}), cwd: '/', env: { PATH: process.env['PATH'], TZ: 'UTC', LC_ALL: 'C' } };
}

async function initialise(places: ClusterPlaces, binaries: Binaries, password: string, major: number): Promise<void> {
  const unfinished = join(places.base, 'data.new');
  const passwordFile = join(places.base, 'initial-password');
  await rm(unfinished, { recursive: true, force: true });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (places.account) {
      await chown(passwordFile, places.account.uid, places.account.gid);
    }
    const locale =
      major >= 17 ? ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : ['--locale=C.UTF-8'];
    await run(
      binaries.initdb,
      ['-D', unfinished, '-U', superuser, '-E', 'UTF8', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, ...locale],
      spawnOptions(places.account),
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(unfinished, places.data);
}

/**
 * Makes the data directory when there is none. An interrupted attempt leaves nothing that counts.
 * @returns the major version of the server
 * @throws Error when the data directory was written by another major version
 */
export async function ensureCluster(places: ClusterPlaces, binaries: Binaries, password: string): Promise<number> {
  const major = await majorVersion(binaries.postgres);
  const version = await readFile(join(places.data, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) {
    await initialise(places, binaries, password, major);
  } else if (Number(version) !== major) {
    throw new Error(
      `The database in ${places.data} was written by PostgreSQL ${version.trim()}, this program brings ${major}. Upgrade it with pg_upgrade, or use the version of this program that wrote it.`,
    );
  }
  return major;
}
