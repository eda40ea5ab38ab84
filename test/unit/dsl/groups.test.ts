import { expect } from 'chai';
import { expectFailure, itRefuses, parse } from './support.ts';

const base = `node_types: {t: {}}
relationships: {cloudify.relationships.contained_in: {}}
`;

/** Nodes as `app@vm` (app in vm) and groups; every group is scaled. */
function scaled(nodes: string, groups: Record<string, string>): string {
  const templates = nodes.split(' ').map((node) => {
    const [name = '', container] = node.split('@');
    const inside =
      container === undefined
        ? ''
        : `, relationships: [{type: cloudify.relationships.contained_in, target: ${container}}]`;
    return `  ${name}: {type: t${inside}}`;
  });
  const names = Object.keys(groups);
  return `${base}node_templates:
${templates.join('\n')}
groups:
${names.map((name) => `  ${name}: {members: [${groups[name] ?? ''}]}`).join('\n')}
policies:
${names.map((name) => `  p_${name}: {type: cloudify.policies.scaling, targets: [${name}]}`).join('\n')}
`;
}

async function members(text: string): Promise<Record<string, string[]>> {
  const plan = await parse(text);
  return Object.fromEntries(Object.entries(plan.scaling_groups).map(([name, group]) => [name, group.members]));
}

