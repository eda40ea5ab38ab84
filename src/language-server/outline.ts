import type { SourceFile } from './workspace.ts';
import type { Spot } from './yaml-model.ts';

/** A section or one of its entries. */
export interface OutlineItem {
  readonly name: string;
  readonly detail: string;
  /** Section it is in; undefined for sections. */
  readonly section: string | undefined;
  readonly key: Spot;
  /** Offset at which its value ends. */
  readonly end: number;
  readonly children: OutlineItem[];
}

/** Sections with what they define. */
export function outlineOf({ model }: SourceFile): OutlineItem[] {
  const sections = new Map<string, OutlineItem>();
  for (const key of model.spots) {
    if (key.role !== 'key' || key.path.length > 2 || key.text === '') {
      continue;
    }
    const [section] = key.path;
    const type = model.valueAt([...key.path, 'type']) ?? model.valueAt([...key.path, 'derived_from']);
    const item: OutlineItem = {
      name: key.text,
      detail: key.path.length === 2 && typeof type === 'string' ? type : '',
      section: key.path.length === 2 ? String(section) : undefined,
      key,
      end: Math.max(key.end, model.extentOf(key.path)?.[1] ?? 0),
      children: [],
    };
    if (key.path.length === 1) {
      sections.set(key.text, item);
    } else {
      sections.get(String(section))?.children.push(item);
    }
  }
  return [...sections.values()];
}
