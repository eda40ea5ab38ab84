import { COLLECTION_STYLE, EVENT_ID, getScalarValue, SCALAR_STYLE } from 'js-yaml';
import type { Event } from 'js-yaml';

type Events = readonly Event[];

/** Places of what is not in the text. */
const unwritten = { start: -1, anchorStart: -1, anchorEnd: -1, tagStart: -1, tagEnd: -1 };

/**
 * Lets the last of several merge keys of one mapping win, `<<: *a` before `<<: *b`, as YAML 1.1 loaders of blueprints
 * always did. js-yaml lets the first win, so the keys become one key with a list, in which the first wins everywhere.
 *
 * @param text the text the events refer to
 */
export function joinMergeKeys(events: Events, text: string): Events {
  const first = text.indexOf('<<');
  if (first === -1 || text.indexOf('<<', first + 2) === -1) {
    return events;
  }
  const cursor = { at: 0 };
  const joined: Event[] = [];
  while (cursor.at < events.length) {
    joined.push(...readNode(events, cursor, text));
  }
  return joined;
}

/** Reads a node with everything in it, its mappings joined. */
function readNode(events: Events, cursor: { at: number }, text: string): Event[] {
  const event = events[cursor.at] as Event;
  cursor.at += 1;
  if (event.type !== EVENT_ID.DOCUMENT && event.type !== EVENT_ID.SEQUENCE && event.type !== EVENT_ID.MAPPING) {
    return [event];
  }
  const children: Event[][] = [];
  while (events[cursor.at]?.type !== EVENT_ID.POP) {
    children.push(readNode(events, cursor, text));
  }
  const end = events[cursor.at] as Event;
  cursor.at += 1;
  const content = event.type === EVENT_ID.MAPPING ? joinMerges(children, text) : children;
  return [event, ...content.flat(), end];
}

/** Takes the keys and values of a mapping in turn, and puts its merge keys where the first of them stands. */
function joinMerges(children: Event[][], text: string): Event[][] {
  const places = [...children.keys()].filter((index) => index % 2 === 0 && isMergeKey(children[index], text));
  const values = places.map((place) => children[place + 1] ?? []);
  // An anchor has to stay before what refers to it.
  if (places.length < 2 || values.flat().some(hasAnchor)) {
    return children;
  }
  const [key = 0] = places;
  const sources = values.toReversed().flatMap(itemsOf);
  const list: Event = { type: EVENT_ID.SEQUENCE, ...unwritten, style: COLLECTION_STYLE.FLOW };
  const rest = children.filter((_, index) => index > key + 1 && !places.includes(index - (index % 2)));
  return [...children.slice(0, key + 1), [list, ...sources.flat(), { type: EVENT_ID.POP }], ...rest];
}

function hasAnchor(event: Event): boolean {
  return event.type !== EVENT_ID.ALIAS && 'anchorStart' in event && event.anchorStart !== -1;
}

function isMergeKey(node: Event[] | undefined, text: string): boolean {
  const [event] = node ?? [];
  const isPlain = event?.type === EVENT_ID.SCALAR && event.style === SCALAR_STYLE.PLAIN && event.tagStart === -1;
  return isPlain && event.valueStart !== -1 && getScalarValue(text, event) === '<<';
}

/** The items of a list, or the one node that is no list. */
function itemsOf(node: Event[]): Event[][] {
  if (node[0]?.type !== EVENT_ID.SEQUENCE) {
    return [node];
  }
  const items: Event[][] = [];
  const cursor = { at: 1 };
  while (cursor.at < node.length - 1) {
    items.push(sliceNode(node, cursor));
  }
  return items;
}

function sliceNode(events: Events, cursor: { at: number }): Event[] {
  const start = cursor.at;
  let depth = 0;
  do {
    const type = events[cursor.at]?.type;
    depth += type === EVENT_ID.SEQUENCE || type === EVENT_ID.MAPPING ? 1 : type === EVENT_ID.POP ? -1 : 0;
    cursor.at += 1;
  } while (depth > 0);
  return events.slice(start, cursor.at);
}