describe('groups', () => {
  const nodes = `${base}node_templates: {n: {type: t}}\n`;
  itRefuses([
    [
      'refuses an unknown member',
      `${nodes}groups: {g: {members: [x]}}`,
      'L 40',
      "Member 'x' of group 'g' does not match any defined node",
    ],
    [
      'refuses a member without a name',
      `${nodes}groups: {g: {members: [n, ~]}}`,
      'L 40',
      "Member 'None' of group 'g' does not match any defined node",
    ],
    ['refuses no members', `${nodes}groups: {g: {members: []}}`, 'F 1', 'At least one member should be specified'],
    ['refuses absent members', `${nodes}groups: {g: {}}`, 'F 1', "'members' key is required"],
    [
      'refuses the name of a node',
      `${nodes}groups: {n: {members: [n]}}`,
      'L 211',
      "Both a group and a node template are named 'n'",
    ],
    [
      'refuses an unknown policy type',
      `${nodes}groups: {g: {members: [n], policies: {p: {type: x}}}}`,
      'L 41',
      "Policy 'p' of group 'g' references a non existent policy type 'x'",
    ],
    [
      'refuses an unknown trigger',
      `${nodes}policy_types: {pt: {source: s}}\ngroups: {g: {members: [n], policies: {p: {type: pt, triggers: {tr: {type: x}}}}}}`,
      'L 42',
    ],
    [
      'refuses unknown properties of a policy',
      `${nodes}policy_types: {pt: {source: s}}\ngroups: {g: {members: [n], policies: {p: {type: pt, properties: {a: 1}}}}}`,
      'L 106',
      "group 'g', policy 'p' 'a' property is not part of the policy type properties schema",
    ],
    [
      'refuses missing properties of a policy',
      `${nodes}policy_types: {pt: {source: s, properties: {a: {}}}}\ngroups: {g: {members: [n], policies: {p: {type: pt}}}}`,
      'L 107',
      "group 'g', policy 'p' does not provide a value for mandatory 'a' property",
    ],
    [
      'refuses missing parameters of a trigger',
      `${nodes}policy_types: {pt: {source: s}}\npolicy_triggers: {pr: {source: s, parameters: {a: {}}}}\ngroups: {g: {members: [n], policies: {p: {type: pt, triggers: {tr: {type: pr}}}}}}`,
      'L 107',
      "group 'g', policy 'p' trigger 'tr'",
    ],
    ['refuses a policy type without source', 'policy_types: {pt: {}}', 'F 1', "'source' key is required"],
    [
      'refuses other policies than scaling',
      `${nodes}groups: {g: {members: [n]}}\npolicies: {p: {type: x, targets: [g]}}`,
      'L 204',
      "'x' policy type is not implemented. Only 'cloudify.policies.scaling' policy type is supported.",
    ],
    [
      'refuses a target that is no group',
      `${nodes}groups: {g: {members: [n]}}\npolicies: {p: {type: cloudify.policies.scaling, targets: [n]}}`,
      'L 205',
      "'n' is not a valid policy target.",
    ],
    [
      'refuses a target without a name',
      `${nodes}groups: {g: {members: [n]}}\npolicies: {p: {type: cloudify.policies.scaling, targets: [~]}}`,
      'L 205',
      "'None' is not a valid policy target.",
    ],
    ['refuses no targets', 'policies: {p: {type: cloudify.policies.scaling, targets: []}}', 'L 206'],
    [
      'refuses wrong counts',
      `${nodes}groups: {g: {members: [n]}}\npolicies: {p: {type: cloudify.policies.scaling, targets: [g], properties: {max_instances: 0}}}`,
      'L 207',
    ],
    ['refuses groups inside each other', scaled('a', { g: 'h, a', h: 'g' }), 'L 200', 'Illegal group cycles found: [['],
    ['refuses a group inside itself', scaled('a', { g: 'g, a' }), 'L 200'],
    [
      'refuses a node in two scaling groups',
      scaled('a', { g: 'a', h: 'a' }),
      'L 201',
      "member 'a' belongs to the following multiple groups: ['g', 'h']",
    ],
    ['refuses a group in two scaling groups', scaled('a', { g: 'x', h: 'x', x: 'a' }), 'L 201'],
    [
      'refuses members that share no container',
      scaled('a@vm vm b', { g: 'a, b' }),
      'L 202',
      "Node 'a' and 'b' belong to some shared group",
    ],
    ['refuses members in different containers', scaled('a@vm vm b@wm wm', { g: 'a, b' }), 'L 202'],
    ['refuses the same through nested groups', scaled('a@vm vm b', { g: 'x, b', x: 'a' }), 'L 202'],
  ]);

  it('list each member once', async () => {
    const plan = await parse(`${nodes}groups: {g: {members: [n, n]}}`);
    expect(plan.groups).to.deep.equal({ g: { members: ['n'], policies: {} } });
    expect(plan.scaling_groups).to.deep.equal({});
  });

  it('keep policies of old blueprints', async () => {
    const text = `${nodes}policy_types: {pt: {source: s, properties: {a: {default: 1}}}}
policy_triggers: {pr: {source: s, parameters: {b: {default: 2}}}}
groups: {g: {members: [n], policies: {p: {type: pt, triggers: {tr: {type: pr}}}}}}`;
    const plan = await parse(text);
    expect(plan.groups['g']).to.deep.equal({
      members: ['n'],
      policies: { p: { type: 'pt', properties: { a: 1 }, triggers: { tr: { type: 'pr', parameters: { b: 2 } } } } },
    });
    expect(plan.policy_types).to.deep.equal({ pt: { properties: { a: { default: 1 } }, source: 's' } });
    expect(plan.policy_triggers).to.deep.equal({ pr: { parameters: { b: { default: 2 } }, source: 's' } });
  });

  it('are scaled as the last policy for them says', async () => {
    const text = `${nodes}groups: {g: {members: [n]}}
policies:
  a: {type: cloudify.policies.scaling, targets: [g], properties: {default_instances: 2}}
  b: {type: cloudify.policies.scaling, targets: [g], properties: {default_instances: 3}}`;
    const plan = await parse(text);
    expect(plan.scaling_groups['g']?.properties).to.include({
      default_instances: 3,
      current_instances: 3,
      planned_instances: 3,
    });
    expect(plan.policies['a']).to.deep.equal({
      type: 'cloudify.policies.scaling',
      targets: ['g'],
      properties: {
        min_instances: 0,
        max_instances: -1,
        default_instances: 2,
        current_instances: 2,
        planned_instances: 2,
      },
    });
  });

  const pruned: [behaviour: string, text: string, result: Record<string, string[]>][] = [
    ['keep unrelated members', scaled('a b', { g: 'a, b' }), { g: ['a', 'b'] }],
    ['keep members of one container', scaled('a@vm b@vm vm', { g: 'a, b' }), { g: ['a', 'b'] }],
    ['leave out members whose container is scaled with them', scaled('vm a@vm b@a', { g: 'vm, a, b' }), { g: ['vm'] }],
    [
      'leave out the group of a node whose container is in the outer group',
      scaled('n1 n2@n1', { g1: 'n1, g2', g2: 'n2' }),
      { g1: ['n1'], g2: ['n2'] },
    ],
    [
      'leave out the outermost of such groups only',
      scaled('n1 n2@n1', { g1: 'n1, g2', g2: 'g3', g3: 'n2' }),
      { g1: ['n1'], g2: ['g3'], g3: ['n2'] },
    ],
    [
      'accept members with different containers that are members',
      scaled('a@vm vm b@wm wm', { g: 'a, vm, b, wm' }),
      { g: ['vm', 'wm'] },
    ],
    ['keep groups of groups', scaled('a b', { g: 'h, b', h: 'a' }), { g: ['h', 'b'], h: ['a'] }],
  ];
  for (const [behaviour, text, result] of pruned) {
    it(`when scaled, ${behaviour}`, async () => {
      expect(await members(text)).to.deep.equal(result);
    });
  }

  it('keep all their members apart from scaling', async () => {
    const plan = await parse(scaled('vm a@vm', { g: 'vm, a' }));
    expect(plan.groups['g']).to.deep.equal({ members: ['vm', 'a'], policies: {} });
  });

  it('may be many and large', async () => {
    const nodes = Array.from({ length: 5000 }, (_, at) => `n${String(at)}`);
    expect((await members(scaled(nodes.join(' '), { g: nodes.join(', ') })))['g']).to.have.length(5000);
    const chain = Object.fromEntries(
      nodes.slice(0, 500).map((name, at) => [`g${String(at)}`, at === 499 ? name : `g${String(at + 1)}, ${name}`]),
    );
    expect(Object.keys(await members(scaled(nodes.slice(0, 500).join(' '), chain)))).to.have.length(500);
    await expectFailure(
      scaled('a', Object.fromEntries(nodes.map((_, at) => [`g${String(at)}`, `g${String((at + 1) % 5000)}`]))),
      'L 200',
    );
  });
});
