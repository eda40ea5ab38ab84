import { createHmac, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { ScryptOptions } from 'node:crypto';
import { promisify } from 'node:util';

const deriveScrypt = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
const derivePbkdf2 = promisify(pbkdf2);

/** Cost of new hashes: 16 MB and some 150 ms of one core. */
const cost = { ln: 14, r: 8, p: 5 } as const;
const saltLength = 16;
const keyLength = 32;
/** A stored hash may not make us spend more than this. */
const largest = { ln: 17, r: 16, p: 16, rounds: 2_000_000 } as const;

function encode(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}

/** Hashes a password for storage: `$scrypt$ln=14,r=8,p=5$<salt>$<hash>`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltLength);
  const { ln, r, p } = cost;
  const key = await deriveScrypt(password, salt, keyLength, { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r });
  return `$scrypt$ln=${ln},r=${r},p=${p}$${encode(salt)}$${encode(key)}`;
}

/**
 * A hash that no password has and that costs as much to compare with as a real one: for users who do not exist, so
 * that the time an answer takes does not tell who does.
 */
export const decoyHash = `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${encode(randomBytes(saltLength))}$${encode(randomBytes(keyLength))}`;

const scryptForm = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const pbkdf2Form = /^\$pbkdf2-sha256\$(\d{1,7})\$([A-Za-z0-9./]+)\$([A-Za-z0-9./]+)$/;

/** Whether `text` is a hash that `verifyPassword` understands, so that it may be stored as it is. */
export function isPasswordHash(text: string): boolean {
  return scryptForm.test(text) || pbkdf2Form.test(text);
}

async function verifyScrypt(password: string, match: RegExpExecArray): Promise<boolean> {
  const [, ln = '', r = '', p = '', salt = '', expected = ''] = match;
  const [logarithm, blockSize, parallel] = [Number(ln), Number(r), Number(p)];
  if (logarithm > largest.ln || blockSize > largest.r || parallel > largest.p) {
    return false;
  }
  const key = Buffer.from(expected, 'base64');
  const derived = await deriveScrypt(password, Buffer.from(salt, 'base64'), key.length, {
    N: 2 ** logarithm,
    r: blockSize,
    p: parallel,
    maxmem: 256 * 2 ** logarithm * blockSize,
  });
  return timingSafeEqual(derived, key);
}

async function verifyPbkdf2(password: string, match: RegExpExecArray, hashSalt: string | undefined): Promise<boolean> {
  const [, rounds = '', salt = '', expected = ''] = match;
  if (Number(rounds) > largest.rounds || Number(rounds) < 1) {
    return false;
  }
  // the older manager first signed the password with a salt of the whole installation
  const secret =
    hashSalt === undefined
      ? password
      : createHmac('sha512', hashSalt).update(password.normalize('NFKD')).digest('base64');
  const bytes = (text: string): Buffer => Buffer.from(text.replaceAll('.', '+'), 'base64');
  const key = bytes(expected);
  const derived = await derivePbkdf2(secret, bytes(salt), Number(rounds), key.length, 'sha256');
  return timingSafeEqual(derived, key);
}

export interface VerifyOptions {
  /**
   * `hash_salt` of the manager that users were imported from.
   *
   * Compatibility: Cloudify 7 passwords, PBKDF2 in the passlib form over an HMAC with that salt.
   */
  hashSalt?: string | undefined;
}

/**
 * Compares a password with its stored hash in constant time; a text that is no hash matches nothing. Takes some
 * 150 ms of a thread of the pool: cache what was verified.
 */
export async function verifyPassword(password: string, stored: string, options: VerifyOptions = {}): Promise<boolean> {
  const own = scryptForm.exec(stored);
  if (own) {
    return verifyScrypt(password, own);
  }
  const imported = pbkdf2Form.exec(stored);
  if (imported) {
    return verifyPbkdf2(password, imported, options.hashSalt);
  }
  return false;
}

/** Whether the hash was made with another method or cost than new ones: store a new one at the next login. */
export function needsRehash(stored: string): boolean {
  const { ln, r, p } = cost;
  return !stored.startsWith(`$scrypt$ln=${ln},r=${r},p=${p}$`);
}
