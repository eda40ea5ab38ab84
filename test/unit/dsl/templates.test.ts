import { expect } from 'chai';
import { expectFailure, failure, itRefuses, nodeOf, parse } from './support.ts';

const types = `node_types: {t: {}}
relationships:
  r: {}
  props: {properties: {a: {default: 1}, b: {}}}
  cloudify.relationships.depends_on: {}
  cloudify.relationships.contained_in: {derived_from: cloudify.relationships.depends_on}
  in: {derived_from: cloudify.relationships.contained_in}
`;

function templates(nodes: string): string {
  return `${types}node_templates: ${nodes}`;
}

describe('node templates', () => {
  itRefuses([
    [
      'refuses an unknown type',
      templates('{n: {type: x}}'),
      'L 7',
      "Could not locate node type: 'x'; existing types: ['t']",
    ],
    [
      'refuses an unknown relationship',
      templates('{n: {type: t, relationships: [{type: x, target: m}]}, m: {type: t}}'),
      'L 26',
      "A relationship instance under node 'n' declares an undefined relationship type 'x'",
    ],
    [
      'refuses an unknown target',
      templates('{n: {type: t, relationships: [{type: r, target: x}]}}'),
      'L 25',
      "A relationship instance under node 'n' of type 'type' declares an undefined target node 'x'",
    ],
    [
      'refuses itself as target',
      templates('{n: {type: t, relationships: [{type: r, target: n}]}}'),
      'L 23',
      'illegally declares the source node as the target node',
    ],
    [
      'refuses relationships in a circle',
      templates(
        '{a: {type: t, relationships: [{type: r, target: b}]}, b: {type: t, relationships: [{type: r, target: a}]}}',
      ),
      'L 100',
      'a --> b --> a',
    ],
    [
      'refuses two containers',
      templates(
        '{n: {type: t, relationships: [{type: in, target: a}, {type: cloudify.relationships.contained_in, target: b}]}, a: {type: t}, b: {type: t}}',
      ),
      'L 112',
      "Node 'n' has more than one relationship that is derived from 'cloudify.relationships.contained_in' relationship. Found: ['in', 'cloudify.relationships.contained_in'] for targets: ['a', 'b']",
    ],
    [
      'refuses unknown properties of a relationship',
      templates('{n: {type: t, relationships: [{type: props, target: m, properties: {x: 1}}]}, m: {type: t}}'),
      'L 106',
      "'n' node relationship 'x' property is not part of the derived relationship type properties schema",
    ],
    [
      'refuses missing properties of a relationship',
      templates('{n: {type: t, relationships: [{type: props, target: m}]}, m: {type: t}}'),
      'L 107',
      "'n' node relationship does not provide a value for mandatory 'b' property",
    ],
    [
      'refuses a relationship without type',
      templates('{n: {type: t, relationships: [{target: m}]}, m: {type: t}}'),
      'F 1',
      "'type' key is required",
    ],
    [
      'refuses a relationship without target',
      templates('{n: {type: t, relationships: [{type: r}]}}'),
      'F 1',
      "'target' key is required",
    ],
    ['refuses an empty relationship', templates('{n: {type: t, relationships: [~]}}'), 'F 1'],
    [
      'refuses instances without a number',
      templates('{n: {type: t, instances: {}}}'),
      'F 1',
      "'deploy' key is required",
    ],
    [
      'refuses a negative number of instances',
      templates('{n: {type: t, instances: {deploy: -1}}}'),
      'F 1',
      'deploy instances must be a non-negative number',
    ],
    [
      'refuses a function as number of instances',
      templates('{n: {type: t, instances: {deploy: {get_input: a}}}}'),
      'F 1',
    ],
    [
      'refuses two ways to say how many instances',
      templates('{n: {type: t, instances: {deploy: 1}, capabilities: {scalable: {}}}}'),
      'L 209',
    ],
  ]);

  const scale = (properties: string): string =>
    templates(`{n: {type: t, capabilities: {scalable: {properties: ${properties}}}}}`);
  itRefuses([
    [
      'refuses negative instances',
      scale('{default_instances: -1}'),
      'L 207',
      'default_instances should be a non negative value.',
    ],
    [
      'refuses a negative minimum',
      scale('{min_instances: -1}'),
      'L 207',
      'min_instances should be a non negative value.',
    ],
    ['refuses a maximum of none', scale('{max_instances: 0}'), 'L 207', 'max_instances should be a positive value.'],
    ['refuses a maximum below unbounded', scale('{max_instances: -2}'), 'L 207'],
    [
      'refuses other words than UNBOUNDED',
      scale('{max_instances: many}'),
      'L 208',
      'The only valid string for max_instances is UNBOUNDED.',
    ],
    [
      'refuses a mapping that is no function',
      scale('{min_instances: {a: b}}'),
      'L 210',
      'min_instances should be a valid intrinsic function or a value.',
    ],
    [
      'refuses fewer instances than the minimum',
      scale('{default_instances: 1, min_instances: 2}'),
      'L 207',
      'default_instances (1) cannot be smaller than min_instances (2)',
    ],
    [
      'refuses a minimum above the maximum',
      scale('{default_instances: 3, min_instances: 3, max_instances: 2}'),
      'L 207',
      'min_instances (3) cannot be greater than max_instances (2)',
    ],
    [
      'refuses more instances than the maximum',
      scale('{default_instances: 3, max_instances: 2}'),
      'L 207',
      'default_instances (3) cannot be greater than max_instances (2)',
    ],
    [
      'refuses counts that are computed',
      scale('{current_instances: 3}'),
      'F 1',
      "'current_instances' is not in schema",
    ],
  ]);

  const counts = (min: unknown, max: unknown, initial: unknown): object => ({
    scalable: {
      properties: {
        min_instances: min,
        max_instances: max,
        default_instances: initial,
        current_instances: initial,
        planned_instances: initial,
      },
    },
  });
  for (const [text, result] of [
    ['{n: {type: t}}', counts(0, -1, 1)],
    ['{n: {type: t, instances: {deploy: 3}}}', counts(0, -1, 3)],
    ['{n: {type: t, capabilities: {}}}', counts(0, -1, 1)],
    [
      '{n: {type: t, capabilities: {scalable: {properties: {default_instances: 2, max_instances: UNBOUNDED}}}}}',
      counts(0, -1, 2),
    ],
    [
      '{n: {type: t, capabilities: {scalable: {properties: {default_instances: {get_input: a}, max_instances: 1}}}}}',
      counts(0, 1, { get_input: 'a' }),
    ],
  ] as const) {
    it(`have instances: ${text}`, async () => {
      const plan = await parse(`inputs: {a: {}}\n${templates(text)}`);
      expect(nodeOf(plan, 'n').capabilities).to.deep.equal(result);
    });
  }

  it('are nodes of the plan', async () => {
    const plan = await parse(
      templates('{n: {type: t, instances: {deploy: 2}, relationships: [{type: in, target: m}]}, m: {type: t}}'),
    );
    expect(nodeOf(plan, 'n')).to.deep.equal({
      name: 'n',
      id: 'n',
      type: 't',
      type_hierarchy: ['t'],
      properties: {},
      instances: { deploy: 2 },
      capabilities: counts(0, -1, 2),
      interfaces: {},
      operations: {},
      relationships: [
        {
          type: 'in',
          target_id: 'm',
          type_hierarchy: ['cloudify.relationships.depends_on', 'cloudify.relationships.contained_in', 'in'],
          properties: {},
          source_interfaces: {},
          target_interfaces: {},
          source_operations: {},
          target_operations: {},
        },
      ],
      plugins: [],
      deployment_plugins_to_install: [],
    });
  });

  it('are on the host they are contained in, however deep', async () => {
    const text = `node_types: {cloudify.nodes.Compute: {}, ns--cloudify.nodes.ComputeLike: {}, t: {}, host: {derived_from: cloudify.nodes.Compute}}
relationships: {cloudify.relationships.contained_in: {}, other: {}}
node_templates:
  inner: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: app}]}
  app: {type: t, relationships: [{type: other, target: vm2}, {type: cloudify.relationships.contained_in, target: vm}]}
  vm: {type: host}
  vm2: {type: ns--cloudify.nodes.ComputeLike, relationships: [{type: cloudify.relationships.contained_in, target: vm}]}
  free: {type: t}
`;
    const plan = await parse(text);
    expect(Object.fromEntries(plan.nodes.map((node) => [node.id, node.host_id]))).to.deep.equal({
      inner: 'vm',
      app: 'vm',
      vm: 'vm',
      vm2: 'vm2',
      free: undefined,
    });
    expect(nodeOf(plan, 'free')).not.to.have.key('host_id');
  });

  it('keep their order', async () => {
    const plan = await parse(templates('{z: {type: t}, a: {type: t}, m: {type: t}}'));
    expect(plan.nodes.map(({ id }) => id)).to.deep.equal(['z', 'a', 'm']);
  });

  it('report the mistakes of each of them', async () => {
    const error = await failure(templates('{a: {type: x}, b: {type: t, properties: {y: 1}}, c: {type: t}}'));
    expect([error, ...error.others].map(({ code }) => code)).to.deep.equal([7, 106]);
  });

  describe('that depend on a lifecycle operation', () => {
    const wait = (
      operation: string,
      target: string,
    ): string => `node_types: {t: {interfaces: {cloudify.interfaces.lifecycle: {create: }}}}
relationships: {cloudify.relationships.depends_on_lifecycle_operation: {properties: {operation: {default: ''}}}}
node_templates:
  n: {type: t, relationships: [{type: cloudify.relationships.depends_on_lifecycle_operation, target: m${operation}}]}
  m: {type: t${target}}
`;
    it('name it', async () => {
      await expectFailure(wait('', ''), 'L 215', 'For "n" node, please supply');
    });

    it('need it in the target itself', async () => {
      const named = ', properties: {operation: create}';
      await expectFailure(wait(named, ''), 'L 216', 'Please define "create" operation in the target node "m"');
      await expectFailure(wait(named, ', interfaces: {i: {create: }}'), 'L 216');
      await parse(wait(named, ', interfaces: {cloudify.interfaces.lifecycle: {create: }}'));
    });
  });
});
