import { readFile, readdir, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { NonRecoverableError } from '../sdk.ts';
import { isJsonObject } from '../session/paths.ts';
import type { Json } from '../../domain/plan.ts';
import type { InstalledPlugin } from '../types.ts';

/** What a plugin's directory says about how to run it. */
export type PluginContent = Pick<InstalledPlugin, 'kind' | 'entry'>;

/**
 * Tells what an unpacked plugin is: a wagon (Python), or a package of Node with the module it exports.
 * @param name the plugin's, for messages
 * @throws NonRecoverableError when it is neither
 */
export async function examinePlugin(directory: string, name: string): Promise<PluginContent> {
  const folder = await packageFolder(directory);
  const description = folder === undefined ? undefined : await readPackage(folder, name);
  if (folder === undefined || description === undefined) {
    throw new NonRecoverableError(`Plugin '${name}' has no package.json: pack it with one`);
  }
  if ('wheels' in description || 'package_source' in description) {
    return { kind: 'python', entry: undefined };
  }
  const module = exportedModule(description['exports']) ?? textOf(description['main']) ?? 'index.js';
  const entry = resolve(folder, module);
  if (!entry.startsWith(folder + sep) || !(await isFile(entry))) {
    throw new NonRecoverableError(`Plugin '${name}' names the module ${module}, which does not exist`);
  }
  return { kind: 'node', entry };
}

/** The folder with package.json: the directory itself or the one directory in it. */
async function packageFolder(directory: string): Promise<string | undefined> {
  if (await isFile(join(directory, 'package.json'))) {
    return directory;
  }
  const entries = await readdir(directory, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  const [only] = folders;
  return only !== undefined && folders.length === 1 && (await isFile(join(only, 'package.json'))) ? only : undefined;
}

async function readPackage(folder: string, name: string): Promise<Record<string, Json> | undefined> {
  try {
    const content = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Json;
    return isJsonObject(content) ? content : undefined;
  } catch (thrown) {
    throw new NonRecoverableError(`The package.json of plugin '${name}' is not JSON`, { cause: thrown });
  }
}

/** The module of `exports`, for import before require. */
function exportedModule(value: Json | undefined): string | undefined {
  if (typeof value === 'string') {
    return value;
  }
  if (!isJsonObject(value)) {
    return undefined;
  }
  const conditions = ['.', 'node', 'import', 'default', 'require'];
  return conditions.map((name) => exportedModule(value[name])).find((module) => module !== undefined);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}
