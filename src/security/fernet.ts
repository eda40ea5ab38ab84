/**
 * The container in which secrets travel between managers.
 *
 * Compatibility: Cloudify 7 secret export and import; keys of 64 bytes (HMAC-SHA256, AES-256) and, for reading only,
 * of 32 bytes as in Fernet (AES-128).
 */
import { createCipheriv, createDecipheriv, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
const version = 0x80;
const ivLength = 16;
const tagLength = 32;
const headerLength = 1 + 8 + ivLength;

interface KeyPair {
  signing: Buffer;
  encryption: Buffer;
  algorithm: 'aes-256-cbc' | 'aes-128-cbc';
}

function split(key: Buffer): KeyPair {
  if (key.length !== 64 && key.length !== 32) {
    throw new Error('A key must have 64 or 32 bytes');
  }
  const half = key.length / 2;
  return {
    signing: key.subarray(0, half),
    encryption: key.subarray(half),
    algorithm: half === 32 ? 'aes-256-cbc' : 'aes-128-cbc',
  };
}

/** The key that a passphrase stands for. */
export async function keyFromPassphrase(passphrase: string): Promise<Buffer> {
  return derive(passphrase, 'salt_', 100_000, 64, 'sha256');
}

/**
 * Encrypts a text.
 * @param now milliseconds since the epoch
 */
export function encryptFernet(key: Buffer, text: string, now: number): string {
  const { signing, encryption, algorithm } = split(key);
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv(algorithm, encryption, iv);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(now / 1000)));
  const signed = Buffer.concat([Buffer.from([version]), time, iv, cipher.update(text, 'utf8'), cipher.final()]);
  const tag = createHmac('sha256', signing).update(signed).digest();
  return Buffer.concat([signed, tag]).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/** Reads an encrypted text. @throws Error when the key is another one or the text was changed */
export function decryptFernet(key: Buffer, token: string): string {
  const { signing, encryption, algorithm } = split(key);
  const bytes = Buffer.from(token, 'base64url');
  const signed = bytes.subarray(0, -tagLength);
  const tag = createHmac('sha256', signing).update(signed).digest();
  if (
    bytes.length < headerLength + tagLength ||
    bytes[0] !== version ||
    !timingSafeEqual(tag, bytes.subarray(bytes.length - tagLength))
  ) {
    throw new Error('The text was encrypted with another key or is damaged');
  }
  const iv = signed.subarray(9, headerLength);
  const decipher = createDecipheriv(algorithm, encryption, iv);
  return Buffer.concat([decipher.update(signed.subarray(headerLength)), decipher.final()]).toString('utf8');
}
