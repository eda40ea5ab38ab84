import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { Answer } from './route.ts';

/** File name as clients read it from the header; anything unusual becomes `_`. */
function headerName(fileName: string): string {
  return fileName.replaceAll(/[^\w.~ -]/g, '_');
}

function describe(response: Response, { fileName, bytes }: { fileName: string; bytes: number }): void {
  response.status(200).set({
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename="${headerName(fileName)}"`,
    'Content-Length': String(bytes),
    'Content-Description': 'File Transfer',
    'Cache-Control': 'no-cache',
  });
}

/** Sends what is packed on the way as a download. */
export async function sendStream(
  response: Response,
  file: { content: Readable; fileName: string; bytes: number },
): Promise<Answer> {
  describe(response, file);
  await pipeline(file.content, response);
  return 'sent';
}

/** Sends a file as a download. */
export async function sendFile(
  response: Response,
  file: { path: string; fileName: string; bytes: number },
): Promise<Answer> {
  describe(response, file);
  await pipeline(createReadStream(file.path), response);
  return 'sent';
}
