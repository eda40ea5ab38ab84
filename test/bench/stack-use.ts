import { rounded } from './report.ts';
import { startStack } from './stack.ts';
import type { Stack, StackOptions } from './stack.ts';

/** Starts a stack for as long as `work` takes. */
export async function withStack<Result>(
  options: StackOptions,
  work: (stack: Stack) => Promise<Result>,
): Promise<Result> {
  const stack = await startStack(options);
  try {
    return await work(stack);
  } finally {
    await stack.stop();
  }
}

/** Calls `work` for every number below `count`, `inFlight` at a time. */
export async function eachOf(count: number, inFlight: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, worker));
}

/** What every result tells of memory. */
export function memoryOf(stack: Stack): { peakRssMiB: number; peakRssByProcessMiB: Record<string, number> } {
  const { largest, byProcess } = stack.peaks();
  return { peakRssMiB: largest, peakRssByProcessMiB: byProcess };
}

/** Processor seconds of every process between two readings. */
export function processorUse(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([part, used]) => [part, Number((used - (before[part] ?? 0)).toFixed(2))]),
  );
}

/** The use of every process as text, in milliseconds for each of `count`. */
export function describeUse(used: Readonly<Record<string, number>>, count: number): string {
  const parts = Object.entries(used).map(([part, seconds]) => `${part} ${rounded((seconds * 1000) / count)}`);
  const sum = Object.values(used).reduce((total, seconds) => total + seconds, 0);
  return `${parts.join(', ')}; in all ${rounded((sum * 1000) / count)}`;
}
