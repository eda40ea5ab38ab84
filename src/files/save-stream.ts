import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { limitBytes } from './limit-bytes.ts';
import type { ByteLimit } from './limit-bytes.ts';

/**
 * Writes what arrives to a new file; of what does not arrive completely nothing is left.
 * @param what names it in messages, e.g. `The file`
 * @returns its bytes
 * @throws GantryError request_too_large or what the limit says, and whatever the source fails with
 */
export async function saveStream(source: Readable, limit: ByteLimit, what: string, path: string): Promise<number> {
  const target = createWriteStream(path);
  try {
    await pipeline(source, limitBytes(limit, what), target);
    return (await stat(path)).size;
  } catch (error) {
    // the file may only be made after the source has failed, and would come back after its removal
    if (!target.closed) {
      await new Promise<void>((resolve) => target.once('close', () => resolve()));
    }
    await rm(path, { force: true });
    throw error;
  }
}
