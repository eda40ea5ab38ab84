import { stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { NonRecoverableError } from '../sdk.ts';
import type { InstalledPlugin } from '../types.ts';
import { examinePlugin } from './plugin-entry.ts';

/**
 * A plugin that a blueprint brings in its own archive: the directory `plugins/<source>`. It runs from there.
 *
 * Compatibility: where Cloudify looks for the `source` of a plugin.
 *
 * @param directory - the blueprint's, absolute
 * @throws NonRecoverableError when there is no such directory, or it is no plugin
 */
export async function findBlueprintPlugin(directory: string, source: string, name: string): Promise<InstalledPlugin> {
  const folder = join(directory, 'plugins');
  const path = resolve(folder, source);
  const found = path.startsWith(folder + sep) ? await stat(path).catch(() => undefined) : undefined;
  if (!found?.isDirectory()) {
    throw new NonRecoverableError(
      `Plugin '${name}' has the source '${source}', but the blueprint has no directory plugins/${source}`,
    );
  }
  const content = await examinePlugin(path, name);
  // another upload under the same id is another directory
  return { id: `${found.ino}-${found.birthtimeMs}`, name, version: undefined, directory: path, ...content };
}

/** Whether a plugin comes with the blueprint, not from a URL or the manager. */
export function isOfBlueprint(source: string | null | undefined): source is string {
  return typeof source === 'string' && source !== '' && !/^[A-Za-z][A-Za-z0-9+.-]*:/.test(source);
}
