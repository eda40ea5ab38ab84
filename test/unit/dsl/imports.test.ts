import { expect } from 'chai';
import { loadYaml } from '../../../src/dsl/yaml/load.ts';
import type { SourceDocument } from '../../../src/dsl/yaml/load.ts';
import { candidateLocations, splitImport } from '../../../src/dsl/imports/locations.ts';
import { readByRules, readImportRules, rewrittenLocations } from '../../../src/dsl/imports/rules.ts';
import { DslError } from '../../../src/dsl/errors.ts';
import { expectFailure, failure, itRefuses, MemoryResolver, nodeOf, parse, typesText } from './support.ts';

const plugin = 'plugins: {p: {executor: central_deployment_agent, install: false}}\n';

describe('imports', () => {
  itRefuses([
    ['refuses a mapping instead of a list', 'imports: {a: b}', 'F 1', "Expected 'list' type"],
    ['refuses a number', 'imports: [5]', 'F 1'],
    ['refuses an empty entry', 'imports: [~]', 'F 220', 'either a string or a dictionary'],
    ['refuses an entry with two keys', 'imports: [{a: {}, b: {}}]', 'F 220', 'single-entry dictionary'],
    ['refuses the same entry twice', 'imports: [a.yaml, a.yaml]', 'F 2', 'Duplicate imports'],
    ['refuses a null property', 'imports: [{a.yaml: {p: ~}}]', 'F 220'],
    ['refuses a mapping as a property', 'imports: [{a.yaml: {p: {x: y}}}]', 'F 220'],
    ['refuses a namespace with the delimiter', 'imports: [a--b--c.yaml]', 'L 212', 'cannotcontain namespace delimiter'],
    ['refuses a file that is not there', 'imports: [a.yaml]', 'L 13', 'Unable to open import url'],
    [
      'refuses properties in earlier versions',
      'tosca_definitions_version: cloudify_dsl_1_4\nimports: [{a.yaml: {p: 1}}]',
      'L 102',
      'a.yaml not supported in version cloudify_dsl_1_4',
    ],
  ]);

  it('places a failed import at its statement', async () => {
    const error = await failure('imports:\n  - a.yaml\n', {}, { location: 'main.yaml' });
    expect(error.location).to.include({ file: 'main.yaml', line: 3, column: 4, path: 'imports.0' });
  });

  it('merges what files define', async () => {
    const files = {
      'types.yaml': `node_types: {t: {}}\n${plugin}`,
      'nodes.yaml': 'node_templates: {n: {type: t}}\ninputs: {i: {}}',
    };
    const plan = await parse('imports: [types.yaml, nodes.yaml]\noutputs: {o: {value: {get_input: i}}}', { files });
    expect(nodeOf(plan, 'n').type).to.equal('t');
    expect(plan.inputs).to.have.key('i');
  });

  it('reads each file once, however it is reached', async () => {
    const files = {
      '/a.yaml': 'imports: [/b.yaml, /main.yaml]\nnode_types: {a: {}}',
      '/b.yaml': 'imports: [/a.yaml]\nnode_types: {b: {derived_from: a}}',
      '/main.yaml': '',
    };
    const text = 'tosca_definitions_version: cloudify_dsl_1_5\nimports: [/a.yaml, /b.yaml]';
    const resolver = new MemoryResolver({ files: { ...files, '/main.yaml': text } });
    await parse(text, {}, { resolver, location: '/main.yaml' });
    expect(resolver.fetched).to.deep.equal(['file:/a.yaml', 'file:/b.yaml']);
  });

  it('allows the same entry twice in an imported file', async () => {
    await parse('imports: [a.yaml]', { files: { 'a.yaml': 'imports: [b.yaml, b.yaml]', 'b.yaml': '' } });
  });

  describe('places a name is looked for', () => {
    it('tries the version first, beside the file, below the base, and on the file server', () => {
      const context = { importedBy: 'http://host/dir/main.yaml', resourcesBase: '/base', versionSuffix: '1_4' };
      expect(candidateLocations('lib/types.yaml', context)).to.deep.equal([
        { kind: 'path', path: 'lib/types_1_4.yaml' },
        { kind: 'path', path: 'lib/types.yaml' },
        { kind: 'location', location: 'http://host/dir/lib/types.yaml' },
        { kind: 'path', path: '/base/lib/types_1_4.yaml' },
        { kind: 'path', path: '/base/lib/types.yaml' },
        { kind: 'location', location: 'resource:lib/types_1_4.yaml' },
        { kind: 'location', location: 'resource:lib/types.yaml' },
      ]);
    });

    for (const remote of ['http://h/a', 'https://h/a', 'file:/a', 'ftp://h/a', 'plugin:p?version=1', 'blueprint:b']) {
      it(`takes ${remote} as it is`, () => {
        expect(candidateLocations(remote, { resourcesBase: '/base' })).to.deep.equal([
          { kind: 'location', location: remote },
        ]);
      });
    }

    it('moves on when one cannot be read', async () => {
      const files = { 'resource:a.yaml': 'description: found' };
      expect((await parse('imports: [a.yaml]', { files }, { location: 'http://h/main.yaml' })).description).to.equal(
        'found',
      );
    });

    it('looks beside the file that imports', async () => {
      const files = { 'http://h/lib/a.yaml': 'imports: [b.yaml]', 'http://h/lib/b.yaml': 'description: found' };
      expect((await parse('imports: [http://h/lib/a.yaml]', { files })).description).to.equal('found');
    });

    it('picks the types of the blueprint version', async () => {
      const files = Object.fromEntries(
        ['types.yaml', 'types_1_3.yaml', 'types_1_4.yaml', 'types_1_5.yaml'].map((name) => [
          `/r/cloudify/types/${name}`,
          typesText(name),
        ]),
      );
      const text = (version: string): string =>
        `tosca_definitions_version: cloudify_dsl_${version}\nimports: [cloudify/types/types.yaml]`;
      const at = { resourcesBase: '/r' };
      expect((await parse(text('1_3'), { files }, at)).workflows['install']?.availability_rules).to.equal(null);
      expect((await parse(text('1_4'), { files }, at)).workflows['uninstall']?.parameters).not.to.have.key('recursive');
      expect((await parse(text('1_5'), { files }, at)).workflows['uninstall']?.parameters).to.include.keys('recursive');
      await expectFailure(text('1_2'), 'L 28', undefined, { files }, at);
    });
  });

  it('splits entries at the last delimiter', () => {
    expect(splitImport('a.yaml')).to.deep.equal({ namespace: undefined, target: 'a.yaml' });
    expect(splitImport('ns--a.yaml')).to.deep.equal({ namespace: 'ns', target: 'a.yaml' });
    expect(splitImport('--a.yaml')).to.deep.equal({ namespace: undefined, target: 'a.yaml' });
  });

  describe('versions of files', () => {
    const main = 'tosca_definitions_version: cloudify_dsl_1_3\nimports: [a.yaml]';
    const version = (text: string) => ({ files: { 'a.yaml': `tosca_definitions_version: ${text}` } });

    it('may be the same, lower or not given', async () => {
      await parse(main, version('cloudify_dsl_1_3'));
      await parse(main, version('cloudify_dsl_1_0'));
      await parse(main, { files: { 'a.yaml': '' } });
    });

    it('may not be higher', async () => {
      const error = await expectFailure(
        main,
        'L 28',
        "version of problematic import is 'cloudify_dsl_1_4'",
        version('cloudify_dsl_1_4'),
      );
      expect(error.location).to.include({ file: 'file:a.yaml', line: 1 });
      await parse(main, version('cloudify_dsl_1_4'), { validateVersion: false });
    });

    it('must exist', async () => {
      await expectFailure(main, 'L 29', undefined, version('nonsense'));
      await expectFailure(main, 'F 1', undefined, version('5'));
    });
  });

  describe('merging', () => {
    const both = (section: string, version = '1_5') =>
      [
        `tosca_definitions_version: cloudify_dsl_${version}\nimports: [a.yaml]\n${section}`,
        { files: { 'a.yaml': section } },
      ] as const;

    for (const section of [
      'inputs: {a: {}}',
      'outputs: {a: {value: 1}}',
      'node_types: {a: {}}',
      plugin,
      'data_types: {a: {}}',
    ]) {
      it(`refuses two definitions in ${section.split(':', 1)[0] ?? ''}`, async () => {
        const [text, world] = both(section);
        await expectFailure(text, 'L 4', /Could not merge '\w+' due to conflict on '\w+'/, world);
      });
    }

    for (const section of ['policies: {}', 'deployment_settings: {id_template: x}']) {
      it(`allows one file only to have ${section.split(':', 1)[0] ?? ''}`, async () => {
        const [text, world] = both(section);
        await expectFailure(text, 'L 3', "Import failed: non-mergeable field: '", world);
      });
    }

    for (const section of ['inputs', 'outputs', 'node_templates', 'capabilities', 'labels', 'blueprint_labels']) {
      it(`merges ${section} since 1_3 only`, async () => {
        const [text, world] = both(`${section}: {}`, '1_2');
        await expectFailure(
          text,
          'L 3',
          `${section} can be imported multiple times only from cloudify_dsl_1_3 and above.`,
          world,
        );
        await parse(...both(`${section}: {}`, '1_3'));
      });
    }

    it('takes description and metadata of the first file that has them', async () => {
      const files = { 'a.yaml': 'description: a\nmetadata: {x: a}', 'b.yaml': 'description: b' };
      const plan = await parse('description: main\nimports: [a.yaml, b.yaml]', { files });
      expect(plan.description).to.equal('main');
      expect(plan.metadata).to.deep.equal({ x: 'a' });
    });

    it('takes values of a label from the first file only', async () => {
      const plan = await parse('labels: {a: {values: [main]}}\nimports: [a.yaml]', {
        files: { 'a.yaml': 'labels: {a: {values: [import]}, b: {values: [import]}}' },
      });
      expect(plan.labels).to.deep.equal({ a: { values: ['main'] }, b: { values: ['import'] } });
    });

    it("replaces the manager's own names by those of the later file", async () => {
      const text =
        'imports: [a.yaml]\nnode_types: {cloudify.x: {properties: {main: {default: 1}}}}\nnode_templates: {n: {type: cloudify.x}}';
      const plan = await parse(text, {
        files: { 'a.yaml': 'node_types: {cloudify.x: {properties: {import: {default: 1}}}}' },
      });
      expect(nodeOf(plan, 'n').properties).to.deep.equal({ import: 1 });
    });

    it('lets built-in types replace what a blueprint defines itself', async () => {
      const text = `imports: [types.yaml]\n${plugin}workflows: {install: p.own}`;
      const plan = await parse(text, { files: { 'types.yaml': typesText() } });
      expect(plan.workflows['install']?.plugin).to.equal('default_workflows');
    });

    it('completes a workflow from later files', async () => {
      const text = `${plugin}imports: [a.yaml]\nworkflows: {w: {mapping: p.main}}`;
      const plan = await parse(text, {
        files: { 'a.yaml': 'workflows: {w: {mapping: p.import, is_cascading: true}}' },
      });
      expect(plan.workflows['w']).to.include({ operation: 'main', is_cascading: true });
    });

    it('refuses two workflows that are only mappings', async () => {
      const text = `${plugin}imports: [a.yaml]\nworkflows: {w: p.main}`;
      await expectFailure(text, 'L 4', "conflict on 'w'", { files: { 'a.yaml': 'workflows: {w: p.import}' } });
    });

    const types = 'node_types: {t: {}}\nrelationships: {r: {}}\n';
    const relation = (target: string): string => `relationships: [{type: r, target: ${target}}]`;

    it('adds relationships that another file gives a node template', async () => {
      const text = `${types}imports: [a.yaml]\nnode_templates: {n: {type: t, ${relation('a')}}, a: {type: t}, b: {type: t}}`;
      const plan = await parse(text, { files: { 'a.yaml': `node_templates: {n: {${relation('b')}}}` } });
      expect(nodeOf(plan, 'n').relationships.map(({ target_id }) => target_id)).to.deep.equal(['a', 'b']);
    });

    it('lets a file define the node template that another gives relationships', async () => {
      const text = `${types}imports: [a.yaml]\nnode_templates: {n: {${relation('a')}}, a: {type: t}}`;
      const plan = await parse(text, { files: { 'a.yaml': 'node_templates: {n: {type: t}}' } });
      expect(nodeOf(plan, 'n').relationships).to.have.length(1);
    });

    it('places a mistake in an added relationship in the file that adds it', async () => {
      const text = `${types}imports: [a.yaml]\nnode_templates: {n: {type: t, ${relation('a')}}, a: {type: t}}`;
      const error = await expectFailure(text, 'L 25', undefined, {
        files: { 'a.yaml': `node_templates: {n: {${relation('c')}}}` },
      });
      expect(error.location).to.include({ file: 'file:a.yaml', line: 1 });
    });

    it('refuses a second definition of a node template without relationships', async () => {
      const text = `${types}imports: [a.yaml]\nnode_templates: {n: {type: t}, a: {type: t}}`;
      await expectFailure(text, 'L 4', undefined, { files: { 'a.yaml': `node_templates: {n: {${relation('a')}}}` } });
    });

    it('refuses files that are not mappings', async () => {
      await expectFailure('imports: [a.yaml]', 'F 1', "Expected 'dict'", { files: { 'a.yaml': '- x' } });
      await expectFailure(
        'imports: [a.yaml]',
        'F -1',
        "Failed to parse import 'a.yaml'(via 'file:a.yaml'): Illegal yaml; ",
        { files: { 'a.yaml': 'a: [' } },
      );
    });

    it('refuses sections of different kinds', async () => {
      await expectFailure('imports: [a.yaml]\ninputs: {a: {}}', 'F 1', undefined, {
        files: { 'a.yaml': 'inputs: []' },
      });
      await expectFailure('imports: [a.yaml]\ninputs: []', 'F 1', undefined, {
        files: { 'a.yaml': 'inputs: {a: {}}' },
      });
      await expectFailure('imports: [a.yaml]', 'F 1', undefined, { files: { 'a.yaml': 'imported_blueprints: {}' } });
    });

    it('places mistakes in the file they are in', async () => {
      const error = await expectFailure('imports: [a.yaml]', 'L 103', undefined, {
        files: { 'a.yaml': 'node_types:\n  t:\n    derived_from: u' },
      });
      expect(error.location).to.include({ file: 'file:a.yaml', line: 3, column: 4, path: 'node_types.t.derived_from' });
    });
  });

  describe('plugins', () => {
    const yaml = `plugins:
  p:
    executor: host_agent
    install: false
    properties: {region: {type: string}, size: {type: integer}, rate: {type: float}, active: {type: boolean}, zones: {type: list}, other: {type: dict}}
labels: {written: {values: [yaml]}}
`;
    const withProperties = (properties: string): string => `imports: [{a.yaml: ${properties}}]\nworkflows: {w: p.f}`;
    const world = { files: { 'a.yaml': yaml } };

    it('get the property values written at the import', async () => {
      const plan = await parse(
        withProperties('{region: eu, size: 3, rate: 1, active: true, zones: [a], other: {get_secret: x}}'),
        world,
      );
      expect(plan.workflow_plugins_to_install[0]?.properties).to.deep.equal({
        region: { type: 'string', value: 'eu' },
        size: { type: 'integer', value: 3 },
        rate: { type: 'float', value: 1 },
        active: { type: 'boolean', value: true },
        zones: { type: 'list', value: ['a'] },
        other: { type: 'dict', value: { get_secret: 'x' } },
      });
    });

    it('take a function for any property', async () => {
      await parse(withProperties('{size: {get_secret: s}}'), world);
    });

    it('refuse values of a wrong type and unknown properties, all at once', async () => {
      const message =
        "Property size: value 'big' should be of type integer.  Properties for imported plugin are redundant: ['x'], consider updating import lines";
      await expectFailure(withProperties('{size: big, x: 1}'), 'L 221', message, world);
    });

    it('refuse values for properties of other types', async () => {
      await expectFailure(withProperties('{other: 5}'), 'F 220', undefined, world);
    });

    it('have stored labels and tags instead of those of their YAML', async () => {
      const plugins = {
        'plugin:p?version= >=1.2': {
          kind: 'file' as const,
          text: yaml,
          storedSections: { labels: { stored: ['a', 'b'] }, resource_tags: { tag: 'v' } },
        },
      };
      const plan = await parse('imports: ["plugin:p?version= >=1.2"]', { plugins });
      expect(plan.labels).to.deep.equal({ stored: { values: ['a', 'b'] } });
      expect(plan.resource_tags).to.deep.equal({ tag: 'v' });
      const inNamespace = await parse('imports: ["ns--plugin:p?version= >=1.2"]', { plugins });
      expect(inNamespace.labels).to.deep.equal({ 'ns--stored': { values: ['a', 'b'] } });
    });

    it('are reported as not found by the resolver', async () => {
      const resolver = new MemoryResolver();
      resolver.fetch = async () => {
        throw new DslError('InvalidBlueprintImport', 'There is no such plugin');
      };
      const error = await failure('imports: [plugin:x]', {}, { resolver });
      expect(error).to.include({ className: 'InvalidBlueprintImport', isInvalidBlueprint: true });
      expect(error.location?.line).to.equal(2);
    });
  });

  describe('bounds', () => {
    it('refuses files that import themselves in ever new namespaces', async () => {
      await expectFailure('imports: [a--/a.yaml]', 'L 13', 'more than', {
        files: { '/a.yaml': 'imports: [a--/a.yaml]' },
      });
    });

    it('refuses blueprints that import each other', async () => {
      const blueprint = (other: string): string =>
        `tosca_definitions_version: cloudify_dsl_1_5\nimports: [x--blueprint:${other}]`;
      await expectFailure('imports: [x--blueprint:a]', 'L 13', 'a --> b --> a', {
        blueprints: { a: blueprint('b'), b: blueprint('a') },
      });
    });
  });

  it('loads equal files once when it has a cache', async () => {
    const cache = new Map<string, SourceDocument>();
    const world = { files: { 'a.yaml': 'node_types: {t: {}}' } };
    await parse('imports: [a.yaml]', world, { cache });
    const documents = [...cache.values()];
    await parse('imports: [a.yaml]', world, { cache });
    expect([...cache.values()]).to.deep.equal(documents);
    expect(documents).to.have.length(2);
  });

  it('does not modify cached files', async () => {
    const cache = new Map<string, SourceDocument>();
    const text =
      'node_types: {t: {properties: {a: {type: d}}}}\ndata_types: {d: {properties: {x: {default: 1}}}}\nnode_templates: {n: {type: t}}';
    const world = { files: { 'a.yaml': text } };
    const first = JSON.stringify(await parse('imports: [ns--a.yaml]', world, { cache }));
    expect(JSON.stringify(await parse('imports: [ns--a.yaml]', world, { cache }))).to.equal(first);
    expect([...cache.values()].at(-1)?.root).to.deep.equal(loadYaml(text, undefined, '').root);
  });
});

