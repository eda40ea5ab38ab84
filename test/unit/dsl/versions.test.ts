import { expect } from 'chai';
import { expectFailure, itRefuses, parse } from './support.ts';

const withVersion = (version: string, text: string): string =>
  `tosca_definitions_version: cloudify_dsl_${version}\n${text}`;
const node = 'node_types: {t: {interfaces: {i: {o: {}}}}}\n';

describe('versions of the language', () => {
  itRefuses([
    [
      'asks for a version',
      '# no tosca_definitions_version',
      'L 27',
      'tosca_definitions_version field must appear in the main blueprint file',
    ],
    [
      'refuses an unknown version',
      'tosca_definitions_version: cloudify_dsl_9_9',
      'L 29',
      'Unexpected tosca_definitions_version cloudify_dsl_9_9; Currently supported versions are: [',
    ],
    ['refuses an empty version', "tosca_definitions_version: ''", 'L 29'],
    ['refuses a version that is not text', 'tosca_definitions_version: 1', 'F 1'],
  ]);

  it('puts the version into the plan', async () => {
    expect((await parse(withVersion('1_3', ''))).version).to.deep.equal({
      raw: 'cloudify_dsl_1_3',
      definitions_name: 'cloudify_dsl',
      definitions_version: [1, 3],
    });
  });

  const gates: [construct: string, since: string, text: string, name?: string][] = [
    ['required of a property', '1_2', 'node_types: {t: {properties: {a: {required: false}}}}', 'required'],
    ['required of an input', '1_2', 'inputs: {a: {required: false}}', 'required'],
    ['data_types', '1_2', 'data_types: {d: {}}', 'data_types'],
    ['dsl_definitions', '1_2', 'dsl_definitions: {}', 'dsl_definitions'],
    ['description', '1_2', 'description: x', 'description'],
    ['package_name', '1_2', 'plugins: {p: {executor: host_agent, install: false, package_name: x}}', 'package_name'],
    [
      'install_arguments',
      '1_1',
      'plugins: {p: {executor: host_agent, install: false, install_arguments: x}}',
      'install_arguments',
    ],
    ['max_retries', '1_1', 'node_types: {t: {interfaces: {i: {o: {max_retries: 1}}}}}', 'max_retries'],
    ['retry_interval', '1_1', 'node_types: {t: {interfaces: {i: {o: {retry_interval: 1}}}}}', 'retry_interval'],
    ['policies', '1_3', 'policies: {}', 'policies'],
    ['resource_tags', '1_3', 'resource_tags: {a: b}', 'resource_tags'],
    ['capabilities of a node', '1_3', `${node}node_templates: {n: {type: t, capabilities: {}}}`, 'capabilities'],
    ['display_label', '1_3', 'inputs: {a: {display_label: x}}', 'display_label'],
    ['hidden', '1_3', 'inputs: {a: {hidden: true, default: 1}}', 'hidden'],
    ['item_type', '1_4', 'inputs: {a: {type: list, item_type: string}}', 'item_type'],
    ['object types', '1_4', 'inputs: {a: {type: blueprint_id}}', "type 'blueprint_id'"],
    [
      'availability_rules',
      '1_4',
      'plugins: {p: {executor: host_agent, install: false}}\nworkflows: {w: {mapping: p.f, availability_rules: {available: true}}}',
      'availability_rules',
    ],
    ['operation_name', '1_5', 'inputs: {a: {type: operation_name}}', "type 'operation_name'"],
    [
      'properties of plugins',
      '1_5',
      'plugins: {p: {executor: host_agent, install: false, properties: {}}}',
      'properties',
    ],
    [
      'properties_description',
      '1_5',
      'plugins: {p: {executor: host_agent, install: false, properties_description: x}}',
      'properties_description',
    ],
  ];
  for (const [construct, since, text, name = construct] of gates) {
    const minor = Number(since.slice(2));
    const before = `1_${String(minor - 1)}`;
    it(`has ${construct} since ${since}`, async () => {
      await parse(withVersion(since, text));
      const message = `${name} not supported in version cloudify_dsl_${before}, it was added in cloudify_dsl_${since}`;
      await expectFailure(withVersion(before, text), 'L 102', message);
      await parse(withVersion(before, text), {}, { validateVersion: false });
    });
  }

  const ungated: [string, string][] = [
    ['timeout of operations', 'node_types: {t: {interfaces: {i: {o: {timeout: 5, timeout_recoverable: true}}}}}'],
    ['labels', 'labels: {a: {values: [b]}}\nblueprint_labels: {a: {values: [b]}}'],
    ['capabilities', 'capabilities: {a: {value: 1}}'],
    ['runtime properties', 'node_types: {t: {runtime_properties: {a: {}}}}'],
    ['deployment settings', 'deployment_settings: {}'],
  ];
  for (const [construct, text] of ungated) {
    it(`has ${construct} in every version`, async () => {
      await parse(withVersion('1_0', text));
    });
  }

  it('does not judge empty values', async () => {
    await parse(withVersion('1_0', 'data_types:\ndescription:\ninputs: {a: {required: }}'));
  });

  it('still refuses unknown versions when versions are not judged', async () => {
    await expectFailure(
      'tosca_definitions_version: cloudify_dsl_0_9',
      'L 29',
      undefined,
      {},
      { validateVersion: false },
    );
  });

  it('reports the mistake inside a construct first, and then that there is no such construct yet', async () => {
    const error = await expectFailure(withVersion('1_1', 'data_types: {string: {}}'), 'L 104');
    expect(error.others.map(({ code }) => code)).to.deep.equal([102]);
  });
});
