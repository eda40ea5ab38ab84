import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Encrypts what is stored about secrets and broker passwords. */
export interface SecretBox {
  /** Text for a column: `<key id>.<nonce, ciphertext and tag>`. */
  encrypt(text: string): string;
  /** @throws Error when the text was changed, is no ciphertext, or its key is not in the key file */
  decrypt(stored: string): string;
  /** Whether it was encrypted with another key than the current one: write it anew. */
  isOutdated(stored: string): boolean;
}

const algorithm = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;
const keyLength = 32;
const storedForm = /^([A-Za-z0-9]{8})\.([A-Za-z0-9_-]+)$/;

/** Makes a box of keys by id; `currentId` encrypts, all decrypt. */
export function createSecretBox(keys: ReadonlyMap<string, Buffer>, currentId: string): SecretBox {
  const currentKey = keys.get(currentId);
  if (!currentKey) {
    throw new Error('A box of keys needs its current key');
  }
  return {
    encrypt(text) {
      const nonce = randomBytes(nonceLength);
      const cipher = createCipheriv(algorithm, currentKey, nonce);
      cipher.setAAD(Buffer.from(currentId));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `${currentId}.${Buffer.concat(parts).toString('base64url')}`;
    },
    decrypt(stored) {
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
      decipher.setAAD(Buffer.from(id));
      decipher.setAuthTag(bytes.subarray(bytes.length - tagLength));
      const text = decipher.update(bytes.subarray(nonceLength, bytes.length - tagLength));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
    isOutdated: (stored) => !stored.startsWith(`${currentId}.`),
  };
}

function newKeyLine(): string {
  return `${randomBytes(4).toString('hex')} ${randomBytes(keyLength).toString('base64')}\n`;
}

function parseKeys(content: string, file: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const line of content.split('\n').filter((entry) => entry.trim() !== '')) {
    const [, id, text] = /^([A-Za-z0-9]{8}) ([A-Za-z0-9+/]{43}=)$/.exec(line.trim()) ?? [];
    if (id === undefined || text === undefined) {
      throw new Error(`${file} is not a key file: each line must be an id of 8 characters and 32 bytes in base64`);
    }
    keys.set(id, Buffer.from(text, 'base64'));
  }
  return keys;
}

async function createKeyFile(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(unfinished, newKeyLine(), { mode: 0o600, flag: 'wx' });
  try {
    // unlike a rename, a link does not replace the file of a process that was faster
    await link(unfinished, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  } finally {
    await rm(unfinished, { force: true });
  }
}

/**
 * Opens the key file, one key a line, the first one current; makes it (readable by its owner only) when there is none.
 * To rotate, put a new line first and keep the old ones.
 * @throws Error naming the file when it is no key file
 */
export async function openSecretBox(file: string): Promise<SecretBox> {
  const isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    await createKeyFile(file);
  }
  const keys = parseKeys(await readFile(file, 'utf8'), file);
  const [currentId] = keys.keys();
  if (currentId === undefined) {
    throw new Error(`The key file ${file} is empty; put it back, secrets cannot be read without it`);
  }
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    await chmod(file, 0o600);
  }
  return createSecretBox(keys, currentId);
}

/** Puts a new key in front of the others of a key file and returns its content. */
export function rotatedKeys(content: string): string {
  return newKeyLine() + content;
}
