import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { Answer } from './route.ts';

/** File name as clients read it from the header; anything unusual becomes `_`. */
function headerName(fileName: string): string {
  return fileName.replaceAll(/[^\w.~ -]/g, '_');
}

/** Sends a file as a download. */
export async function sendFile(
  response: Response,
  file: { path: string; fileName: string; bytes: number },
): Promise<Answer> {
  response.status(200).set({
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename="${headerName(file.fileName)}"`,
    'Content-Length': String(file.bytes),
    'Content-Description': 'File Transfer',
    'Cache-Control': 'no-cache',
  });
  await pipeline(createReadStream(file.path), response);
  return 'sent';
}
