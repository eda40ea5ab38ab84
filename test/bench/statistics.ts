/** How many requests were answered in which time; times in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * The value that `share` of all are not greater than (nearest rank).
 * @param sorted ascending; empty gives 0
 * @param share between 0 and 1
 */
export function percentile(sorted: readonly number[], share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? 0;
}

/** The middle one; the greater of both where there are two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * Sums up what was measured.
 * @param milliseconds time of every request
 * @param seconds how long was measured
 */
export function summarizeLatencies(milliseconds: readonly number[], seconds: number): LatencySummary {
  const sorted = milliseconds.toSorted((left, right) => left - right);
  return {
    count: sorted.length,
    perSecond: Math.round(sorted.length / seconds),
    p50: Number(percentile(sorted, 0.5).toFixed(3)),
    p99: Number(percentile(sorted, 0.99).toFixed(3)),
  };
}

/**
 * How a measure has grown: median of its last quarter over that of its first, 1 = flat. Medians, because garbage that
 * waits to be collected makes single samples meaningless.
 * @param samples in the order of time; fewer than four tell nothing and count as flat
 */
export function growthOf(samples: readonly number[]): number {
  const quarter = Math.floor(samples.length / 4);
  const first = median(samples.slice(0, quarter));
  return quarter === 0 || first === 0 ? 1 : median(samples.slice(-quarter)) / first;
}
