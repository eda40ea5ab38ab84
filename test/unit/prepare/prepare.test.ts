import { expect } from 'chai';
import type { Json, Plan } from '../../../src/domain/plan.ts';
import { expectRefusal } from '../functions/evaluation-kit.ts';
import { operation, planNode, planOf, planRelationship, prepare } from './plan-kit.ts';

const SECRET = { get_secret: 's' };

async function property(value: Json, parts: Partial<Plan> = {}): Promise<Json | undefined> {
  const plan = await prepare(
    planOf({ ...parts, nodes: [planNode('a', { properties: { p: value, q: 'own' } }), ...(parts.nodes ?? [])] }),
  );
  return plan.nodes[0]?.properties['p'];
}

describe('functions in a deployment plan', () => {
  const inputs = { port: { default: 80 }, lazy: { default: SECRET } };
  const b = planNode('b', {
    properties: {
      plain: 1,
      chained: { get_property: ['SELF', 'plain'] },
      late: { get_attribute: ['SELF', 'x'] },
      map: { get_input: 'tags' },
    },
  });
  const parts: Partial<Plan> = { inputs: { ...inputs, tags: { default: { env: 'prod' } } }, nodes: [b] };

  const cases: [string, Json, Json][] = [
    ['are replaced by inputs', { get_input: 'port' }, 80],
    ['are replaced by properties', { get_property: ['b', 'plain'] }, 1],
    ['are replaced by own properties', { get_property: ['SELF', 'q'] }, 'own'],
    ['follow chains, whatever their order', { get_property: ['b', 'chained'] }, 1],
    ['are evaluated on the way to a key', { get_property: ['b', 'map', 'env'] }, 'prod'],
    ['join what is known', { concat: ['a', { get_input: 'port' }] }, 'a80'],
    ['stay when they need a running deployment', { get_attribute: ['b', 'x'] }, { get_attribute: ['b', 'x'] }],
    ['stay with evaluated arguments', { get_attribute: ['b', { get_input: 'port' }] }, { get_attribute: ['b', 80] }],
    ['stay as parts of others', { concat: [{ get_input: 'port' }, SECRET] }, { concat: [80, SECRET] }],
    ['stay when an input is one', { get_input: 'lazy' }, SECRET],
    ['keep SELF when copied from another node', { get_property: ['b', 'late'] }, { get_attribute: ['SELF', 'x'] }],
    [
      'stay when the way to a key must wait',
      { get_property: ['b', 'late', 'key'] },
      { get_property: ['b', 'late', 'key'] },
    ],
    ['stay when a property is only itself', { get_property: ['SELF', 'p'] }, { get_property: ['SELF', 'p'] }],
  ];
  for (const [name, value, expected] of cases) {
    it(name, async () => {
      expect(await property(value, parts)).to.deep.equal(expected);
    });
  }

  const refusals: [string, Json, string, string][] = [
    ['arguments that must wait', { get_input: SECRET }, 'FunctionEvaluationError', 'found an unresolved argument'],
    [
      'property paths that must wait',
      { get_property: ['b', SECRET] },
      'FunctionEvaluationError',
      'found an unresolved argument in path',
    ],
    [
      'texts that must wait',
      { string_find: [SECRET, 'x'] },
      'FunctionEvaluationError',
      'argument `haystack` should not be a function',
    ],
    [
      'properties nobody has',
      { get_property: ['b', 'x'] },
      'FunctionEvaluationError',
      "'b.properties.x' referenced from 'nodes.a.properties.p'",
    ],
    ['properties that read each other', { get_property: ['c', 'p'] }, 'EvaluationRecursionLimitReached', 'circle'],
  ];
  for (const [name, value, className, text] of refusals) {
    it(`refuse ${name}`, async () => {
      const c = planNode('c', { properties: { p: { get_property: ['a', 'p'] } } });
      await expectRefusal(() => property(value, { ...parts, nodes: [b, c] }), className, text);
    });
  }

  it('are evaluated everywhere but where they wait for their use', async () => {
    const value = { get_input: 'port' };
    const plan = await prepare(
      planOf({
        inputs,
        nodes: [
          planNode('a', {
            relationships: [planRelationship('b', { properties: { connection_type: 'all_to_all', x: value } })],
          }),
          planNode('b'),
        ],
        outputs: { o: { value } },
        capabilities: { c: { value: [value] } },
        labels: { l: { values: [{ concat: [value] }] } },
        policies: { p: { properties: { max: value } } },
        scaling_groups: { g: { members: ['a'], properties: { ...planNode('x').capabilities.scalable.properties } } },
        deployment_settings: { display_name: { concat: ['d', value] } },
        resource_tags: { t: value },
      }),
    );
    expect(plan.outputs).to.deep.equal({ o: { value: 80 } });
    expect(plan.capabilities).to.deep.equal({ c: { value: [80] } });
    expect(plan.labels).to.deep.equal({ l: { values: ['80'] } });
    expect(plan.policies).to.deep.equal({ p: { properties: { max: 80 } } });
    expect(plan.deployment_settings).to.deep.equal({ display_name: 'd80' });
    expect(plan.resource_tags).to.deep.equal({ t: value });
    expect(plan.nodes[0]?.relationships[0]?.properties['x']).to.deep.equal(value);
  });

  it('may say how many instances there are', async () => {
    const node = planNode('a');
    node.capabilities.scalable.properties.current_instances = { get_input: 'count' } as unknown as number;
    const plan = await prepare(planOf({ inputs: { count: { default: 3 } }, nodes: [node] }));
    expect(plan.node_instances).to.have.lengthOf(3);
  });

  it('do not change the blueprint plan', async () => {
    const plan = planOf({
      inputs,
      nodes: [
        planNode('a', {
          properties: { p: { get_input: 'port' } },
          operations: { op: operation({ x: SECRET, y: { get_input: 'port' } }) },
        }),
      ],
      outputs: { o: { value: { get_input: 'port' } } },
    });
    const before = structuredClone(plan);
    await prepare(plan);
    expect(plan).to.deep.equal(before);
  });

  it('are all left for run time when the deployment asks for it', async () => {
    const value = { get_input: 'port' };
    const node = planNode('a', {
      properties: { p: value },
      operations: { op: operation({ x: value }), plain: operation({ x: 1 }) },
    });
    const plan = await prepare(planOf({ inputs, nodes: [node] }), { isRuntimeOnly: true });
    expect(plan.nodes[0]?.properties).to.deep.equal({ p: value });
    expect(plan.nodes[0]?.operations['op'])
      .to.include({ has_intrinsic_functions: true })
      .and.have.deep.property('inputs', { x: value });
    expect(plan.nodes[0]?.operations['plain']?.has_intrinsic_functions).to.equal(false);
  });
});

