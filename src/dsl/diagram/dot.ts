import type { Box, Diagram } from './model.ts';

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', ' ')}"`;

/** Two lines; the break is Graphviz's own. */
const labelOf = (box: Box): string => `${quoted(box.name).slice(0, -1)}\\n${quoted(box.detail).slice(1)}`;

/** The drawing in the language of Graphviz. A container is a cluster that has the container itself in it. */
export function dotOf({ title, boxes, arrows }: Diagram): string {
  const lines = [
    `digraph ${quoted(title)} {`,
    '  graph [compound=true, fontname="sans-serif"]',
    '  node [shape=box, style=rounded, fontname="sans-serif"]',
    '  edge [fontname="sans-serif", fontsize=10]',
  ];
  let clusters = 0;
  const add = (box: Box, indentation: string): void => {
    const isCluster = box.kind === 'group' || box.children.length > 0;
    const inside = isCluster ? `${indentation}  ` : indentation;
    if (isCluster) {
      const style = box.kind === 'group' ? 'dashed' : 'rounded';
      lines.push(`${indentation}subgraph cluster_${String(clusters)} {`, `${inside}style=${style}`);
      lines.push(`${inside}label=${labelOf(box)}`);
      clusters += 1;
    }
    if (box.kind === 'node') {
      lines.push(`${inside}${quoted(box.name)} [label=${labelOf(box)}]`);
    }
    for (const child of box.children) {
      add(child, inside);
    }
    if (isCluster) {
      lines.push(`${indentation}}`);
    }
  };
  for (const box of boxes) {
    add(box, '  ');
  }
  for (const { from, to, label } of arrows) {
    lines.push(`  ${quoted(from)} -> ${quoted(to)} [label=${quoted(label)}]`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}
