import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { keyFileState, makeKeyFile, readKeyFile } from './key-file.ts';
import type { KeyRing } from './key-file.ts';

/** Encrypts what is stored about secrets and broker passwords. */
export interface SecretBox {
  /**
   * Text for a column: `<key id>.<nonce, ciphertext and tag>`.
   * @param purpose what is encrypted for one purpose is not decrypted for another; stored secrets have none
   */
  encrypt(text: string, purpose?: string): string;
  /** @throws Error when the text was changed, is no ciphertext, is for another purpose, or its key is not in the key file */
  decrypt(stored: string, purpose?: string): string;
  /** Whether it was encrypted with another key than the current one: write it anew. */
  isOutdated(stored: string): boolean;
}

const algorithm = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;
const keyIdLength = 8;
const storedForm = /^([A-Za-z0-9]{8})\.([A-Za-z0-9_-]+)$/;

/** What a ciphertext is bound to besides its key. */
function contextOf(keyId: string, purpose: string | undefined): Buffer {
  return Buffer.from(purpose === undefined ? keyId : `${keyId} ${purpose}`);
}

/** Makes a box of keys by id; `currentId` encrypts, all decrypt. */
export function createSecretBox(keys: KeyRing, currentId: string): SecretBox {
  const currentKey = keys.get(currentId);
  if (!currentKey) {
    throw new Error('A box of keys needs its current key');
  }
  return {
    encrypt(text, purpose) {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv(algorithm, currentKey, nonce);
      cipher.setAAD(contextOf(currentId, purpose));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `${currentId}.${Buffer.concat(parts).toString('base64url')}`;
    },
    decrypt(stored, purpose) {
      const [, id = '', payload = ''] = storedForm.exec(stored) ?? [];
      const key = keys.get(id);
      if (!key) {
        throw new Error(
          id
            ? `The key ${id} is not in the key file; put the old key file back or add its line`
            : 'Not an encrypted text',
        );
      }
      const bytes = Buffer.from(payload, 'base64url');
      if (bytes.length < nonceLength + tagLength) {
        throw new Error('The encrypted text is cut short');
      }
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceLength), { authTagLength: tagLength });
      decipher.setAAD(contextOf(id, purpose));
      decipher.setAuthTag(bytes.subarray(bytes.length - tagLength));
      const text = decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
    isOutdated: (stored) => !stored.startsWith(`${currentId}.`),
  };
}

/**
 * Opens the key file, one key a line, the first one current; makes it (readable by its owner only) when there is none.
 * The box follows the file: a key that is put in front while the process runs is used from then on.
 * @throws Error naming the file when it is no key file
 */
export async function openSecretBox(file: string): Promise<SecretBox> {
  await makeKeyFile(file);
  let { keys, state } = readKeyFile(file);
  const boxOf = (ring: KeyRing): SecretBox => createSecretBox(ring, ring.keys().next().value ?? '');
  let box = boxOf(keys);
  const current = (): SecretBox => {
    if (keyFileState(file) !== state) {
      ({ keys, state } = readKeyFile(file));
      box = boxOf(keys);
    }
    return box;
  };
  return {
    encrypt: (text, purpose) => current().encrypt(text, purpose),
    // what is known is read without asking for the file each time
    decrypt: (stored, purpose) => (keys.has(stored.slice(0, keyIdLength)) ? box : current()).decrypt(stored, purpose),
    isOutdated: (stored) => current().isOutdated(stored),
  };
}
