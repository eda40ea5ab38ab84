import type { Json } from '../../domain/plan.ts';
import { pythonEquals } from '../../dsl/constraints/index.ts';
import type { StepAction } from './step.ts';

/** The keys by which two mappings differ, and how. New keys come in their own order, removed ones last. */
export function differingKeys(
  next: object | null | undefined,
  previous: object | null | undefined,
  isSame: (next: Json, previous: Json) => boolean = pythonEquals,
): { action: StepAction; key: string }[] {
  const after = (next ?? {}) as Record<string, Json>;
  const before = (previous ?? {}) as Record<string, Json>;
  const differences: { action: StepAction; key: string }[] = [];
  for (const key of Object.keys(after)) {
    if (!Object.hasOwn(before, key)) {
      differences.push({ action: 'add', key });
    } else if (!isSame(after[key] as Json, before[key] as Json)) {
      differences.push({ action: 'modify', key });
    }
  }
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) {
      differences.push({ action: 'remove', key });
    }
  }
  return differences;
}

/** Whether two parts of stored documents are equal; undefined counts as null. */
export function isSameDocument(next: unknown, previous: unknown): boolean {
  return pythonEquals((next ?? null) as Json, (previous ?? null) as Json);
}
