import { expect } from 'chai';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import {
  evaluateCapabilities,
  evaluateFunctions,
  evaluateInstanceFunctions,
  evaluateNodeFunctions,
  evaluateOutputs,
} from '../../../src/dsl/functions/index.ts';
import type { Deployment } from './evaluation-kit.ts';
import { evaluate, expectRefusal, instance, node, SHOP, storageOf } from './evaluation-kit.ts';

describe('instances an attribute is read of', () => {
  const scaled: Deployment = {
    nodes: [node('vm'), node('app', {}, 'vm'), node('db', {}, 'vm'), node('lb')],
    instances: [
      instance('vm_1', {}, { groups: { g_1: 'g' } }),
      instance('vm_2', {}, { groups: { g_2: 'g' } }),
      instance('app_1', {}, { targets: { vm_1: 'vm' } }),
      instance('app_2', {}, { targets: { vm_2: 'vm' } }),
      instance('db_1', { name: 'one' }, { targets: { vm_1: 'vm' } }),
      instance('db_2', { name: 'two' }, { targets: { vm_2: 'vm' } }),
      instance('lb_1', {}, { targets: { db_2: 'db' } }),
    ],
  };
  const read = { get_attribute: ['db', 'name'] };

  it('is the one the instance is related to', async () => {
    expect(await evaluate(read, { self: 'lb_1' }, scaled)).to.equal('two');
  });

  it('is the one in the same instance of the scaling group', async () => {
    expect(await evaluate(read, { self: 'app_1' }, scaled)).to.equal('one');
    expect(await evaluate(read, { source: 'app_2', target: 'lb_1' }, scaled)).to.equal('two');
    expect(await evaluate(read, { source: 'lb_1', target: 'app_1' }, scaled)).to.equal('one');
  });

  it('is ambiguous from outside of the group', async () => {
    await expectRefusal(() => evaluate(read, {}, scaled), 'FunctionEvaluationError', 'More than one node instance');
  });

  it('is the hinted one when a node is evaluated for an instance', async () => {
    const self = node('db', { copy: read, own: { get_attribute: ['SELF', 'name'] } });
    const evaluated = await evaluateNodeFunctions({ properties: self.properties }, self, storageOf(scaled), 'db_2');
    expect(evaluated.properties).to.deep.equal({ copy: 'two', own: 'two' });
  });
});

describe('capabilities of other deployments', () => {
  const base = storageOf({
    inputs: { size: 3 },
    nodes: [node('net')],
    instances: [instance('net_1', { cidr: '10.0.0.0/8' })],
  });
  const capabilities = {
    cidr: { value: { get_attribute: ['net', 'cidr'] } },
    all: { value: { size: { get_input: 'size' }, zones: ['a', 'b'] } },
  };
  const deployment: Deployment = {
    labels: { 'csys-obj-parent': ['env'] },
    deployments: {
      env: { capabilities, storage: base },
      d1: { capabilities: { ip: { value: '1' }, port: { value: [{ get_input: 'size' }] } }, storage: base },
      d2: { capabilities: { port: { value: [80] } }, storage: base },
      d3: { capabilities: {}, storage: base },
    },
    groups: { fleet: ['d1', 'd2', 'd3'] },
  };

  const cases: [string, Json, Json][] = [
    ['are evaluated in their own deployment', { get_capability: ['env', 'cidr'] }, '10.0.0.0/8'],
    [
      'are walked into',
      [{ get_capability: ['env', 'all', 'size'] }, { get_capability: ['env', 'all', 'zones', 1] }],
      [3, 'b'],
    ],
    ['are those of the environment', { get_environment_capability: 'cidr' }, '10.0.0.0/8'],
    ['are walked into in the environment', { get_environment_capability: ['all', 'zones', 0] }, 'a'],
    ['make a list for a group', { get_group_capability: ['fleet', 'ip'] }, ['1']],
    [
      'are lists for several capabilities',
      { get_group_capability: ['fleet', ['none', 'port'], 0] },
      [
        [null, 3],
        [null, 80],
      ],
    ],
    ['make a mapping by deployment', { get_group_capability: ['fleet', 'deployment_id:ip'] }, { d1: '1' }],
  ];
  for (const [name, value, expected] of cases) {
    it(name, async () => {
      expect(await evaluate(value, {}, deployment)).to.deep.equal(expected);
    });
  }

  const refusals: [string, Json, string, string][] = [
    [
      'an unknown deployment',
      { get_capability: ['nope', 'x'] },
      'FunctionEvaluationError',
      'Requested capability `x` is not declared in deployment `nope`',
    ],
    ['an unknown capability', { get_capability: ['env', 'x'] }, 'FunctionEvaluationError', 'is not declared'],
    [
      'a missing key',
      { get_capability: ['env', 'all', 'x'] },
      'FunctionEvaluationError',
      "Attribute 'x' doesn't exist in 'all' in deployment 'env'.",
    ],
    [
      'a key for a list',
      { get_capability: ['env', 'all', 'zones', 'x'] },
      'FunctionEvaluationError',
      'expected to be an int but got str',
    ],
    [
      'an index out of range',
      { get_capability: ['env', 'all', 'zones', 2] },
      'FunctionEvaluationError',
      'List size of',
    ],
    [
      'a path into a plain value',
      { get_capability: ['env', 'cidr', 'x'] },
      'FunctionEvaluationError',
      'has no attribute x',
    ],
    [
      'an unknown group',
      { get_group_capability: ['nope', 'x'] },
      'FunctionEvaluationError',
      'Deployment group nope does not exist',
    ],
  ];
  for (const [name, value, className, text] of refusals) {
    it(`refuse ${name}`, async () => {
      await expectRefusal(() => evaluate(value, {}, deployment), className, text);
    });
  }

  it('need an environment', async () => {
    await expectRefusal(
      () => evaluate({ get_environment_capability: 'x' }, {}, {}),
      'FunctionEvaluationError',
      'no environment',
    );
  });

  it('that refer to each other in a circle are refused', async () => {
    const deployments: Record<
      string,
      { capabilities: Record<string, { value: Json }>; storage: ReturnType<typeof storageOf> }
    > = {};
    const storage = storageOf({ deployments });
    deployments['a'] = { capabilities: { x: { value: { get_capability: ['b', 'x'] } } }, storage };
    deployments['b'] = { capabilities: { x: { value: { concat: ['>', { get_capability: ['a', 'x'] }] } } }, storage };
    await expectRefusal(
      () => evaluateFunctions({ v: { get_capability: ['a', 'x'] } }, {}, storage),
      'EvaluationRecursionLimitReached',
    );
  });
});

