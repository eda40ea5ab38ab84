import type { Arrow, Box, Diagram } from './model.ts';

/** A box with its place in the drawing, in pixels. */
export interface PlacedBox {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Containers it stands in. */
  readonly depth: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Containers before what they contain. */
  readonly boxes: readonly PlacedBox[];
}

const padding = 16;
const headerHeight = 44;
const gap = { across: 32, down: 56 };
const characterWidth = 7.2;
const leastWidth = 120;
const leastRow = 6;

interface Sized {
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly inside: readonly { readonly child: Sized; readonly x: number; readonly y: number }[];
}

/**
 * Places boxes in layers, those that arrows start from above those they point to, inside every container anew.
 * Time is linear in boxes and arrows.
 */
export function layOut({ boxes, arrows }: Diagram): Layout {
  const chains = ancestorChains(boxes);
  const lifted = liftArrows(arrows, chains);
  const { placed: top, width, height } = arrange(boxes, lifted, undefined);
  const result: PlacedBox[] = [];
  const place = ({ box, width: own, height: tall, inside }: Sized, x: number, y: number, depth: number): void => {
    result.push({ box, x, y, width: own, height: tall, depth });
    for (const { child, x: left, y: down } of inside) {
      place(child, x + left, y + down, depth + 1);
    }
  };
  for (const { child, x, y } of top) {
    place(child, x + padding, y + padding, 0);
  }
  return { width: width + 2 * padding, height: height + 2 * padding, boxes: result };
}

/** Node name -> the boxes around it, itself last. */
function ancestorChains(boxes: readonly Box[]): Map<string, Box[]> {
  const chains = new Map<string, Box[]>();
  const visit = (box: Box, above: readonly Box[]): void => {
    const chain = [...above, box];
    if (box.kind === 'node') {
      chains.set(box.name, chain);
    }
    for (const child of box.children) {
      visit(child, chain);
    }
  };
  for (const box of boxes) {
    visit(box, []);
  }
  return chains;
}

/** Box around both ends (undefined: the drawing) -> pairs of its children that arrows lead between. */
function liftArrows(
  arrows: readonly Arrow[],
  chains: ReadonlyMap<string, readonly Box[]>,
): Map<Box | undefined, [Box, Box][]> {
  const lifted = new Map<Box | undefined, [Box, Box][]>();
  for (const { from, to } of arrows) {
    const left = chains.get(from) ?? [];
    const right = chains.get(to) ?? [];
    let shared = 0;
    while (shared < left.length && left[shared] === right[shared]) {
      shared += 1;
    }
    const pair = [left[shared], right[shared]] as const;
    if (pair[0] && pair[1]) {
      const parent = left[shared - 1];
      const pairs = lifted.get(parent) ?? [];
      pairs.push([pair[0], pair[1]]);
      lifted.set(parent, pairs);
    }
  }
  return lifted;
}

function arrange(
  boxes: readonly Box[],
  lifted: ReadonlyMap<Box | undefined, [Box, Box][]>,
  parent: Box | undefined,
): { placed: { child: Sized; x: number; y: number }[]; width: number; height: number } {
  const rows = rowsOf(boxes, lifted.get(parent) ?? []).map((row) => row.map((box) => sizeOf(box, lifted)));
  const widths = rows.map((row) => row.reduce((sum, { width }) => sum + width + gap.across, -gap.across));
  const width = Math.max(0, ...widths);
  const placed: { child: Sized; x: number; y: number }[] = [];
  let y = 0;
  rows.forEach((row, index) => {
    let x = (width - (widths[index] ?? 0)) / 2;
    for (const child of row) {
      placed.push({ child, x, y });
      x += child.width + gap.across;
    }
    y += Math.max(...row.map(({ height }) => height)) + gap.down;
  });
  return { placed, width, height: Math.max(0, y - gap.down) };
}

function sizeOf(box: Box, lifted: ReadonlyMap<Box | undefined, [Box, Box][]>): Sized {
  const own = Math.max(leastWidth, Math.max(box.name.length, box.detail.length) * characterWidth + 2 * padding);
  if (box.children.length === 0) {
    return { box, width: own, height: headerHeight, inside: [] };
  }
  const { placed, width, height } = arrange(box.children, lifted, box);
  const offset = Math.max(0, (own - 2 * padding - width) / 2) + padding;
  const inside = placed.map(({ child, x, y }) => ({ child, x: x + offset, y: y + headerHeight }));
  return { box, width: Math.max(own, width + 2 * padding), height: headerHeight + height + padding, inside };
}

/** Layers by the longest way to a box; circles are cut where they are met. Long layers become several rows. */
function rowsOf(boxes: readonly Box[], pairs: readonly (readonly [Box, Box])[]): Box[][] {
  const next = new Map<Box, Box[]>();
  const waitingFor = new Map<Box, number>();
  for (const [from, to] of pairs) {
    const targets = next.get(from);
    if (targets) {
      targets.push(to);
    } else {
      next.set(from, [to]);
    }
    waitingFor.set(to, (waitingFor.get(to) ?? 0) + 1);
  }
  const layers = new Map<Box, number>();
  const ready = boxes.filter((box) => !waitingFor.has(box));
  const waiting = new Set(boxes);
  for (let index = 0; waiting.size > 0; index += 1) {
    const [cut] = waiting;
    const box = ready[index] ?? cut;
    if (!box) {
      break;
    }
    if (index >= ready.length) {
      ready.push(box);
    }
    if (!waiting.delete(box)) {
      continue;
    }
    const layer = layers.get(box) ?? 0;
    layers.set(box, layer);
    for (const target of next.get(box) ?? []) {
      const left = (waitingFor.get(target) ?? 1) - 1;
      waitingFor.set(target, left);
      if (waiting.has(target)) {
        layers.set(target, Math.max(layers.get(target) ?? 0, layer + 1));
        if (left === 0) {
          ready.push(target);
        }
      }
    }
  }
  const byLayer: Box[][] = [];
  for (const box of boxes) {
    (byLayer[layers.get(box) ?? 0] ??= []).push(box);
  }
  const longest = Math.max(leastRow, Math.ceil(Math.sqrt(boxes.length) * 1.5));
  return byLayer.flatMap((row) =>
    Array.from({ length: Math.ceil(row.length / longest) }, (_, part) =>
      row.slice(part * longest, (part + 1) * longest),
    ),
  );
}
