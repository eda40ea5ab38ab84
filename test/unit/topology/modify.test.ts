import { expect } from 'chai';
import type {
  CountChange,
  ModifiedInstance,
  TopologyGroup,
  TopologyInstance,
  TopologyNode,
} from '../../../src/topology/index.ts';
import { expandTopology, modifyTopology } from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';
import { expectRefusal } from '../functions/evaluation-kit.ts';
import {
  connectedTo,
  containedIn,
  countsByNode,
  group,
  host,
  hosted,
  node,
  ofNode,
  targetsOf,
} from './topology-kit.ts';

const expand = (nodes: TopologyNode[], groups: TopologyGroup[] = []) => expandTopology(nodes, groups, seededRandom(3));

function modify(
  nodes: TopologyNode[],
  previousInstances: TopologyInstance[],
  changes: Record<string, CountChange>,
  groups: TopologyGroup[] = [],
  previousNodes = nodes,
) {
  const request = { nodes, groups, previousNodes, previousInstances, random: seededRandom(11) };
  return modifyTopology({ ...request, changes: new Map(Object.entries(changes)) });
}

const marked = (instances: ModifiedInstance[]) => instances.filter(({ modification }) => modification !== undefined);
const unmarked = (instances: ModifiedInstance[]) => instances.filter(({ modification }) => modification === undefined);
const ids = (instances: { id: string }[]) => instances.map(({ id }) => id);

