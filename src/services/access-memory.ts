import { LRUCache } from 'lru-cache';

/** What was read while nothing changed that decides who may do what. */
export interface Remembered {
  /**
   * What `load` gives, asked for once; undefined is not remembered, so that nobody fills the memory with names that do
   * not exist.
   */
  remember<Value extends object | string>(
    key: string,
    load: () => Promise<Value | undefined>,
  ): Promise<Value | undefined>;
}

/** Remembers what decides who may do what, for as long as it is certain to be so. */
export interface AccessMemory {
  /** What holds now: every change that was committed before the call is known. */
  current(): Promise<Remembered>;
}

/** Users, tokens and the like that are remembered at a time. */
const capacity = 10_000;

class VersionedMemory implements Remembered {
  readonly version: number;
  readonly #entries = new LRUCache<string, Promise<unknown>>({ max: capacity });

  constructor(version: number) {
    this.version = version;
  }

  async remember<Value extends object | string>(
    key: string,
    load: () => Promise<Value | undefined>,
  ): Promise<Value | undefined> {
    const known = this.#entries.get(key);
    if (known) {
      return known as Promise<Value | undefined>;
    }
    const loading = load();
    this.#entries.set(key, loading);
    const forget = (): void => {
      this.#entries.delete(key);
    };
    loading.then((value) => (value === undefined ? forget() : undefined), forget);
    return loading;
  }
}

/** Remembers nothing: everything is read each time. */
export const noMemory: Remembered = { remember: (_key, load) => load() };

/**
 * Makes the memory of this process. The version is read for every call, so a change counts from its commit on, whichever
 * process made it; calls that come while it is being read share the next reading.
 * @param readVersion a number that is another one after every change
 */
export function createAccessMemory(readVersion: () => Promise<number>): AccessMemory {
  let memory = new VersionedMemory(Number.NaN);
  let reading: Promise<unknown> | undefined;
  let next: Promise<Remembered> | undefined;

  const read = async (): Promise<Remembered> => {
    const version = await readVersion();
    if (version !== memory.version) {
      memory = new VersionedMemory(version);
    }
    return memory;
  };
  const begin = (): Promise<Remembered> => {
    next = undefined;
    const outcome = read();
    const ended = outcome
      .catch(() => undefined)
      .then(() => {
        if (reading === ended) {
          reading = undefined;
        }
      });
    reading = ended;
    return outcome;
  };
  return {
    current() {
      if (!reading) {
        return begin();
      }
      // what is being read may be older than this call
      next ??= reading.then(begin);
      return next;
    },
  };
}
