import { expect } from 'chai';
import fc from 'fast-check';
import type { PlanNode, PlanRelationship } from '../../../src/domain/plan.ts';
import type { Node, NodeInstance } from '../../../src/domain/topology.ts';
import {
  extendRelationships,
  instanceChangesOf,
  nodeRelationshipOf,
  planForUpdate,
  settleRelationships,
} from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';
import { planNode, planOf, planRelationship } from '../prepare/plan-kit.ts';

type Instance = Pick<NodeInstance, 'id' | 'nodeId' | 'hostId' | 'relationships' | 'scalingGroups'>;

interface Deployed {
  nodes: Node[];
  instances: Instance[];
}

const names = ['a', 'b', 'c', 'd'];

/** Nodes in their order, each related to earlier ones by relationships of two types. */
const topologies = fc
  .tuple(
    fc.subarray(names, { minLength: 1 }),
    fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.boolean()), { maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }),
  )
  .map(([present, links, counts]) =>
    present.map((name) => {
      const relationships: PlanRelationship[] = [];
      for (const [from, to, isFirst] of links) {
        const [source, target] = [names[from], names[to]];
        if (source === name && target !== undefined && to < from && present.includes(target)) {
          relationships.push(planRelationship(target, { type: isFirst ? 'first' : 'second' }));
        }
      }
      return planNode(name, { relationships }, counts[names.indexOf(name)]);
    }),
  );

function stored(node: PlanNode): Node {
  const { current_instances: count } = node.capabilities.scalable.properties;
  return {
    id: node.id,
    relationships: node.relationships.map(nodeRelationshipOf),
    numberOfInstances: count,
    plannedNumberOfInstances: count,
  } as unknown as Node;
}

/** The deployment after an update to these nodes. */
function updated({ nodes, instances }: Deployed, next: readonly PlanNode[], seed: number): Deployed {
  const plan = planForUpdate(planOf({ nodes: [...next] }), nodes);
  const changes = instanceChangesOf({ plan, nodes, instances, scalingGroups: [], random: seededRandom(seed) });
  const own = (kind: 'added' | 'removed' | 'extended' | 'reduced') =>
    changes[`${kind}AndRelated`].filter(({ modification }) => modification === kind);
  const added = own('added');
  const during = new Map<string, Instance>([...instances, ...added].map((instance) => [instance.id, instance]));
  for (const { id, relationships } of extendRelationships(instances, own('extended'))) {
    during.set(id, { ...(during.get(id) as Instance), relationships });
  }
  const removedIds = new Set(own('removed').map(({ id }) => id));
  const settled = settleRelationships([...during.values()], {
    reduced: own('reduced'),
    removedIds,
    planned: new Map(plan.nodes.map(({ id, relationships }) => [id, relationships.map(nodeRelationshipOf)])),
  });
  for (const { id, relationships } of settled) {
    during.set(id, { ...(during.get(id) as Instance), relationships });
  }
  return { nodes: plan.nodes.map(stored), instances: [...during.values()].filter(({ id }) => !removedIds.has(id)) };
}

/** The shape of a deployment without ids: per instance its node and the nodes it is related to, in order. */
function shapeOf({ instances }: Deployed): string[] {
  return instances
    .map(({ nodeId, relationships }) =>
      [nodeId, ...relationships.map(({ type, targetName }) => `${type}:${targetName}`)].join(' '),
    )
    .sort();
}

describe('updates there and back', () => {
  const nothing: Deployed = { nodes: [], instances: [] };

  it('end with the topology of the blueprint, whatever was before', () => {
    fc.assert(
      fc.property(topologies, topologies, fc.nat(), (before, after, seed) => {
        const kept = new Map(before.map((node) => [node.id, node.capabilities.scalable.properties.current_instances]));
        const counted = after.map((node) =>
          planNode(node.id, { relationships: node.relationships }, kept.get(node.id) ?? 1),
        );
        const fresh = updated(nothing, counted, seed);
        const changed = updated(updated(nothing, before, seed), counted, seed + 1);
        expect(shapeOf(changed)).to.deep.equal(shapeOf(fresh));
      }),
    );
  });

  it('give the same topology again, and leave no relationship to what is gone', () => {
    fc.assert(
      fc.property(topologies, topologies, fc.nat(), (first, second, seed) => {
        const before = updated(nothing, first, seed);
        const between = updated(before, second, seed + 1);
        const after = updated(between, first, seed + 2);
        expect(shapeOf(after)).to.deep.equal(shapeOf(before));
        const ids = new Set(after.instances.map(({ id }) => id));
        const targets = after.instances.flatMap(({ relationships }) => relationships.map(({ targetId }) => targetId));
        expect(targets.filter((id) => !ids.has(id))).to.deep.equal([]);
        const untouched = first.filter(({ id }) => second.some((node) => node.id === id)).map(({ id }) => id);
        const kept = (deployed: Deployed) =>
          deployed.instances.filter(({ nodeId }) => untouched.includes(nodeId)).map(({ id }) => id);
        expect(kept(after).sort()).to.deep.equal(kept(before).sort());
      }),
    );
  });
});