describe('modification of a topology', () => {
  const nodes = [host('vm', 2), hosted('app', 'vm', 2, connectedTo('db')), node('db', 1)];
  const instances = expand(nodes);

  it('does nothing when counts stay', () => {
    const result = modify(nodes, instances, { app: { instances: 2 } });
    expect(Object.values(result).flat()).to.deep.equal([]);
  });

  it('adds instances of a contained node to each container', () => {
    const { addedAndRelated } = modify(nodes, instances, { app: { instances: 3 } });
    const added = marked(addedAndRelated);
    expect(countsByNode(added)).to.deep.equal({ app: 2 });
    expect(new Set(added.map(({ hostId }) => hostId))).to.deep.equal(new Set(ids(ofNode(instances, 'vm'))));
    expect(added.every(({ modification }) => modification === 'added')).to.equal(true);
  });

  it('shows neighbours unmarked, with the relationships that touch new instances only', () => {
    const { addedAndRelated, extendedAndRelated } = modify(nodes, instances, { db: { instances: 2 } });
    const [db] = marked(addedAndRelated);
    expect(db?.nodeId).to.equal('db');
    for (const app of unmarked(addedAndRelated)) {
      expect(app.relationships.map(({ targetId }) => targetId)).to.deep.equal([db?.id]);
    }
    expect(marked(extendedAndRelated).map(({ nodeId }) => nodeId)).to.deep.equal(['app', 'app', 'app', 'app']);
    expect(unmarked(extendedAndRelated)).to.deep.equal([]);
  });

  it('shows containers of new instances without relationships', () => {
    const { addedAndRelated } = modify(nodes, instances, { app: { instances: 3 } });
    for (const vm of ofNode(unmarked(addedAndRelated), 'vm')) {
      expect(vm.relationships).to.deep.equal([]);
    }
    expect(ofNode(unmarked(addedAndRelated), 'vm')).to.have.lengthOf(2);
  });

  it('removes what is contained in removed instances, and reduces what was connected', () => {
    const both = [host('vm', 2), hosted('app', 'vm', 1), node('lb', 1, connectedTo('app'))];
    const before = expand(both);
    const { removedAndRelated, reducedAndRelated } = modify(both, before, { vm: { instances: 1 } });
    expect(countsByNode(marked(removedAndRelated))).to.deep.equal({ vm: 1, app: 1 });
    const [lb] = marked(reducedAndRelated);
    const [app] = ofNode(marked(removedAndRelated), 'app');
    expect(lb?.relationships.map(({ targetId }) => targetId)).to.deep.equal([app?.id]);
    expect(ids(unmarked(reducedAndRelated))).to.deep.equal([]);
  });

  it('never removes instances of nodes that are not named', () => {
    const fewer = [host('vm', 1), hosted('app', 'vm', 1, connectedTo('db')), node('db', 1)];
    expect(marked(modify(fewer, instances, {}).removedAndRelated)).to.deep.equal([]);
  });

  it('adds instances a node that is not named lacks', () => {
    const more = [host('vm', 2), hosted('app', 'vm', 3, connectedTo('db')), node('db', 1)];
    expect(countsByNode(marked(modify(more, instances, {}).addedAndRelated))).to.deep.equal({ app: 2 });
  });

  describe('choice of removed instances', () => {
    const flat = [node('n', 5)];
    const before = expand(flat);
    const [first, second, third, fourth, fifth] = ids(before) as [string, string, string, string, string];
    const removed = (change: CountChange) => ids(marked(modify(flat, before, { n: change }).removedAndRelated));

    it('takes the youngest without hints', () => {
      expect(removed({ instances: 3 })).to.have.members([fourth, fifth]);
    });

    it('takes included ones first, and no more than needed', () => {
      expect(removed({ instances: 4, removedIdsIncludeHint: [second, third] })).to.deep.equal([second]);
      expect(removed({ instances: 3, removedIdsIncludeHint: [first] })).to.have.members([first, fifth]);
    });

    it('takes excluded ones last', () => {
      expect(removed({ instances: 3, removedIdsExcludeHint: [fifth, fourth] })).to.have.members([second, third]);
      expect(removed({ instances: 1, removedIdsExcludeHint: [third, fourth] }))
        .to.have.lengthOf(4)
        .and.include(fourth);
    });

    it('takes all for zero', () => {
      expect(removed({ instances: 0 })).to.have.lengthOf(5);
    });

    it('ignores hints that mean nothing', () => {
      expect(removed({ instances: 4, removedIdsIncludeHint: ['nobody'] })).to.deep.equal([fifth]);
    });
  });

  describe('of scaling groups', () => {
    const grouped = [host('vm', 1), hosted('app', 'vm', 2)];
    const groups = [group('g', 2, 'vm')];
    const before = expand(grouped, groups);

    it('adds and removes everything in a group instance', () => {
      const out = modify(grouped, before, { g: { instances: 3 } }, groups);
      expect(countsByNode(marked(out.addedAndRelated))).to.deep.equal({ vm: 1, app: 2 });
      const down = modify(grouped, before, { g: { instances: 1 } }, groups);
      expect(countsByNode(marked(down.removedAndRelated))).to.deep.equal({ vm: 1, app: 2 });
    });

    it('takes a hint at a member for its group instance', () => {
      const [vm] = ofNode(before, 'vm');
      const change = { instances: 1, removedIdsIncludeHint: [vm?.id ?? ''] };
      expect(ids(marked(modify(grouped, before, { g: change }, groups).removedAndRelated))).to.include(vm?.id);
    });

    it('gives hosts of a new instance of a nested group themselves as host', () => {
      const nested = [group('g', 1, 'vm'), group('o', 1, 'g')];
      const deployed = expand(grouped, nested);
      const added = marked(modify(grouped, deployed, { g: { instances: 2 } }, nested).addedAndRelated);
      const [vm] = ofNode(added, 'vm');
      expect(new Set(added.map(({ hostId }) => hostId))).to.deep.equal(new Set([vm?.id]));
    });
  });

  describe('of all-to-one relationships', () => {
    const star = [node('a', 2, connectedTo('b', 'all_to_one')), node('b', 3)];
    const before = expand(star);
    const hub = targetsOf(ofNode(before, 'a')[0] as TopologyInstance, 'b')[0] as string;

    it('keeps the target', () => {
      const added = marked(modify(star, before, { a: { instances: 4 }, b: { instances: 9 } }).addedAndRelated);
      expect(new Set(ofNode(added, 'a').flatMap((a) => targetsOf(a, 'b')))).to.deep.equal(new Set([hub]));
    });

    it('takes another target when that one goes', () => {
      const change = { b: { instances: 2, removedIdsIncludeHint: [hub] } };
      const { extendedAndRelated, reducedAndRelated } = modify(star, before, change);
      expect(marked(extendedAndRelated)).to.have.lengthOf(2);
      expect(marked(reducedAndRelated)).to.have.lengthOf(2);
    });

    it('refuses when instances have different targets already', async () => {
      const mixed = expand([node('a', 2, connectedTo('b')), node('b', 3)]);
      await expectRefusal(() => modify(star, mixed, {}), 'IllegalAllToOneState', 'a->b');
    });
  });

  it('adds and removes whole nodes', () => {
    const before = [node('old', 1), node('kept', 1, connectedTo('old'))];
    const after = [node('kept', 1, connectedTo('new')), node('new', 2, containedIn('kept'))];
    const result = modify(after, expand(before), {}, [], before);
    expect(countsByNode(marked(result.addedAndRelated))).to.deep.equal({ new: 2 });
    expect(countsByNode(marked(result.removedAndRelated))).to.deep.equal({ old: 1 });
    expect(marked(result.extendedAndRelated).map(({ nodeId }) => nodeId)).to.deep.equal(['kept']);
    expect(marked(result.reducedAndRelated).map(({ nodeId }) => nodeId)).to.deep.equal(['kept']);
  });
});
