import { expect } from 'chai';
import type { TopologyGroup, TopologyNode } from '../../../src/topology/index.ts';
import { expandTopology } from '../../../src/topology/index.ts';
import { seededRandom } from '../../tools/vectors/random.ts';
import { expectRefusal } from '../functions/evaluation-kit.ts';
import {
  CONNECTED_TO,
  CONTAINED_IN,
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

const expand = (nodes: TopologyNode[], groups: TopologyGroup[] = []) => expandTopology(nodes, groups, seededRandom(7));

describe('expansion into node instances', () => {
  it('names instances after their node, six random characters behind', () => {
    for (const { id } of expand([node('my_node', 20)])) {
      expect(id).to.match(/^my_node_[a-z0-9]{6}$/);
    }
  });

  it('does not use an id twice, nor one that is taken', () => {
    const zeros = () => 0;
    let calls = 0;
    const stuck = (bound: number) => (calls++ < 12 ? 0 : seededRandom(calls)(bound));
    const [first] = expandTopology([node('n', 1)], [], zeros);
    expect(first?.id).to.equal('n_aaaaaa');
    const [next] = expandTopology([node('n', 1)], [], stuck, new Map([['n', ['n_aaaaaa']]]));
    expect(next?.id).not.to.equal('n_aaaaaa');
  });

  const counts: [string, TopologyNode[], TopologyGroup[], Record<string, number>][] = [
    ['has as many instances as a node asks for', [node('a', 3), node('b', 0)], [], { a: 3 }],
    [
      'multiplies counts along containment',
      [node('vm', 2), node('app', 3, containedIn('vm')), node('x', 2, containedIn('app'))],
      [],
      { vm: 2, app: 6, x: 12 },
    ],
    [
      'multiplies counts by groups',
      [node('vm', 1), node('app', 2, containedIn('vm'))],
      [group('g', 2, 'vm'), group('o', 3, 'g')],
      { vm: 6, app: 12 },
    ],
    ['truncates fractions', [node('a', 2.9)], [], { a: 2 }],
    ['takes negative counts as none', [node('a', -1)], [], {}],
  ];
  for (const [name, nodes, groups, expected] of counts) {
    it(name, () => {
      expect(countsByNode(expand(nodes, groups))).to.deep.equal(expected);
    });
  }

  it('relates contained instances to the instance that contains them', () => {
    const instances = expand([host('vm', 2), hosted('app', 'vm', 2)]);
    for (const app of ofNode(instances, 'app')) {
      expect(app.relationships).to.deep.equal([{ type: CONTAINED_IN, targetName: 'vm', targetId: app.hostId }]);
    }
  });

  it('takes the outermost host as the host', () => {
    const instances = expand([
      host('outer', 1),
      { ...host('inner', 1, containedIn('outer')) },
      { ...node('app', 1, containedIn('inner')), hostId: 'inner' },
    ]);
    expect(new Set(instances.map(({ hostId }) => hostId))).to.deep.equal(new Set([ofNode(instances, 'outer')[0]?.id]));
  });

  it('gives no host to what is not on one', () => {
    expect(expand([node('a', 1)])[0]?.hostId).to.equal(undefined);
  });

  it('connects every pair', () => {
    const instances = expand([node('a', 2, connectedTo('b')), node('b', 3)]);
    for (const a of ofNode(instances, 'a')) {
      expect(targetsOf(a, 'b')).to.have.members(ofNode(instances, 'b').map(({ id }) => id));
    }
  });

  it('connects all to the one with the smallest id', () => {
    const instances = expand([node('a', 3, connectedTo('b', 'all_to_one')), node('b', 4)]);
    const [least] = ofNode(instances, 'b')
      .map(({ id }) => id)
      .toSorted();
    expect(new Set(ofNode(instances, 'a').flatMap((a) => targetsOf(a, 'b')))).to.deep.equal(new Set([least]));
  });

  it('connects nothing to nodes without instances', () => {
    expect(expand([node('a', 1, connectedTo('b')), node('b', 0)])[0]?.relationships).to.deep.equal([]);
  });

  it('connects only within the instance of a shared group', () => {
    const nodes = [node('vm', 1), node('a', 2, containedIn('vm'), connectedTo('b')), node('b', 1)];
    const instances = expand(nodes, [group('g', 2, 'vm', 'b')]);
    for (const a of ofNode(instances, 'a')) {
      const [vm] = targetsOf(a, 'vm').map((id) => instances.find((other) => other.id === id));
      const [b, ...others] = targetsOf(a, 'b').map((id) => instances.find((other) => other.id === id));
      expect(others).to.deep.equal([]);
      expect(b?.scalingGroups).to.deep.equal(vm?.scalingGroups);
    }
  });

  it('tells the groups of direct members only, innermost first', () => {
    const instances = expand([host('vm', 1), hosted('app', 'vm', 1)], [group('g', 2, 'vm'), group('o', 1, 'g')]);
    expect(ofNode(instances, 'app').every(({ scalingGroups }) => scalingGroups.length === 0)).to.equal(true);
    const groups = ofNode(instances, 'vm').map(({ scalingGroups }) => scalingGroups);
    expect(groups.map((chain) => chain.map(({ name }) => name))).to.deep.equal([
      ['g', 'o'],
      ['g', 'o'],
    ]);
    expect(groups[0]?.[1]?.id).to.equal(groups[1]?.[1]?.id);
    expect(groups[0]?.[0]?.id).not.to.equal(groups[1]?.[0]?.id);
  });

  it('relates members of a group to what contains the group', () => {
    const instances = expand([host('vm', 1), hosted('app', 'vm', 1)], [group('g', 3, 'app')]);
    const [vm] = ofNode(instances, 'vm');
    for (const app of ofNode(instances, 'app')) {
      expect(app.relationships).to.deep.equal([{ type: CONTAINED_IN, targetName: 'vm', targetId: vm?.id }]);
      expect(app.hostId).to.equal(vm?.id);
    }
  });

  it('takes the last of several relationships to one target', () => {
    const instances = expand([host('vm', 2), hosted('app', 'vm', 1, connectedTo('vm'))]);
    const [app, ...others] = ofNode(instances, 'app');
    expect(others).to.deep.equal([]);
    expect(app?.relationships.map(({ type }) => type)).to.deep.equal([CONNECTED_TO, CONNECTED_TO]);
    expect(app?.hostId).to.equal(undefined);
  });

  it('keeps the order of the relationships of the node', () => {
    const nodes = [
      node('c', 2),
      node('b', 1),
      node('a', 1, connectedTo('b'), containedIn('c'), connectedTo('d')),
      node('d', 1),
    ];
    for (const a of ofNode(expand(nodes), 'a')) {
      expect(a.relationships.map(({ targetName }) => targetName)).to.deep.equal(['b', 'c', 'd']);
    }
  });

  const refused: [string, TopologyNode[], TopologyGroup[], string][] = [
    [
      'types outside of the known families',
      [node('a', 1, { ...connectedTo('b'), typeHierarchy: ['my.own'] }), node('b', 1)],
      [],
      'UnsupportedRelationship',
    ],
    [
      'unknown connection types',
      [node('a', 0, connectedTo('b', 'some_to_some')), node('b', 1)],
      [],
      'IllegalConnectedToConnectionType',
    ],
    [
      'functions as connection types',
      [node('a', 1, connectedTo('b', { get_input: 'x' })), node('b', 1)],
      [],
      'IllegalConnectedToConnectionType',
    ],
    [
      'all to one within a group',
      [node('a', 1, connectedTo('b', 'all_to_one')), node('b', 1)],
      [group('g', 1, 'a', 'b')],
      'UnsupportedAllToOneInGroup',
    ],
    ['functions as counts', [node('a', { get_input: 'x' })], [], 'TypeError'],
    [
      'members of a group in different containers',
      [node('x', 1), node('y', 1), node('a', 1, containedIn('x')), node('b', 1, containedIn('y'))],
      [group('g', 1, 'a', 'b')],
      'RuntimeError',
    ],
    ['more instances than fit', [node('a', 2000), node('b', 2000, containedIn('a'))], [], 'RuntimeError'],
    ['more relationships than fit', [node('a', 9000, connectedTo('b')), node('b', 9000)], [], 'RuntimeError'],
  ];
  for (const [name, nodes, groups, className] of refused) {
    it(`refuses ${name}`, async () => {
      await expectRefusal(() => expand(nodes, groups), className);
    });
  }

  it('gives nothing to nodes that contain each other', () => {
    expect(expand([node('a', 1, containedIn('b')), node('b', 1, containedIn('a'))])).to.deep.equal([]);
  });
});
