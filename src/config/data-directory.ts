import { access, constants, mkdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Folders of `path` that are not there yet, the outermost first. */
async function missingFolders(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let current = path; ; current = dirname(current)) {
    try {
      if (!(await stat(current)).isDirectory()) {
        throw new Error(
          `The data directory ${path} cannot be made: ${current} is a file. Choose another one with --data.`,
        );
      }
      return missing.reverse();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') {
        throw error;
      }
      missing.push(current);
    }
  }
}

/**
 * Makes the data directory when it is not there, and makes sure that this process can write in it.
 * @returns its absolute path
 * @throws Error with one sentence on what is wrong and what to do
 */
export async function makeDataDirectory(directory: string): Promise<string> {
  const path = resolve(directory);
  try {
    // one by one: a recursive mkdir never ends in file systems that refuse without a reason, such as /proc
    for (const folder of await missingFolders(path)) {
      await mkdir(folder).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') {
          throw error;
        }
      });
    }
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = codeOf(error);
    if (!/^E[A-Z]+$/.test(code)) {
      throw error;
    }
    throw new Error(
      `The data directory ${path} cannot be used by ${userInfo().username} (${code}): allow it to write there, or choose another one with --data.`,
    );
  }
  return path;
}
