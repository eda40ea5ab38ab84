import { open } from 'node:fs/promises';
import { constants, gunzip } from 'node:zlib';
import { promisify } from 'node:util';

export const archiveFormats = ['zip', 'tar', 'tar.gz', 'tar.bz2'] as const;
export type ArchiveFormat = (typeof archiveFormats)[number];

const blockSize = 512;
const headBytes = 64 * 1024;
const inflate = promisify<Buffer, { finishFlush: number; maxOutputLength: number }, Buffer>(gunzip);

/** Whether the block is the header of a tar entry: its checksum field must be the sum of its bytes. */
function isTarHeader(block: Buffer): boolean {
  if (block.length < blockSize) {
    return false;
  }
  const stored = Number.parseInt(block.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8);
  let sum = 0;
  for (let position = 0; position < blockSize; position += 1) {
    sum += position >= 148 && position < 156 ? 32 : (block[position] ?? 0);
  }
  return stored === sum;
}

async function firstInflatedBlock(head: Buffer): Promise<Buffer> {
  try {
    return await inflate(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 1024 * headBytes });
  } catch {
    return Buffer.alloc(0);
  }
}

/**
 * Tells the format of an archive from its first bytes; names and content types are not looked at.
 * @param head the first 64 KiB of the file, or all of it when it is shorter
 */
async function formatOf(head: Buffer): Promise<ArchiveFormat | undefined> {
  const signature = head.toString('latin1', 0, 4);
  if (signature === 'PK\u0003\u0004' || signature === 'PK\u0005\u0006') {
    return 'zip';
  }
  if (head[0] === 0x1f && head[1] === 0x8b) {
    return isTarHeader(await firstInflatedBlock(head)) ? 'tar.gz' : undefined;
  }
  if (/^BZh[1-9](1AY&SY|\x17rE8P\x90)/.test(head.toString('latin1', 0, 10))) {
    return 'tar.bz2';
  }
  return isTarHeader(head) ? 'tar' : undefined;
}

/** Tells the format of the archive at `path`; undefined when it is none that can be unpacked. */
export async function detectArchiveFormat(path: string): Promise<ArchiveFormat | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return await formatOf(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
