import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The name of a file for people: files below a folder relative to it; everything else, URLs of other machines included,
 * as it is.
 *
 * @param folder path of a folder
 * @param file path or URL
 */
export function nameWithin(folder: string, file: string): string {
  const path = file.startsWith('file:') ? fileURLToPath(file) : file;
  const shown = relative(folder, path);
  return /^[a-z]+:/i.test(path) || shown.startsWith('..') ? path : shown;
}