describe('import rules', () => {
  const rules = readImportRules({
    rules: [{ 'http://a/': 'file:///x/' }, { 'http://a/': 'file:///y/' }],
    fallback: true,
  });

  it('rewrite prefixes in order, the URL itself coming last', () => {
    expect(rewrittenLocations('http://a/t.yaml', rules)).to.deep.equal([
      'file:///x/t.yaml',
      'file:///y/t.yaml',
      'http://a/t.yaml',
    ]);
    expect(rewrittenLocations('http://a/t.yaml', { ...rules, fallback: false })).to.have.length(2);
    expect(rewrittenLocations('http://b/t.yaml', { ...rules, fallback: false })).to.deep.equal(['http://b/t.yaml']);
  });

  it('read the first URL that can be read', async () => {
    const tried: string[] = [];
    const text = await readByRules('http://a/t.yaml', rules, async (url) => {
      tried.push(url);
      if (url.startsWith('file:///x')) {
        throw new Error('no');
      }
      return url;
    });
    expect(text).to.equal('file:///y/t.yaml');
    expect(tried).to.have.length(2);
  });

  for (const [what, given, message] of [
    ['with a rule', 'http://a/t.yaml', 'Failed to resolve the following urls: {'],
    ['without', 'http://b/t.yaml', 'None of the resolver rules was applicable'],
  ] as const) {
    it(`report all failures, ${what}`, async () => {
      const error = await readByRules(given, rules, async () => Promise.reject(new Error('gone'))).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.include({ code: 13 });
      expect((error as Error).message)
        .to.contain(message)
        .and.contain('gone');
    });
  }

  for (const [what, parameters] of [
    ['parameters that are no mapping', []],
    ['rules that are no list', { rules: {} }],
    ['a rule that is no mapping', { rules: ['a'] }],
    ['a rule with two prefixes', { rules: [{ a: 'b', c: 'd' }] }],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(() => readImportRules(parameters)).to.throw(DslError, /Failed to instantiate resolver/);
    });
  }
});
