/** What an archive may unpack to; everything beyond is refused and removed again. */
export interface UnpackLimits {
  /** Files and directories. */
  readonly maxEntries: number;
  /** Bytes of all files together. */
  readonly maxBytes: number;
  /** Unpacked bytes per packed byte, checked once more than `ratioFreeBytes` are unpacked. */
  readonly maxRatio: number;
  readonly ratioFreeBytes: number;
  /** Characters of one entry's path. */
  readonly maxPathLength: number;
  /** Directories above one entry. */
  readonly maxDepth: number;
}

const mebibyte = 1024 * 1024;

export const defaultUnpackLimits: UnpackLimits = {
  maxEntries: 10_000,
  maxBytes: 1024 * mebibyte,
  maxRatio: 200,
  ratioFreeBytes: 16 * mebibyte,
  maxPathLength: 1024,
  maxDepth: 64,
};
