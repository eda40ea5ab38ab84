import { expect } from 'chai';
import { describeError } from '../../../src/dsl/report/problem.ts';
import { expectFailure, failure, itRefuses, parse } from './support.ts';

describe('the shape of a blueprint', () => {
  itRefuses([
    ['refuses a list', '# tosca_definitions_version\n- a', 'F 1', "Expected 'dict' type but found 'list' type"],
    [
      'refuses plain text',
      '# tosca_definitions_version\njust text',
      'F 1',
      "Expected 'dict' type but found 'string' type",
    ],
    [
      'refuses an unknown section',
      'nodes: {}',
      'F 1',
      "'nodes' is not in schema. Valid schema values: ['tosca_definitions_version'",
    ],
    ['refuses sections of the earliest language', 'interfaces: {}', 'F 1', "'interfaces' is not in schema"],
    ['refuses upload_resources', 'upload_resources: {}', 'F 1', "'upload_resources' is not in schema"],
    ['refuses a section of the wrong kind', 'inputs: []', 'F 1', "Expected 'dict' type but found 'list' type"],
    [
      'refuses keys that are not text',
      'inputs: {1: {}}',
      'F 1',
      "Dict keys must be strings but found '1' of type 'number'",
    ],
    ['refuses an unknown field', 'node_types: {t: {propertys: {}}}', 'F 1', "'propertys' is not in schema"],
    [
      'refuses a boolean where text is wanted',
      'node_types: {t: {derived_from: true}}',
      'F 1',
      "Expected 'string' type but found 'boolean' type",
    ],
    [
      'refuses an unquoted version number',
      'plugins: {p: {executor: host_agent, package_name: p, package_version: 1.0}}',
      'F 1',
      "Expected 'string' type but found 'float' type",
    ],
    [
      'refuses a float where an integer is wanted',
      'node_types: {t: {}}\nnode_templates: {n: {type: t, instances: {deploy: 2.0}}}',
      'F 1',
      "found 'float' type",
    ],
    [
      'names all kinds a value may have',
      'dsl_definitions: 5',
      'F 1',
      "Expected ['dict', 'list'] type but found 'integer' type",
    ],
    [
      'refuses a missing required key',
      'node_templates: {n: {properties: {}}}',
      'F 1',
      "'type' key is required but it is currently missing",
    ],
    [
      'refuses an empty required key',
      'outputs: {o: {value: }}',
      'F 1',
      "'value' key is required but it is currently missing",
    ],
    ['refuses an empty node template', 'node_templates: {n: }', 'F 1', "'n' key is required"],
    ['refuses an empty node type', 'node_types: {t: }', 'F 1', "'t' key is required"],
    ['refuses an empty plugin', 'plugins: {p: }', 'F 1', "'p' key is required"],
    ['refuses an empty label', 'labels: {l: }', 'F 1', "'l' key is required"],
    ['refuses an empty workflow', 'workflows: {w: }', 'F 1', "'w' key is required"],
    ['refuses empty imports', 'imports:', 'F 1', "Expected 'list' type but found 'null' type"],
    ['refuses a date', 'inputs: {a: {default: 2020-01-01}}', 'F 1', 'date'],
  ]);

  it('takes empty sections for absent ones', async () => {
    const names = [
      'inputs',
      'plugins',
      'node_types',
      'relationships',
      'node_templates',
      'groups',
      'policies',
      'workflows',
    ];
    const plan = await parse(names.map((name) => `${name}:`).join('\n'));
    expect(plan.nodes).to.deep.equal([]);
  });

  it('lets booleans pass for integers', async () => {
    const text = `plugins: {p: {executor: central_deployment_agent, install: false}}
node_types: {t: {interfaces: {i: {o: {implementation: p.f, max_retries: true}}}}}
node_templates: {n: {type: t}}`;
    expect((await parse(text)).nodes[0]?.operations['o']?.max_retries).to.equal(true);
  });

  it('tells the place of a mistake: file, line, column, path, value, excerpt', async () => {
    const error = await failure(
      'inputs:\n  size:\n    type: integer\n    defualt: 5\n',
      {},
      { location: '/b/main.yaml' },
    );
    expect(error.location).to.deep.equal({
      file: '/b/main.yaml',
      line: 5,
      column: 4,
      path: 'inputs.size.defualt',
      value: '5',
      excerpt: '    defualt: 5\n    ^',
    });
    expect(error.remedy).to.equal("Did you mean 'default'?");
    expect(describeError(error)).to.equal(
      `/b/main.yaml:5:5: ${error.message}\n  path: inputs.size.defualt\n  value: 5\n` +
        "        defualt: 5\n        ^\n  hint: Did you mean 'default'?",
    );
  });

  it('reports every mistake of a stage at once', async () => {
    const error = await failure('inputs: []\nnodes: {}\noutputs: {o: {}}\nplugins: {p: {executor: nowhere}}');
    expect([error, ...error.others].map(({ code, path }) => [code, path])).to.deep.equal([
      [1, ['nodes']],
      [1, ['inputs']],
      [1, ['outputs', 'o', 'value']],
      [18, ['plugins', 'p', 'executor']],
    ]);
  });

  it('stops listing mistakes at some point', async () => {
    const sections = Array.from({ length: 300 }, (_, at) => `wrong${String(at)}: 1`).join('\n');
    expect((await failure(sections)).others).to.have.length(99);
  });

  it('keeps an explicit null default apart from none', async () => {
    const plan = await parse('inputs: {a: {default: null}, b: {}}');
    expect(plan.inputs).to.deep.equal({ a: { default: null }, b: {} });
  });

  it('never takes inherited members of objects for names of the blueprint', async () => {
    await expectFailure('node_templates: {n: {type: constructor}}', 'L 7');
    await expectFailure(
      'node_types: {t: {}}\nnode_templates: {n: {type: t, relationships: [{type: toString, target: n}]}}',
      'L 26',
    );
    await expectFailure('node_types: {t: {properties: {a: {type: hasOwnProperty}}}}', 'L 103');
    await expectFailure('node_types: {t: {}}\nnode_templates: {n: {type: t, properties: {__proto__: 1}}}', 'L 106');
    const plan = await parse('inputs: {constructor: {default: 1}}\noutputs: {o: {value: {get_input: constructor}}}');
    expect(Object.keys(plan.inputs)).to.deep.equal(['constructor']);
  });
});
