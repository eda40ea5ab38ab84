/** What every benchmark reports, as JSON on the last line. */
export interface BenchmarkResult {
  scenario: string;
  /** The figure that counts, in `unit`. */
  value: number;
  unit: string;
  /** What the machine itself is capable of, measured in the same run, in the same unit. */
  limit: number;
  limitUnit: string;
  /** value / limit */
  ratio: number;
  peakRssMiB: number;
  [detail: string]: unknown;
}

/** Rounds to three significant digits: more would pretend a precision that a shared machine does not have. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
