import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../../src/config/package-root.ts';
import { dotOf } from '../../../src/dsl/diagram/dot.ts';
import { layOut } from '../../../src/dsl/diagram/layout.ts';
import { mermaidOf } from '../../../src/dsl/diagram/mermaid.ts';
import { diagramOf } from '../../../src/dsl/diagram/model.ts';
import type { Diagram } from '../../../src/dsl/diagram/model.ts';
import { svgOf } from '../../../src/dsl/diagram/svg.ts';
import { parseBlueprint } from '../../../src/dsl/parse.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
node_templates:
  host: {type: cloudify.nodes.Compute}
  app:
    type: cloudify.nodes.Root
    relationships:
      - {type: cloudify.relationships.contained_in, target: host}
      - {type: cloudify.relationships.connected_to, target: db}
  db: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.contained_in, target: host}]}
  balancer: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.connected_to, target: app}]}
groups: {front: {members: [balancer]}, apps: {members: [app]}}
policies:
  more: {type: cloudify.policies.scaling, targets: [front, apps], properties: {default_instances: 2}}
`;

async function drawn(): Promise<Diagram> {
  const text = await readFile(join(packageRoot(), 'resources', 'types', 'types.yaml'), 'utf8');
  const plan = await parseBlueprint({
    text: blueprint,
    resolver: {
      fetch: async () => ({ kind: 'file', text }),
      locateFile: async () => undefined,
      resourceExists: async () => false,
    },
  });
  return diagramOf(plan, 'shop <1>');
}

describe('diagram of a topology', () => {
  it('puts contained nodes into their containers and members into their groups', async () => {
    const { boxes, arrows } = await drawn();
    const tree = (level: Diagram['boxes']): object =>
      Object.fromEntries(level.map(({ name, children }) => [name, tree(children)]));
    expect(tree(boxes)).to.deep.equal({ host: { db: {}, apps: { app: {} } }, front: { balancer: {} } });
    expect(arrows).to.have.deep.members([
      { from: 'app', to: 'db', label: 'connected_to' },
      { from: 'balancer', to: 'app', label: 'connected_to' },
    ]);
  });

  it('is a Mermaid flow chart', async () => {
    const text = mermaidOf(await drawn());
    expect(text).to.match(/flowchart TB\n {2}subgraph n0\["host/);
    expect(text).to.match(/n\d+ -->\|"connected_to"\| n\d+/);
    expect(text.match(/subgraph/g)).to.have.length(text.match(/\bend$/gm)?.length ?? 0);
  });

  it('is a Graphviz digraph', async () => {
    const text = dotOf(await drawn());
    expect(text).to.contain('"app" -> "db" [label="connected_to"]');
    expect(text.match(/\{/g)).to.have.length(text.match(/\}/g)?.length ?? 0);
  });

  it('is an SVG image in which nothing lies outside of its container or over its neighbours', async () => {
    const diagram = await drawn();
    const { boxes, width, height } = layOut(diagram);
    const places = new Map(boxes.map((placed) => [placed.box, placed]));
    for (const { box, x, y, width: wide, height: tall } of boxes) {
      expect([x >= 0, y >= 0, x + wide <= width, y + tall <= height]).to.deep.equal([true, true, true, true]);
      for (const child of box.children.map((inner) => places.get(inner)!)) {
        expect(child.x >= x && child.x + child.width <= x + wide && child.y + child.height <= y + tall).to.equal(true);
      }
    }
    const svg = svgOf(diagram);
    expect(svg).to.contain('<title>shop &lt;1&gt;</title>');
    expect(svg.match(/<rect /g)).to.have.length(6);
    expect(svg.match(/<path class="arrow"/g)).to.have.length(2);
  });

  it('copes with circles and with thousands of nodes', () => {
    const count = 3000;
    const boxes = Array.from({ length: count }, (_, index) => ({
      kind: 'node' as const,
      name: `n${index}`,
      detail: 't',
      children: [],
    }));
    const arrows = boxes.map(({ name }, index) => ({ from: name, to: `n${(index * 7 + 1) % count}`, label: '' }));
    expect(layOut({ title: '', boxes, arrows }).boxes).to.have.length(count);
  });
});
