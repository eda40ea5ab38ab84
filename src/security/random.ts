import { randomInt } from 'node:crypto';

const lowerAndDigits = 'abcdefghijklmnopqrstuvwxyz0123456789';
const lettersAndDigits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** `length` characters of `alphabet`, unpredictable. */
export function randomText(length: number, alphabet: string = lettersAndDigits): string {
  let text = '';
  for (let index = 0; index < length; index += 1) {
    text += alphabet[randomInt(alphabet.length)] ?? '';
  }
  return text;
}

/** The end of a generated name: six lower-case letters and digits, as node instances have. */
export function randomSuffix(length = 6): string {
  return randomText(length, lowerAndDigits);
}

/** A password for accounts of machines, such as tenants' broker users. */
export function randomPassword(length = 32): string {
  return randomText(length, `${lettersAndDigits}-_`);
}
