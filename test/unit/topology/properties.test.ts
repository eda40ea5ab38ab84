import { expect } from 'chai';
import fc from 'fast-check';
import type { ModifiedInstance, TopologyGroup, TopologyInstance, TopologyNode } from '../../../src/topology/index.ts';
import { expandTopology, modifyTopology } from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';
import { connectedTo, containedIn, countsByNode } from './topology-kit.ts';

interface Shape {
  nodes: TopologyNode[];
  groups: TopologyGroup[];
  seed: number;
}

/** Random nodes: each may be contained in an earlier one and connected to earlier ones; roots may be grouped. */
const shapes: fc.Arbitrary<Shape> = fc
  .record({
    counts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }),
    containers: fc.array(fc.nat({ max: 20 }), { minLength: 8, maxLength: 8 }),
    connections: fc.array(fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 }), fc.boolean()), { maxLength: 6 }),
    grouped: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
    groupCount: fc.integer({ min: 0, max: 3 }),
    outerCount: fc.option(fc.integer({ min: 1, max: 2 })),
    seed: fc.nat(),
  })
  .map(({ counts, containers, connections, grouped, groupCount, outerCount, seed }) => {
    const contained = counts.map((_, index) => {
      const container = containers[index] as number;
      return container < index ? container : undefined;
    });
    const members = counts.flatMap((_, index) =>
      contained[index] === undefined && grouped[index] === true ? [`n${String(index)}`] : [],
    );
    const groups: TopologyGroup[] = members.length > 0 ? [{ name: 'g', members, count: groupCount }] : [];
    if (groups.length > 0 && outerCount !== null) {
      groups.push({ name: 'o', members: ['g'], count: outerCount });
    }
    const rootOf = (index: number): number => (contained[index] === undefined ? index : rootOf(contained[index]));
    const isGrouped = (index: number) => members.includes(`n${String(rootOf(index))}`);
    const hostOf = (index: number): number | undefined =>
      index % 3 === 0 ? index : contained[index] === undefined ? undefined : hostOf(contained[index]);
    const nodes = counts.map((count, index): TopologyNode => {
      const relationships = contained[index] === undefined ? [] : [containedIn(`n${String(contained[index])}`)];
      for (const [source, target, isOne] of connections) {
        if (source === index && target < index && target !== contained[index]) {
          const inGroup = isGrouped(source) && isGrouped(target);
          relationships.push(connectedTo(`n${String(target)}`, isOne && !inGroup ? 'all_to_one' : 'all_to_all'));
        }
      }
      const hostIndex = hostOf(index);
      return {
        id: `n${String(index)}`,
        count,
        relationships,
        hostId: hostIndex === undefined ? undefined : `n${String(hostIndex)}`,
      };
    });
    return { nodes, groups, seed };
  });

/** The instances after a modification, as its performer would store them. */
function apply(before: readonly TopologyInstance[], change: ReturnType<typeof modifyTopology>): TopologyInstance[] {
  const isMarked = ({ modification }: ModifiedInstance) => modification !== undefined;
  const removed = new Set(change.removedAndRelated.filter(isMarked).map(({ id }) => id));
  const extended = new Map(
    change.extendedAndRelated.filter(isMarked).map(({ id, relationships }) => [id, relationships]),
  );
  const lost = new Map(
    change.reducedAndRelated
      .filter(isMarked)
      .map(({ id, relationships }) => [id, new Set(relationships.map(({ targetId }) => targetId))]),
  );
  const kept = before
    .filter(({ id }) => !removed.has(id))
    .map((instance) => ({
      ...instance,
      relationships: [
        ...instance.relationships.filter(
          ({ targetId }) => !removed.has(targetId) && lost.get(instance.id)?.has(targetId) !== true,
        ),
        ...(extended.get(instance.id) ?? []),
      ],
    }));
  const added = change.addedAndRelated.filter(({ modification }) => modification === 'added');
  return [
    ...kept,
    ...added.map(({ id, nodeId, hostId, scalingGroups, relationships }) => ({
      id,
      nodeId,
      hostId,
      scalingGroups,
      relationships,
    })),
  ];
}

function normal(instances: readonly TopologyInstance[]): unknown {
  const sorted = instances.map((instance) => ({
    ...instance,
    relationships: instance.relationships.map(({ type, targetId }) => `${type} ${targetId}`).toSorted(),
  }));
  return sorted.toSorted((left, right) => (left.id < right.id ? -1 : 1));
}

