import { Transform } from 'node:stream';
import { GantryError } from '../domain/errors.ts';

/** How much may arrive; a number where `request_too_large` says enough. */
export type ByteLimit = number | { readonly bytes: number; readonly refusal: () => Error };

/** What lets the files of one owner in, however many processes are asked at the same time. */
export interface StorageGate {
  /**
   * For what arrives: the largest upload, or what is left of a quota where that is less.
   * @param replaced bytes of what it takes the place of
   */
  limit(replaced?: number): ByteLimit;
  /**
   * Puts files that arrived in place.
   * @param bytes by which the owner's files grow
   * @throws GantryError quota_exceeded_error; nothing was put in place then
   */
  admit<Result>(bytes: number, place: () => Promise<Result>): Promise<Result>;
}

/** Passes bytes on until there are too many. @throws (as stream error) GantryError request_too_large, or the limit's own */
export function limitBytes(limit: ByteLimit, what: string): Transform {
  const { bytes: most, refusal } =
    typeof limit === 'number'
      ? {
          bytes: limit,
          refusal: () => new GantryError('request_too_large', `${what} is larger than ${limit} bytes`),
        }
      : limit;
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > most) {
        done(refusal());
      } else {
        done(null, chunk);
      }
    },
  });
}
