import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { QueryValue, Transport } from './transport.ts';

/**
 * Downloads into a file, which is there only when all of it has come.
 * @param path below `/api/v3.1`
 * @param options `mode`: permissions of the file
 * @returns the name that the manager gives the file
 * @throws GantryApiError when the manager refuses; Error when the file cannot be written
 */
export async function downloadFile(
  transport: Transport,
  path: string,
  file: string,
  options: { query?: Readonly<Record<string, QueryValue>>; mode?: number } = {},
): Promise<string> {
  const { query = {}, mode = 0o666 } = options;
  const partial = `${file}.part`;
  try {
    const name = await transport.download(path, () => createWriteStream(partial, { mode }), { query });
    await rename(partial, file);
    return name;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