/** How many instances a vertex has in all, counts multiplied along containment and groups. */
function expectedCounts({ nodes, groups }: Shape): Record<string, number> {
  const groupOf = new Map(groups.flatMap(({ name, members }) => members.map((member) => [member, name] as const)));
  const countOf = (name: string): number => {
    const own = nodes.find(({ id }) => id === name) ?? groups.find((candidate) => candidate.name === name);
    const container = nodes
      .find(({ id }) => id === name)
      ?.relationships.find(({ type }) => type.endsWith('contained_in'))?.targetId;
    const parent = groupOf.get(name) ?? container;
    return (own?.count as number) * (parent === undefined ? 1 : countOf(parent));
  };
  return Object.fromEntries(nodes.map(({ id }) => [id, countOf(id)] as const).filter(([, count]) => count > 0));
}

describe('any topology', () => {
  it('has as many instances as its counts multiply to, with ids of their own', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const instances = expandTopology(shape.nodes, shape.groups, seededRandom(shape.seed));
        expect(countsByNode(instances)).to.deep.equal(expectedCounts(shape));
        expect(new Set(instances.map(({ id }) => id)).size).to.equal(instances.length);
      }),
    );
  });

  it('relates instances to instances that exist, and hosts them on the outermost host around them', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const instances = expandTopology(shape.nodes, shape.groups, seededRandom(shape.seed));
        const byId = new Map(instances.map((instance) => [instance.id, instance]));
        const isHost = (instance: TopologyInstance) =>
          shape.nodes.some(({ id, hostId }) => id === instance.nodeId && hostId === id);
        for (const instance of instances) {
          let outermost: string | undefined;
          for (let around: TopologyInstance | undefined = instance; around !== undefined;) {
            outermost = isHost(around) ? around.id : outermost;
            const link: { targetId: string } | undefined = around.relationships.find(({ type }) =>
              type.endsWith('contained_in'),
            );
            around = link === undefined ? undefined : byId.get(link.targetId);
          }
          expect(instance.hostId).to.equal(outermost);
          for (const { targetId, targetName } of instance.relationships) {
            expect(byId.get(targetId)?.nodeId).to.equal(targetName);
          }
        }
      }),
    );
  });

  it('is as if created with the new count when scaled out', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 2 }), (shape, pick, more) => {
        const names = [...shape.nodes.map(({ id }) => id), ...shape.groups.map(({ name }) => name)];
        const name = names[pick % names.length] as string;
        const before = expandTopology(shape.nodes, shape.groups, seededRandom(shape.seed));
        const current = [...shape.nodes, ...shape.groups.map(({ name: id, count }) => ({ id, count }))].find(
          ({ id }) => id === name,
        )?.count as number;
        const request = {
          ...shape,
          previousNodes: shape.nodes,
          previousInstances: before,
          random: seededRandom(shape.seed + 1),
        };
        const after = apply(
          before,
          modifyTopology({ ...request, changes: new Map([[name, { instances: current + more }]]) }),
        );
        const grown = {
          ...shape,
          nodes: shape.nodes.map((node) => (node.id === name ? { ...node, count: current + more } : node)),
          groups: shape.groups.map((group) => (group.name === name ? { ...group, count: current + more } : group)),
        };
        expect(countsByNode(after)).to.deep.equal(expectedCounts(grown));
      }),
    );
  });

  it('is the same again when scaled out and in by what was added', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.integer({ min: 1, max: 2 }), (shape, pick, more) => {
        const node = shape.nodes[pick % shape.nodes.length] as TopologyNode;
        const before = expandTopology(shape.nodes, shape.groups, seededRandom(shape.seed));
        const scale = (instances: TopologyInstance[], count: number, hints: string[]) =>
          apply(
            instances,
            modifyTopology({
              ...shape,
              previousNodes: shape.nodes,
              previousInstances: instances,
              random: seededRandom(shape.seed + count),
              changes: new Map([[node.id, { instances: count, removedIdsIncludeHint: hints }]]),
            }),
          );
        const out = scale(before, (node.count as number) + more, []);
        const known = new Set(before.map(({ id }) => id));
        const added = out.filter(({ id, nodeId }) => nodeId === node.id && !known.has(id)).map(({ id }) => id);
        // An all-to-one target chosen while there was none is gone again, too.
        expect(normal(scale(out, node.count as number, added))).to.deep.equal(normal(before));
      }),
    );
  });
});
