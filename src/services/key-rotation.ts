import { GantryError } from '../domain/errors.ts';
import { addKey, readKeyFile, removeKeys } from '../security/key-file.ts';
import { openSecretBox } from '../security/secret-box.ts';
import type { Database } from '../store/database.ts';
import { countByKey, rewriteEncrypted } from '../store/encrypted-columns.ts';

/** A key of the key file, and how many stored texts are encrypted with it. */
export interface KeyUse {
  readonly id: string;
  readonly isCurrent: boolean;
  readonly uses: number;
}

export interface KeyRotation {
  /** The keys of the file, the current one first. @throws Error when the file is no key file */
  list(): Promise<KeyUse[]>;
  /**
   * Puts a new key in front and encrypts everything anew, while the manager runs or not. Interrupted, it is just
   * called again.
   */
  rotate(): Promise<{ id: string; rewritten: number }>;
  /** Removes the keys that nothing is encrypted with. @throws GantryError conflict_error within a minute of a rotation */
  prune(): Promise<string[]>;
}

/** Milliseconds for which a transaction may still store what it encrypted with the key before. */
const longestTransaction = 60_000;

/** Makes the use cases of the key that encrypts secrets. */
export function createKeyRotation({
  database,
  keyFile,
  lastChange,
  now,
}: {
  database: Database;
  keyFile: string;
  /** When the key file was changed last, in milliseconds since the epoch. */
  lastChange: () => Promise<number>;
  now: () => number;
}): KeyRotation {
  return {
    async list() {
      const { keys } = readKeyFile(keyFile);
      const uses = await countByKey(database);
      return [...keys.keys()].map((id, index) => ({ id, isCurrent: index === 0, uses: uses.get(id) ?? 0 }));
    },

    async rotate() {
      await openSecretBox(keyFile);
      const id = await addKey(keyFile);
      const box = await openSecretBox(keyFile);
      const rewritten = await rewriteEncrypted(database, id, (stored) => box.encrypt(box.decrypt(stored)));
      return { id, rewritten };
    },

    async prune() {
      const age = now() - (await lastChange());
      if (age < longestTransaction) {
        throw new GantryError(
          'conflict_error',
          `The key file was changed ${Math.round(age / 1000)} seconds ago, and what a running process has begun before may ` +
            'still be stored with an old key; try again in a minute',
        );
      }
      const uses = await countByKey(database);
      return removeKeys(keyFile, new Set(uses.keys()));
    },
  };
}
