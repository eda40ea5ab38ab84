import { expect } from 'chai';
import { describeError } from '../../../src/dsl/report/problem.ts';
import { failure } from './support.ts';

/** Types that the blueprints of the table share. They end in line 17. */
const types = `tosca_definitions_version: cloudify_dsl_1_5
plugins: {p: {executor: central_deployment_agent, install: false}}
relationships:
  cloudify.relationships.contained_in: {properties: {weight: {type: integer, required: false}}}
  uses: {}
node_types:
  box:
    properties:
      port: {type: integer}
      name: {type: string, default: x}
      tags: {type: list, default: []}
    interfaces:
      life:
        start: {implementation: p.start, inputs: {how: {default: fast}}}
        stop: {implementation: p.stop}
inputs:
  known: {type: integer, default: 1}
`;

type Row = readonly [behaviour: string, text: string, wanted: readonly (readonly [number, number | string])[]];

const rows: readonly Row[] = [
  [
    'unknown types, targets and inputs in different templates',
    `node_templates:
  a: {type: bix}
  b:
    type: box
    properties: {port: 1}
    relationships:
      - {type: uses, target: nowhere}
  c:
    type: box
    properties: {port: {get_input: nope}}
`,
    [
      [19, 7],
      [24, 25],
      [27, 'UnknownInputError'],
    ],
  ],
  [
    'every mistake in one template',
    `node_templates:
  a:
    type: box
    properties:
      port: many
      colour: red
      tags: {get_input: nope}
      name: {get_property: [SELF, gone]}
    interfaces:
      life:
        start: {implementation: q.start}
        stop: {implementation: r.stop}
    relationships:
      - {type: used, target: nowhere}
      - type: cloudify.relationships.contained_in
        target: b
        properties: {weight: heavy, height: 1}
  b: {type: box, properties: {port: 1}}
`,
    [
      [22, 105],
      [23, 106],
      [24, 'UnknownInputError'],
      [28, 10],
      [29, 10],
      [31, 26],
      [31, 25],
      [34, 105],
      [34, 106],
    ],
  ],
  [
    'no properties, operations or functions that only an unknown type makes wrong',
    `node_templates:
  a: {type: bix, properties: {any: 1}, interfaces: {life: {start: {inputs: {how: slow}}}}}
  b: {type: box, properties: {port: {get_property: [a, any, deep]}}}
outputs:
  o: {value: {get_attribute: [a, ip]}}
  u: {value: {get_attribute: [z, ip]}}
`,
    [
      [19, 7],
      [23, 'KeyError'],
    ],
  ],
  [
    'no missing property where its name is misspelt',
    `node_templates:
  a: {type: box, properties: {prot: 1}}
  b: {type: box}
`,
    [
      [19, 106],
      [20, 107],
    ],
  ],
  [
    'only the section with an unknown name, since others may lack what is in it',
    `node_template:
  a: {type: box}
groups:
  g: {members: [a]}
`,
    [[18, 1]],
  ],
  [
    'groups, policies and workflows beside wrong templates',
    `node_templates:
  a: {type: bix}
  b: {type: box, properties: {port: 1}}
workflows:
  w: q.run
  v: r.run
groups:
  g: {members: [a, b, y, z]}
  h: {members: [g]}
policies:
  s: {type: cloudify.policies.scaling, targets: [g, h, i, j]}
`,
    [
      [19, 7],
      [22, 21],
      [23, 21],
      [25, 40],
      [25, 40],
      [28, 205],
      [28, 205],
    ],
  ],
  [
    'wrong shapes with what is wrong elsewhere, nothing of what refers to them',
    `  broken: {type: integer, defualt: 1}
node_templates:
  a: {type: box, propertis: {port: 1}}
  b:
    type: box
    properties: {port: {get_input: broken}}
    relationships:
      - {type: uses, target: a}
      - {type: uses, target: c}
outputs:
  o: {value: {get_input: nope}}
`,
    [
      [18, 1],
      [20, 1],
      [26, 25],
      [28, 'UnknownInputError'],
    ],
  ],
  [
    'defaults of inputs and functions beside wrong templates',
    `  low: {type: integer, default: 1, constraints: [{greater_than: 5}]}
  text: {type: integer, default: many}
node_templates:
  a: {type: bix}
capabilities:
  c: {value: {get_input: nope}}
`,
    [
      [18, 'ConstraintException'],
      [19, 105],
      [21, 7],
      [23, 'UnknownInputError'],
    ],
  ],
];