describe('loading of facts', () => {
  it('asks for everything of a kind at once', async () => {
    const nodes = Array.from({ length: 200 }, (_, index) => node(`n${String(index)}`, { value: index }));
    const instances = nodes.map(({ id }) => instance(`${id}_1`, { up: true }));
    const storage = storageOf({ nodes, instances, secrets: { a: '1', b: '2' } });
    const payload = Object.fromEntries(
      nodes.flatMap(({ id }): [string, Json][] => [
        [`${id}.property`, { get_property: [id, 'value'] }],
        [`${id}.attribute`, { get_attribute: [id, 'up'] }],
      ]),
    );
    await evaluateFunctions({ ...payload, a: { get_secret: 'a' }, b: { get_secret: 'b' } }, {}, storage);
    expect(storage.calls.toSorted()).to.deep.equal(['instancesOf', 'nodes', 'secrets']);
  });

  it('takes a round per link of a chain only', async () => {
    const length = 30;
    const nodes = Array.from({ length }, (_, index) =>
      node(`n${String(index)}`, {
        value: index === length - 1 ? 'end' : { get_property: [`n${String(index + 1)}`, 'value'] },
      }),
    );
    const storage = storageOf({ nodes });
    expect(await evaluateFunctions({ v: { get_property: ['n0', 'value'] } }, {}, storage)).to.deep.equal({ v: 'end' });
    expect(storage.calls).to.have.lengthOf(length);
  });

  it('asks for nothing when there are no functions', async () => {
    const storage = storageOf(SHOP);
    await evaluateFunctions({ a: [1, { b: 'c' }] }, {}, storage);
    expect(storage.calls).to.deep.equal([]);
  });
});