describe('operations in a deployment plan', () => {
  it('are marked when their inputs still hold functions', async () => {
    const late = planNode('b', { properties: { p: { get_attribute: ['b', 'x'] } } });
    const operations = {
      known: operation({ x: { get_input: 'port' } }),
      direct: operation({ deep: [{ x: SECRET }] }),
      copied: operation({ x: { get_property: ['b', 'p'] } }),
    };
    const plan = await prepare(
      planOf({ inputs: { port: { default: 1 } }, nodes: [planNode('a', { operations }), late] }),
    );
    const marks = Object.entries(plan.nodes[0]?.operations ?? {}).map(
      ([name, { has_intrinsic_functions: isMarked }]) => [name, isMarked],
    );
    expect(Object.fromEntries(marks)).to.deep.equal({ known: false, direct: true, copied: true });
  });

  it('of relationships know SOURCE and TARGET', async () => {
    const inputs = { s: { get_property: ['SOURCE', 'name'] }, t: { get_property: ['TARGET', 'name'] } };
    const relationship = planRelationship('b', {
      source_operations: { op: operation(inputs) },
      target_operations: { op: operation(inputs) },
    });
    const nodes = [
      planNode('a', { properties: { name: 'A' }, relationships: [relationship] }),
      planNode('b', { properties: { name: 'B' } }),
    ];
    const [a] = (await prepare(planOf({ nodes }))).nodes;
    expect(a?.relationships[0]?.source_operations['op']?.inputs).to.deep.equal({ s: 'A', t: 'B' });
    expect(a?.relationships[0]?.target_operations['op']?.inputs).to.deep.equal({ s: 'A', t: 'B' });
  });

  it('share their inputs with the interface, unless they run a script', async () => {
    const definition = {
      implementation: 'p.do',
      executor: null,
      max_retries: null,
      retry_interval: null,
      timeout: null,
      timeout_recoverable: null,
    };
    const value = { get_input: 'port' };
    const node = planNode('a', {
      interfaces: {
        i: { op: { ...definition, inputs: { x: value } }, script: { ...definition, inputs: { x: value } } },
      },
      operations: { 'i.op': operation({ x: value }), 'i.script': operation({ x: value, script_path: 's.sh' }) },
    });
    const [a] = (await prepare(planOf({ inputs: { port: { default: 1 } }, nodes: [node] }))).nodes;
    expect(a?.interfaces['i']?.['op']?.inputs).to.deep.equal({ x: 1 });
    expect(a?.interfaces['i']?.['script']?.inputs).to.deep.equal({ x: value });
  });
});

