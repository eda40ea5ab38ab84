import type { Box, Diagram } from './model.ts';

const escaped = (text: string): string => text.replaceAll('#', '#35;').replaceAll('"', '#quot;').replaceAll('\n', ' ');

/** The drawing as a Mermaid flow chart, for Markdown. */
export function mermaidOf({ title, boxes, arrows }: Diagram): string {
  const lines = ['---', `title: ${JSON.stringify(title)}`, '---', 'flowchart TB'];
  const ids = new Map<string, string>();
  const add = (box: Box, indentation: string): void => {
    const id = `${box.kind === 'node' ? 'n' : 'g'}${String(ids.size)}`;
    ids.set(`${box.kind}:${box.name}`, id);
    const label = `"${escaped(box.name)}<br/><small>${escaped(box.detail)}</small>"`;
    if (box.children.length === 0) {
      lines.push(`${indentation}${id}[${label}]`);
      return;
    }
    lines.push(`${indentation}subgraph ${id}[${label}]`);
    for (const child of box.children) {
      add(child, `${indentation}  `);
    }
    lines.push(`${indentation}end`);
  };
  for (const box of boxes) {
    add(box, '  ');
  }
  for (const { from, to, label } of arrows) {
    lines.push(`  ${ids.get(`node:${from}`) ?? from} -->|"${escaped(label)}"| ${ids.get(`node:${to}`) ?? to}`);
  }
  const groups = [...ids].filter(([name]) => name.startsWith('group:')).map(([, id]) => id);
  if (groups.length > 0) {
    lines.push('  classDef group stroke-dasharray: 5 5', `  class ${groups.join(',')} group`);
  }
  return `${lines.join('\n')}\n`;
}
