import { Transform } from 'node:stream';
import { GantryError } from '../domain/errors.ts';

/** Passes bytes on until there are too many. @throws (as stream error) GantryError request_too_large */
export function limitBytes(maxBytes: number, what: string): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        done(new GantryError('request_too_large', `${what} is larger than ${maxBytes} bytes`));
      } else {
        done(null, chunk);
      }
    },
  });
}
