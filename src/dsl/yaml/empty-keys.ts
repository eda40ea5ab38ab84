import { EVENT_ID, YAMLException } from 'js-yaml';
import type { Event } from 'js-yaml';

/** A collection that is being read: `isKeyNext` is whether its next value is a key. Lists never have one. */
interface Open {
  readonly isMapping: boolean;
  isKeyNext: boolean;
}

/**
 * Refuses keys of which nothing is written, `: value`. YAML 1.2 takes them for null; the language, being YAML 1.1, does
 * not have them, and they are a name that got lost.
 *
 * @param text the text the events refer to
 * @throws YAMLException with the place
 */
export function refuseEmptyKeys(events: readonly Event[], text: string): void {
  const open: Open[] = [];
  events.forEach((event, index) => {
    if (event.type === EVENT_ID.POP) {
      open.pop();
      return;
    }
    const parent = open.at(-1);
    if (parent?.isMapping) {
      if (parent.isKeyNext && isUnwritten(event)) {
        refuseAt(text, events[index + 1]);
      }
      parent.isKeyNext = !parent.isKeyNext;
    }
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING) {
      const isMapping = event.type === EVENT_ID.MAPPING;
      open.push({ isMapping, isKeyNext: isMapping });
    }
  });
}

/** Whether nothing stands for a value: no text, no tag and no anchor. */
function isUnwritten(event: Event): boolean {
  return event.type === EVENT_ID.SCALAR && event.valueStart === -1 && event.tagStart === -1 && event.anchorStart === -1;
}

/** Throws, with the place of the colon before the value where the value has one. */
function refuseAt(text: string, value: Event | undefined): never {
  const start = value?.type === EVENT_ID.SCALAR ? value.valueStart : value && 'start' in value ? value.start : -1;
  const reason = 'expected a key before this colon';
  if (start < 0) {
    throw new YAMLException(reason);
  }
  return YAMLException.throwAt(text, Math.max(text.lastIndexOf(':', start), 0), reason);
}
