import { expect } from 'chai';
import { expectFailure, nodeOf, parse, typesText } from './support.ts';
import type { World } from './support.ts';

const all = `
inputs: {i: {type: d, default: {}}}
data_types: {d: {properties: {x: {default: 1}}}}
plugins: {p: {executor: central_deployment_agent, install: false, properties: {q: {type: string, value: v}}}}
node_types: {t: {properties: {a: {type: d}, s: {type: string, default: text}}, interfaces: {life: {op: p.f}}}}
relationships: {r: {}}
node_templates:
  n: {type: t, relationships: [{type: r, target: m}], properties: {s: {get_input: i}}}
  m: {type: t, properties: {s: {concat: [{get_property: [n, s]}, {get_attribute: [SELF, ip]}]}}}
outputs: {o: {value: {get_attribute: [n, x]}, description: words}}
capabilities: {c: {value: text}}
workflows: {w: p.f}
groups: {g: {members: [n]}}
policies: {scale: {type: cloudify.policies.scaling, targets: [g]}}
labels: {l: {values: [{get_input: i}]}}
blueprint_labels: {bl: {values: [v]}}
resource_tags: {tag: {get_input: i}, plain: text}
metadata: {k: v}
`;
const world: World = { files: { 'a.yaml': all } };

describe('namespaces', () => {
  it('prefix the names a file defines', async () => {
    const plan = await parse('imports: [ns--a.yaml]', world);
    const keys = {
      inputs: plan.inputs,
      outputs: plan.outputs,
      capabilities: plan.capabilities,
      relationships: plan.relationships,
      workflows: plan.workflows,
      groups: plan.groups,
      policies: plan.policies,
      scaling_groups: plan.scaling_groups,
      labels: plan.labels,
      blueprint_labels: plan.blueprint_labels,
      data_types: plan.data_types,
      resource_tags: plan.resource_tags,
      metadata: plan.metadata,
    };
    expect(
      Object.fromEntries(Object.entries(keys).map(([name, value]) => [name, Object.keys(value ?? {})])),
    ).to.deep.equal({
      inputs: ['ns--i'],
      outputs: ['ns--o'],
      capabilities: ['ns--c'],
      relationships: ['ns--r'],
      workflows: ['ns--w'],
      groups: ['ns--g'],
      policies: ['ns--scale'],
      scaling_groups: ['ns--g'],
      labels: ['ns--l'],
      blueprint_labels: ['ns--bl'],
      data_types: ['ns--d'],
      resource_tags: ['ns--tag', 'ns--plain'],
      metadata: ['ns--k'],
    });
  });

  it('prefix references to them', async () => {
    const plan = await parse('imports: [ns--a.yaml]', world);
    const node = nodeOf(plan, 'ns--n');
    expect(node).to.include({ type: 'ns--t' });
    expect(node.relationships[0]).to.include({ type: 'ns--r', target_id: 'ns--m' });
    expect(node.operations['op']).to.include({ plugin: 'ns--p', operation: 'f' });
    expect(plan.inputs['ns--i']).to.deep.equal({ type: 'ns--d', default: { x: 1 } });
    expect(plan.workflows['ns--w']).to.include({ plugin: 'ns--p', operation: 'f' });
    expect(plan.scaling_groups['ns--g']?.members).to.deep.equal(['ns--n']);
    expect(Object.keys((node.plugins[0]?.properties ?? {}) as object)).to.deep.equal(['ns--q']);
  });

  it('prefix names in functions, wherever they stand, but not SELF', async () => {
    const plan = await parse('imports: [ns--a.yaml]', world);
    expect(nodeOf(plan, 'ns--n').properties['s']).to.deep.equal({ get_input: 'ns--i' });
    expect(nodeOf(plan, 'ns--m').properties['s']).to.deep.equal({
      concat: [{ get_property: ['ns--n', 's'] }, { get_attribute: ['SELF', 'ip'] }],
    });
    expect(plan.labels['ns--l']).to.deep.equal({ values: [{ get_input: 'ns--i' }] });
    expect(plan.resource_tags['ns--tag']).to.deep.equal({ get_input: 'ns--i' });
  });

  for (const [call, expected] of [
    ['{get_input: [i, x, {get_input: i}]}', { get_input: ['ns--i', 'x', { get_input: 'ns--i' }] }],
    ['{get_attribute: [{get_input: i}, x]}', { get_attribute: [{ get_input: 'ns--i' }, 'x'] }],
    ['{get_attributes_list: [n, x]}', { get_attributes_list: ['ns--n', 'x'] }],
    ['{get_attributes_dict: [n, x]}', { get_attributes_dict: ['ns--n', 'x'] }],
    ['{get_secret: i}', { get_secret: 'i' }],
    ['{get_capability: [dep, n]}', { get_capability: ['dep', 'n'] }],
    ['[{get_input: i}]', [{ get_input: 'ns--i' }]],
    ['{get_input: i, other: 1}', { get_input: 'i', other: 1 }],
    ['plain', 'plain'],
  ] as const) {
    it(`make of ${call} ${JSON.stringify(expected)}`, async () => {
      const text = `inputs: {i: {}}\nnode_types: {t: {properties: {a: {}}}}\nnode_templates: {n: {type: t, properties: {a: ${call}}}}`;
      const plan = await parse('imports: [ns--a.yaml]', { files: { 'a.yaml': text } });
      expect(nodeOf(plan, 'ns--n').properties['a']).to.deep.equal(expected);
    });
  }

  it('leave what is no name alone', async () => {
    const text = `plugins: {script: {executor: central_deployment_agent, install: false}}
data_types: {d: {description: about d, version: '1.0'}}
inputs: {a: {type: string, default: text, display_label: Shown, description: about a}}
outputs: {o: {value: text}}
node_types: {t: {interfaces: {i: {inline: "#!/bin/sh\\necho hi\\n", remote: 'http://host/x.sh'}}}}
node_templates: {n: {type: t, capabilities: {scalable: {properties: {max_instances: UNBOUNDED}}}}}
deployment_settings: {id_template: 'x-{uuid}'}
`;
    const plan = await parse('imports: [ns--a.yaml]', { files: { 'a.yaml': text } });
    expect(plan.data_types['ns--d']).to.include({ description: 'about d', version: '1.0' });
    expect(plan.inputs['ns--a']).to.include({ default: 'text', display_label: 'Shown', description: 'about a' });
    expect(plan.outputs['ns--o']?.value).to.equal('text');
    const { operations } = nodeOf(plan, 'ns--n');
    expect(operations['inline']?.inputs).to.deep.equal({ script_source: '#!/bin/sh\necho hi\n' });
    expect(operations['remote']?.inputs).to.deep.equal({ script_path: 'http://host/x.sh' });
    expect(plan.deployment_settings['id_template']).to.equal('x-{uuid}');
  });

  it("never prefix the manager's own names, as keys or references", async () => {
    const text = 'node_types: {cloudify.x: {}, mine: {derived_from: cloudify.x}}\nnode_templates: {n: {type: mine}}';
    const plan = await parse('imports: [ns--a.yaml]', { files: { 'a.yaml': text } });
    expect(nodeOf(plan, 'ns--n').type_hierarchy).to.deep.equal(['cloudify.x', 'ns--mine']);
  });

  it('compose from the outside in', async () => {
    const files = {
      'outer.yaml': 'imports: [inner--a.yaml]',
      'a.yaml': 'inputs: {i: {}}\noutputs: {o: {value: {get_input: i}}}',
    };
    const plan = await parse('imports: [outer--outer.yaml]', { files });
    expect(plan.outputs).to.deep.equal({ 'outer--inner--o': { value: { get_input: 'outer--inner--i' } } });
  });

  it('are inherited by imports without one', async () => {
    const files = { 'b.yaml': 'imports: [a.yaml]', 'a.yaml': 'inputs: {i: {}}' };
    expect((await parse('imports: [ns--b.yaml]', { files })).inputs).to.have.keys('ns--i');
  });

  it('make independent copies of one file', async () => {
    const plan = await parse('imports: [x--a.yaml, y--a.yaml]', { files: { 'a.yaml': 'inputs: {i: {}}' } });
    expect(plan.inputs).to.have.keys('x--i', 'y--i');
  });

  it('prefix each part once when anchors share it', async () => {
    const text = `inputs: {i: {}}
node_types: {t: {properties: {a: {}}}}
node_templates:
  n: {type: t, properties: &shared {a: {get_input: i}}}
  m: {type: t, properties: *shared}
`;
    const plan = await parse('imports: [ns--a.yaml]', { files: { 'a.yaml': text } });
    expect(plan.nodes.map(({ properties }) => properties)).to.deep.equal([
      { a: { get_input: 'ns--i' } },
      { a: { get_input: 'ns--i' } },
    ]);
  });

  it('place mistakes where the file has them, without the prefix', async () => {
    const error = await expectFailure('imports: [ns--a.yaml]', 'L 7', undefined, {
      files: { 'a.yaml': 'node_templates:\n  n:\n    type: t' },
    });
    expect(error.location).to.include({ file: 'file:a.yaml', line: 3, column: 4, path: 'node_templates.ns--n.type' });
  });

  describe('and built-in types', () => {
    const files = {
      'types.yaml': typesText(),
      'a.yaml': 'imports: [types.yaml]\nnode_templates: {n: {type: cloudify.nodes.Compute}}',
    };

    it('do not go together', async () => {
      await expectFailure('imports: [ns--types.yaml]', 'L 214', 'cannot be used on Cloudify basic types', { files });
    });

    it('go together when the types come with a file', async () => {
      const plan = await parse('imports: [types.yaml, ns--a.yaml]', { files });
      expect(nodeOf(plan, 'ns--n').host_id).to.equal('ns--n');
      expect(plan.workflows).to.include.keys('install').and.not.include.keys('ns--install');
    });
  });

  describe('of imported blueprints', () => {
    const version = 'tosca_definitions_version: cloudify_dsl_1_5\n';
    const scripts =
      'plugins: {script: {executor: central_deployment_agent, install: false}}\nnode_types: {t: {interfaces: {i: {op: scripts/x.sh}}}}\n';
    const blueprints = {
      app: `${version}imports: [types.yaml, deep--blueprint:db]\n${scripts}node_templates: {n: {type: t}}`,
      db: `${version}inputs: {password: {}}`,
    };
    const files = { 'types.yaml': typesText() };

    it('are needed', async () => {
      await expectFailure('imports: [blueprint:app]', 'L 213', 'cannotbe used without namespace', {
        blueprints,
        files,
      });
    });

    it('belong to one blueprint each', async () => {
      await expectFailure('imports: [ns--blueprint:app, ns--blueprint:db]', 'L 214', 'can not use the samenamespace', {
        blueprints,
        files,
      });
    });

    it('are listed with their blueprints, nested ones too', async () => {
      const plan = await parse('imports: [ns--blueprint:app]', { blueprints, files });
      expect(plan.namespaces_mapping).to.deep.equal({ ns: 'app', 'ns--deep': 'db' });
      expect(plan.imported_blueprints).to.deep.equal(['app', 'db']);
      expect(plan.inputs).to.have.keys('ns--deep--password');
    });

    it('find scripts in the blueprint they stand for', async () => {
      const plan = await parse('imports: [ns--blueprint:app]', { blueprints, files });
      expect(nodeOf(plan, 'ns--n').operations['op']).to.deep.include({
        operation: 'script_runner.tasks.run',
        executor: 'auto',
        inputs: { script_path: 'ns--scripts/x.sh' },
      });
    });

    it('leave the built-in types of the blueprint alone', async () => {
      const plan = await parse('imports: [ns--blueprint:app]', { blueprints, files });
      expect(plan.workflows).to.include.keys('install');
    });

    it('are not judged by version', async () => {
      const text = 'tosca_definitions_version: cloudify_dsl_1_0\ninputs: {a: {}}';
      await parse('imports: [ns--blueprint:old]', { blueprints: { old: text } });
    });

    it('refuse blueprints of a later version', async () => {
      await expectFailure(
        'tosca_definitions_version: cloudify_dsl_1_4\nimports: [ns--blueprint:db]',
        'L 28',
        undefined,
        { blueprints },
      );
    });

    it('take a blueprint that is not there for a failed import', async () => {
      await expectFailure('imports: [ns--blueprint:none]', 'L 13', undefined, {});
    });
  });

  it('find scripts of namespaced files by their names without namespace', async () => {
    const text =
      'plugins: {script: {executor: central_deployment_agent, install: false}}\nnode_types: {t: {interfaces: {i: {op: scripts/x.sh}}}}\nnode_templates: {n: {type: t}}';
    const given = { files: { 'a.yaml': text, '/b/main.yaml': '' }, scripts: ['file:/b/scripts/x.sh'] };
    const plan = await parse('imports: [ns--a.yaml]', given, { location: '/b/main.yaml' });
    expect(nodeOf(plan, 'ns--n').operations['op']?.inputs).to.deep.equal({ script_path: 'ns--scripts/x.sh' });
    await expectFailure(
      'imports: [ns--a.yaml]',
      'L 10',
      undefined,
      { files: given.files },
      { location: '/b/main.yaml' },
    );
  });
});
