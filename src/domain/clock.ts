/** The current time; injected, so that pure code and tests decide what "now" is. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Makes unique ids (UUIDs in production, counters in tests). */
export type IdGenerator = () => string;

/** Uniform random integers in [0, bound); injected wherever names are made up. */
export type RandomSource = (bound: number) => number;