describe('nodes, instances, outputs and capabilities', () => {
  it('evaluates properties and capabilities of a node as the node', async () => {
    const self = node('app', { port: { get_input: 'port' }, same: { get_property: ['SELF', 'port'] } }, 'vm');
    const capabilities = { scalable: { properties: { default_instances: { get_input: 'port' } } } };
    const evaluated = await evaluateNodeFunctions({ properties: self.properties, capabilities }, self, storageOf(SHOP));
    expect(evaluated.properties).to.deep.equal({ port: 8080, same: 8080 });
    expect(evaluated.capabilities).to.deep.equal({ scalable: { properties: { default_instances: 8080 } } });
  });

  it('evaluates runtime properties of an instance', async () => {
    const self = instance('app_1', {
      vm: { get_attribute: ['vm', 'ip'] },
      me: { get_attribute: ['SELF', 'node_instance_id'] },
    });
    expect(await evaluateInstanceFunctions(self, storageOf(SHOP))).to.deep.equal({ vm: '192.168.0.1', me: 'app_1' });
  });

  it('shows an attribute of outputs that cannot be resolved as an error text', async () => {
    const outputs = { a: { value: { get_attribute: ['db', 'role'] } }, b: { value: { get_attribute: ['vm', 'ip'] } } };
    const values = await evaluateOutputs(outputs, storageOf(SHOP));
    expect(values['a']).to.match(/^<ERROR: Unable to evaluate get_attribute function: More than one node instance/);
    expect(values['b']).to.equal('192.168.0.1');
  });

  it('leaves out outputs and capabilities that are a missing secret', async () => {
    const declared = {
      a: { value: { get_secret: 'nope' } },
      b: { value: { get_secret: ['gone', 'x'] } },
      c: { value: 1 },
    };
    expect(await evaluateOutputs(declared, storageOf(SHOP))).to.deep.equal({ c: 1 });
    expect(await evaluateCapabilities(declared, storageOf(SHOP))).to.deep.equal({ c: 1 });
  });

  it('fails for an attribute of capabilities that cannot be resolved', async () => {
    const declared = { a: { value: { get_attribute: ['db', 'role'] } } };
    await expectRefusal(() => evaluateCapabilities(declared, storageOf(SHOP)), 'FunctionEvaluationError');
  });
});

describe('limits of evaluation', () => {
  const nest = (value: Json, levels: number): Json => (levels === 0 ? value : nest({ k: value }, levels - 1));

  it('accepts 49 levels below a payload key and refuses 50', async () => {
    expect(await evaluate(nest('x', 49))).to.deep.equal(nest('x', 49));
    await expectRefusal(() => evaluate(nest('x', 50)), 'EvaluationRecursionLimitReached', 'recursion limit (50)');
  });

  it('names the circle of properties that refer to each other', async () => {
    const nodes = [
      node('a', { p: { get_property: ['b', 'p'] } }),
      node('b', { p: { get_property: ['c', 'p'] } }),
      node('c', { p: { get_property: ['a', 'p'] } }),
    ];
    await expectRefusal(
      () => evaluate({ get_property: ['a', 'p'] }, {}, { nodes }),
      'EvaluationRecursionLimitReached',
      /circle: .*a\.properties.* -> .*b\.properties.* -> .*c\.properties.* -> .*a\.properties/,
    );
  });

  it('refuses attributes, inputs and compositions in circles', async () => {
    const nodes = [
      node('a', { p: { concat: ['x', { get_property: ['b', 'p'] }] } }),
      node('b', { p: { get_property: ['a', 'p'] } }),
    ];
    const instances = [instance('a_1', { r: { get_attribute: ['SELF', 's'] }, s: { get_attribute: ['SELF', 'r'] } })];
    const inputs = { i: { get_input: 'j' }, j: { get_input: 'i' }, k: { get_input: 'k' } };
    const values: Json[] = [
      { get_property: ['a', 'p'] },
      { get_attribute: ['a', 'r'] },
      { get_input: 'i' },
      { get_input: 'k' },
    ];
    for (const value of values) {
      await expectRefusal(() => evaluate(value, {}, { nodes, instances, inputs }), 'EvaluationRecursionLimitReached');
    }
  });

  it('reads another key of the property it is in', async () => {
    const nodes = [node('a', { p: { x: 1, y: { get_property: ['a', 'p', 'x'] } } })];
    expect(await evaluate({ get_property: ['a', 'p'] }, {}, { nodes })).to.deep.equal({ x: 1, y: 1 });
  });

  it('evaluates a property many others refer to once, and refuses results that would not fit in memory', async () => {
    const properties: JsonObject = { p0: { k: 'v' } };
    for (let level = 1; level <= 40; level += 1) {
      const below = { get_property: ['a', `p${String(level - 1)}`] };
      properties[`p${String(level)}`] = { l: below, r: below };
    }
    const nodes = [node('a', properties)];
    const small = (await evaluate({ get_property: ['a', 'p8'] }, {}, { nodes })) as JsonObject;
    expect(JSON.stringify(small).match(/"v"/g)).to.have.lengthOf(256);
    await expectRefusal(
      () => evaluate({ get_property: ['a', 'p40'] }, {}, { nodes }),
      'FunctionEvaluationError',
      'would produce more',
    );
  });
});