describe('mistakes reported together', () => {
  for (const [behaviour, text, wanted] of rows) {
    it(behaviour, async () => {
      const error = await failure(types + text);
      const all = [error, ...error.others];
      const found = all.map(({ location, code, className }) => [location?.line ?? 0, code ?? className] as const);
      const byLine = (list: typeof wanted) => list.toSorted(([a], [b]) => a - b);
      expect(byLine(found), describeError(error)).to.deep.equal(wanted);
      const others = found.slice(1);
      expect(others, 'others by place').to.deep.equal(byLine(others));
    });
  }

  it('keep a wrong type from spoiling its templates and the types below it', async () => {
    const error = await failure(`
data_types:
  d: {properties: {x: {type: nosuch}}}
  e: {derived_from: d}
plugins: {p: {executor: central_deployment_agent}}
relationships:
  r: {source_interfaces: {i: {o: {implementation: p.o}, q: {implementation: z.q}}}}
  s: {derived_from: r}
node_types:
  t: {properties: {y: {type: e}}}
  u: {derived_from: t}
node_templates:
  a: {type: u, properties: {z: 1}, relationships: [{type: s, target: b}, {type: s, target: c}]}
  b: {type: t}
`);
    expect([error, ...error.others].map(({ code, path }) => [code, path])).to.deep.equal([
      [103, ['data_types', 'd', 'properties', 'x', 'type']],
      [50, ['plugins', 'p']],
      [19, ['relationships', 'r', 'source_interfaces', 'i', 'q']],
      [25, ['node_templates', 'a', 'relationships', 1, 'target']],
    ]);
  });

  it('tell a wrong operation of a type once for all its templates', async () => {
    const error = await failure(`
node_types: {t: {interfaces: {i: {o: {implementation: z.q}}}}}
node_templates: {a: {type: t}, b: {type: t}, c: {type: x}}
`);
    expect([error, ...error.others].map(({ code }) => code)).to.deep.equal([10, 7]);
  });

  it('do not ask for a host where a container is wrong', async () => {
    const error = await failure(`
plugins: {p: {executor: host_agent, install: false}}
relationships: {cloudify.relationships.contained_in: {}}
node_types: {t: {interfaces: {i: {o: {implementation: p.o}}}}}
node_templates:
  a: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: host}]}
  host: {type: nosuch}
  lone: {type: t}
`);
    expect([error, ...error.others].map(({ code }) => code)).to.deep.equal([7, 24]);
  });

  it('put circles first and go on beside them', async () => {
    const error = await failure(`
plugins: {p: {executor: central_deployment_agent}}
node_types: {t: {derived_from: u}, u: {derived_from: t}}
inputs: {x: {type: nope}}
node_templates: {a: {type: zz}}
outputs: {o: {value: {get_input: y}}}
`);
    expect([error, ...error.others].map(({ code }) => code)).to.deep.equal([100, 50, 103, undefined]);
  });

  it('check groups and functions beside nodes that depend on themselves', async () => {
    const error = await failure(`
plugins: {p: {executor: host_agent, install: false}}
relationships: {r: {}}
node_types: {t: {interfaces: {i: {o: {implementation: p.o}}}}}
node_templates:
  a: {type: t, relationships: [{type: r, target: b}]}
  b: {type: t, relationships: [{type: r, target: a}]}
groups: {g: {members: [a, c]}}
outputs: {o: {value: {get_attribute: [d, ip]}}}
`);
    expect([error, ...error.others].map(({ code }) => code)).to.deep.equal([100, 40, undefined]);
  });

  it('check the shape of the file beside imports that cannot be read', async () => {
    const error = await failure(`
imports: [one.yaml, two.yaml]
node_templates: {a: {typ: t}}
inputs: []
`);
    expect([error, ...error.others].map(({ code, location }) => [code, location?.path])).to.deep.equal([
      [13, 'imports.0'],
      [13, 'imports.1'],
      [1, 'node_templates.a.typ'],
      [1, 'node_templates.a.type'],
      [1, 'inputs'],
    ]);
  });

  it('go on beside keys that are not text', async () => {
    const error = await failure('policies: {1: {type: x}, p: {}}\ninputs: {a: {typ: string}}\n');
    expect([error, ...error.others].map(({ code, location }) => [code, location?.path])).to.deep.equal([
      [1, 'inputs.a.typ'],
      [1, 'policies.1'],
      [1, 'policies.1.targets'],
      [204, 'policies.1.type'],
      [1, 'policies.p.type'],
      [1, 'policies.p.targets'],
    ]);
  });

  it('name an unknown section that is empty', async () => {
    const error = await failure('nodes:\n');
    expect([error.code, error.location?.path]).to.deep.equal([1, 'nodes']);
  });

  it('check the shape of the file beside a version that is not known', async () => {
    const error = await failure('tosca_definitions_version: cloudify_dsl_9_9\ninputs: {a: {typ: string}}\n');
    expect([error, ...error.others].map(({ code, location }) => [code, location?.path])).to.deep.equal([
      [29, 'tosca_definitions_version'],
      [1, 'inputs.a.typ'],
    ]);
  });
});
