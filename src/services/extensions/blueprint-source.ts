import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Execution } from '../../domain/entities.ts';
import { GantryError } from '../../domain/errors.ts';
import type { FileStore, ReceivedArchive } from '../../files/file-store.ts';
import type { ByteLimit } from '../../files/limit-bytes.ts';
import { packDirectory } from '../../files/pack.ts';
import { parseResourcePath } from '../../files/resource-path.ts';

/**
 * The archive that a component names: a URL, or an archive or directory in the blueprint of the operation's deployment.
 * @throws GantryError not_found_error, bad_parameters_error
 */
export async function findArchive(
  files: FileStore,
  execution: Execution,
  written: string,
  limit: ByteLimit,
): Promise<ReceivedArchive | { url: string }> {
  if (/^https?:\/\//i.test(written)) {
    return { url: written };
  }
  const { parts } = parseResourcePath(written.split('/').map(encodeURIComponent).join('/'));
  const place = ['blueprints', execution.tenantName, execution.blueprintId ?? '', ...parts];
  const found = parts.length > 0 ? await files.find(place) : undefined;
  if (!found) {
    throw new GantryError(
      'not_found_error',
      `blueprint_archive ${written}: neither a URL nor a file or directory in the blueprint ${execution.blueprintId ?? ''}`,
    );
  }
  const content = found.isDirectory ? packDirectory(found.path, basename(found.path)) : createReadStream(found.path);
  return files.receiveArchive(content, limit, 'Blueprint');
}
