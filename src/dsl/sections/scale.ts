import type { ScalableProperties } from '../../domain/plan.ts';
import { defaultScale, unboundedInstances, unboundedText } from '../schema/scalable.ts';
import type { Raw } from '../types/schemas.ts';

/** Instance counts of a node or scaling group; values may be intrinsic functions. */
export function scaleOf(raw: Raw | null | undefined): ScalableProperties {
  const value = (key: keyof typeof defaultScale): number =>
    (raw?.[key] as number | null | undefined) ?? defaultScale[key];
  const maximum = value('max_instances') as number | string;
  const initial = value('default_instances');
  return {
    min_instances: value('min_instances'),
    max_instances: maximum === unboundedText ? unboundedInstances : (maximum as number),
    default_instances: initial,
    current_instances: initial,
    planned_instances: initial,
  };
}
