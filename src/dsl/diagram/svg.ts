import { layOut } from './layout.ts';
import type { PlacedBox } from './layout.ts';
import type { Diagram } from './model.ts';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Control characters have no place in XML, whatever a name holds. */
function escaped(text: string): string {
  return text.replace(/[\u0000-\u001f]/g, ' ').replace(/[&<>"]/g, (character) => entities[character] ?? character);
}

const style = `
  text { font: 13px sans-serif; fill: #1f2937; text-anchor: middle }
  .detail { font-size: 11px; fill: #6b7280 }
  .node { fill: #ffffff; stroke: #2563eb }
  .container { fill: #eff6ff; stroke: #2563eb }
  .group { fill: #fefce8; stroke: #ca8a04; stroke-dasharray: 6 4 }
  .arrow { fill: none; stroke: #4b5563 }
  .label { font-size: 10px; fill: #374151; stroke: #ffffff; stroke-width: 3px; paint-order: stroke }`;

/** The drawing as an SVG image that needs nothing else: no script, no font, no style of others. */
export function svgOf(diagram: Diagram): string {
  const { width, height, boxes } = layOut(diagram);
  const nodes = new Map(boxes.filter(({ box }) => box.kind === 'node').map((placed) => [placed.box.name, placed]));
  const arrows = diagram.arrows.flatMap(({ from, to, label }) => {
    const [source, target] = [nodes.get(from), nodes.get(to)];
    return source && target ? arrowOf(source, target, label) : [];
  });
  const [across, down] = [Math.ceil(width), Math.ceil(height)];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${across} ${down}" width="${across}" height="${down}">`,
    `<title>${escaped(diagram.title)}</title>`,
    `<style>${style}\n</style>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">' +
      '<path d="M0,0 L8,4 L0,8 z" fill="#4b5563"/></marker></defs>',
    ...boxes.flatMap(boxOf),
    ...arrows,
    '</svg>',
  ].join('\n')}\n`;
}

const rounded = (value: number): string => String(Math.round(value * 10) / 10);

function boxOf({ box, x, y, width, height }: PlacedBox): string[] {
  const look = box.kind === 'group' ? 'group' : box.children.length > 0 ? 'container' : 'node';
  const middle = rounded(x + width / 2);
  const size = `width="${rounded(width)}" height="${rounded(height)}"`;
  return [
    `<rect class="${look}" x="${rounded(x)}" y="${rounded(y)}" ${size} rx="6"/>`,
    `<text x="${middle}" y="${rounded(y + 18)}">${escaped(box.name)}</text>`,
    `<text class="detail" x="${middle}" y="${rounded(y + 34)}">${escaped(box.detail)}</text>`,
  ];
}

/** A curve from border to border: down when the target is below, else around the sides. */
function arrowOf(source: PlacedBox, target: PlacedBox, label: string): string[] {
  const from = { x: source.x + source.width / 2, y: source.y + source.height };
  const to = { x: target.x + target.width / 2, y: target.y };
  const isBelow = to.y > from.y;
  if (!isBelow) {
    from.y = source.y;
    to.y = target.y + target.height;
    if (to.y > from.y) {
      const isRight = target.x > source.x;
      from.x = isRight ? source.x + source.width : source.x;
      to.x = isRight ? target.x : target.x + target.width;
      from.y = source.y + source.height / 2;
      to.y = target.y + target.height / 2;
    }
  }
  const bend = (to.y - from.y) / 2;
  const path = `M${rounded(from.x)},${rounded(from.y)} C${rounded(from.x)},${rounded(from.y + bend)} ${rounded(to.x)},${rounded(to.y - bend)} ${rounded(to.x)},${rounded(to.y)}`;
  const middle = { x: rounded((from.x + to.x) / 2), y: rounded((from.y + to.y) / 2) };
  return [
    `<path class="arrow" d="${path}" marker-end="url(#head)"/>`,
    `<text class="label" x="${middle.x}" y="${middle.y}">${escaped(label)}</text>`,
  ];
}