describe('secrets of a deployment plan', () => {
  const plan = planOf({
    nodes: [
      planNode('a', {
        properties: {
          one: { get_secret: 'one' },
          two: { concat: [{ get_secret: ['two', 'key'] }] },
          dynamic: { get_secret: { concat: ['x', SECRET] } },
        },
      }),
    ],
    outputs: { o: { value: { get_secret: 'one' } } },
  });

  it('must exist, all missing ones being named', async () => {
    const asked: string[][] = [];
    const missing = (names: readonly string[]) => {
      asked.push([...names]);
      return Promise.resolve(names.filter((name) => name !== 's'));
    };
    await expectRefusal(
      () => prepare(plan, { secrets: { missing } }),
      'UnknownSecretError',
      "Required secrets: [one, two] don't exist in this tenant",
    );
    expect(asked).to.deep.equal([['one', 'two', 's']]);
  });

  it('are refused where there are none', async () => {
    await expectRefusal(() => prepare(plan, { secrets: undefined }), 'UnsupportedGetSecretError');
    expect((await prepare(planOf(), { secrets: undefined })).node_instances).to.deep.equal([]);
  });
});

describe('dependencies on other deployments', () => {
  const call = { get_capability: ['env', 'cap'] };

  it('count for each instance of a node', async () => {
    const plan = await prepare(
      planOf({
        nodes: [planNode('a', { properties: { p: call } }, 2), planNode('none', { properties: { p: call } }, 0)],
      }),
    );
    const contexts = plan.node_instances.map(({ id }) => ({ self: id }));
    expect(plan.inter_deployment_functions).to.deep.equal(
      contexts.map((context) => ({
        function_identifier: 'nodes.a.properties.p.get_capability',
        target_deployment: ['env', 'env'],
        context,
      })),
    );
  });

  it('count for each instance of the source of a relationship', async () => {
    const source_operations = { op: operation({ x: call }) };
    const nodes = [planNode('a', { relationships: [planRelationship('b', { source_operations })] }, 2), planNode('b')];
    const plan = await prepare(planOf({ nodes }));
    const target = plan.node_instances.find(({ node_id: node }) => node === 'b')?.id;
    expect(plan.inter_deployment_functions.map(({ context }) => context)).to.deep.equal(
      plan.node_instances
        .filter(({ node_id: node }) => node === 'a')
        .map(({ id }) => ({ self: id, source: id, target })),
    );
    expect(plan.inter_deployment_functions[0]?.function_identifier).to.equal(
      'nodes.a.cloudify.relationships.connected_to.op.inputs.x.get_capability',
    );
  });

  it('have no target when the target has no instances', async () => {
    const source_operations = { op: operation({ x: call }) };
    const nodes = [
      planNode('a', { relationships: [planRelationship('b', { source_operations })] }),
      planNode('b', {}, 0),
    ];
    const [dependency] = (await prepare(planOf({ nodes }))).inter_deployment_functions;
    expect(dependency?.context).to.have.keys('self', 'source');
  });

  it('of outputs have no context, and tell functions from names', async () => {
    const dynamic = { get_capability: [SECRET, 'cap'] };
    const plan = await prepare(planOf({ outputs: { o: { value: { concat: [call, dynamic] } } } }));
    expect(plan.inter_deployment_functions).to.deep.equal([
      {
        function_identifier: 'outputs.o.value.concat[0].get_capability',
        target_deployment: ['env', 'env'],
        context: {},
      },
      {
        function_identifier: 'outputs.o.value.concat[1].get_capability',
        target_deployment: [null, SECRET],
        context: {},
      },
    ]);
  });
});
