import type { Label } from '../../domain/entities.ts';

/** Labels on the wire. */
export function shapeLabels(labels: readonly Label[]): unknown[] {
  return labels.map(({ key, value, createdAt, createdBy }) => ({
    key,
    value,
    created_at: createdAt.toISOString(),
    created_by: createdBy,
  }));
}
