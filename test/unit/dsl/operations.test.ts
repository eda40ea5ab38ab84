import { expect } from 'chai';
import type { Plan, PlanInterfaceOperation, PlanOperation } from '../../../src/domain/plan.ts';
import { expectFailure, itRefuses, nodeOf, parse } from './support.ts';

const plugins = `plugins:
  p: {executor: central_deployment_agent, install: false}
  h: {executor: host_agent, install: false}
`;
const withScript = `${plugins}  script: {executor: host_agent, install: false}\n`;

/** A node with one operation, `i.o`: as its type and its template write it. */
function operation(type: string, template?: string): string {
  const own = template === undefined ? '' : `, interfaces: {i: {o: ${template}}}`;
  return `${plugins}node_types: {t: {interfaces: {i: {o: ${type}}}}}\nnode_templates: {n: {type: t${own}}}`;
}

async function written(type: string, template?: string): Promise<PlanInterfaceOperation> {
  return nodeOf(await parse(operation(type, template)), 'n').interfaces['i']?.['o'] as PlanInterfaceOperation;
}

async function planned(text: string, scripts: string[] = []): Promise<PlanOperation> {
  const plan = await parse(text, { files: { '/b/main.yaml': '' }, scripts }, { location: '/b/main.yaml' });
  return nodeOf(plan, 'n').operations['o'] as PlanOperation;
}

const noOp = {
  implementation: '',
  inputs: {},
  executor: null,
  max_retries: null,
  retry_interval: null,
  timeout: null,
  timeout_recoverable: null,
};

describe('operations', () => {
  itRefuses([
    [
      'refuses an unknown executor',
      operation('{implementation: p.f, executor: auto}'),
      'L 28',
      "Operation 'i.o' has an illegal executor value 'auto'. valid values are [central_deployment_agent,host_agent]",
    ],
    [
      'refuses too few retries',
      operation('{implementation: p.f, max_retries: -2}'),
      'ValueError',
      "'max_retries' value must be either -1",
    ],
    [
      'refuses a negative interval',
      operation('{implementation: p.f, retry_interval: -0.5}'),
      'ValueError',
      "'retry_interval' value must be a non-negative number but got -0.5.",
    ],
    ['refuses a negative timeout', operation('{implementation: p.f, timeout: -1}'), 'ValueError'],
    [
      'refuses an unknown plugin on a node',
      operation('x.f'),
      'L 10',
      "Could not extract plugin or a script resource is not found from operation mapping/script-path 'x.f', which is declared for operation 'o'. In interface 'i' in node 'n' of type 't'",
    ],
    [
      'refuses an unknown plugin of a relationship type nothing uses',
      `${plugins}relationships: {r: {target_interfaces: {i: {o: x.f}}}}`,
      'L 19',
      "Relationship 'r'",
    ],
    [
      'refuses an unknown plugin on a relationship',
      `${plugins}relationships: {r: {}}\nnode_types: {t: {}}\nnode_templates: {n: {type: t, relationships: [{type: r, target: m, source_interfaces: {i: {o: x.f}}}]}, m: {type: t}}`,
      'L 19',
      "In interface 'i' in relationship of type 'r' in node 'n'",
    ],
    ['refuses an unknown plugin of a workflow', `${plugins}workflows: {w: x.f}`, 'L 21'],
    [
      'refuses two plugins that fit',
      `${plugins}  p.q: {executor: host_agent, install: false}\nworkflows: {w: p.q.f}`,
      'L 91',
      "Ambiguous operation mapping. [operation=w, plugins=['p', 'p.q']]",
    ],
    ['refuses the interfaces of the earliest language', 'node_types: {t: {interfaces: {i: [o]}}}', 'F 1'],
    ['refuses a script without a script plugin', operation('http://host/x.sh'), 'L 61', 'Script plugin is not defined'],
    [
      'refuses an input without value',
      operation('{implementation: p.f, inputs: {a: {}}}'),
      'L 107',
      "Input 'a' is missing a value",
    ],
    [
      'refuses inputs without value, all at once',
      operation('{implementation: p.f, inputs: {a: {}, b: {}}}'),
      'L 107',
      "Inputs 'a', 'b' are missing a value",
    ],
    [
      'refuses an input without value though not required',
      operation('{implementation: p.f, inputs: {a: {required: false}}}', '{}').replace('o: {}}}}', 'x: {}}}}'),
      'L 107',
    ],
  ]);

  it('do not have to be known when no node uses their type', async () => {
    await parse('node_types: {t: {interfaces: {i: {o: x.f}}}}');
  });

  it('hint at the plugin that was probably meant', async () => {
    const error = await expectFailure(
      'plugins: {docker: {executor: host_agent, install: false}}\nworkflows: {w: dokcer.f}',
      'L 21',
    );
    expect(error.remedy).to.equal("Did you mean 'docker'?");
    expect(error.location?.path).to.equal('workflows.w');
  });

  describe('of a template over its type', () => {
    const type =
      '{implementation: p.f, executor: host_agent, max_retries: 1, retry_interval: 2, timeout: 3, timeout_recoverable: true, inputs: {a: {default: 1}}}';
    const settings = {
      executor: 'host_agent',
      max_retries: 1,
      retry_interval: 2,
      timeout: 3,
      timeout_recoverable: true,
    };
    const central = type.replace('host_agent', 'central_deployment_agent');
    const inherited = { ...settings, executor: 'central_deployment_agent' };

    const rows: [behaviour: string, type: string, template: string | undefined, result: object][] = [
      ['is that of the type', central, undefined, { implementation: 'p.f', inputs: { a: 1 }, ...inherited }],
      [
        'is the same with other inputs',
        central,
        '{inputs: {a: 5, more: 6}}',
        { implementation: 'p.f', inputs: { a: 5, more: 6 }, ...inherited },
      ],
      [
        'is the same with the same implementation',
        central,
        'p.f',
        { implementation: 'p.f', inputs: { a: 1 }, ...inherited },
      ],
      [
        'may have other settings',
        central,
        '{max_retries: 0, timeout: 9}',
        { implementation: 'p.f', inputs: { a: 1 }, ...inherited, max_retries: 0, timeout: 9 },
      ],
      ['has nothing of the type with another implementation', central, 'p.g', { ...noOp, implementation: 'p.g' }],
      ['does nothing when it is {}', central, '{}', noOp],
      ['does nothing when it is null', central, '~', noOp],
      ["does nothing when it is ''", central, "''", noOp],
      [
        'is new where the type does nothing',
        '{}',
        '{implementation: p.g, inputs: {b: 2}}',
        { ...noOp, implementation: 'p.g', inputs: { b: 2 } },
      ],
      [
        'accepts null for an input',
        '{implementation: p.f, inputs: {a: {default: ~}}}',
        undefined,
        { ...noOp, implementation: 'p.f', inputs: { a: null } },
      ],
    ];
    for (const [behaviour, onType, template, result] of rows) {
      it(behaviour, async () => {
        expect(await written(onType, template)).to.deep.equal(result);
      });
    }

    it('must give inputs of the type a value', async () => {
      await expectFailure(operation('{implementation: p.f, inputs: {a: {}}}', '{inputs: {b: 1}}'), 'L 107');
      await parse(operation('{implementation: p.f, inputs: {a: {}}}', '{inputs: {a: 1}}'));
    });
  });

  describe('of a type over the type it extends', () => {
    const types = (parent: string, child: string): string =>
      `${plugins}node_types: {a: {interfaces: {i: {o: ${parent}, other: p.x}}}, b: {derived_from: a, interfaces: {i: {o: ${child}}}}}\nnode_templates: {n: {type: b}}`;

    const rows: [behaviour: string, child: string, implementation: string][] = [
      ['replace it', 'p.g', 'p.g'],
      ['disable it', '{}', ''],
      ['inherit nothing, not even the implementation', '{inputs: {a: {default: 1}}}', ''],
    ];
    for (const [behaviour, child, implementation] of rows) {
      it(behaviour, async () => {
        const node = nodeOf(await parse(types('{implementation: p.f, max_retries: 3}', child)), 'n');
        expect(node.interfaces['i']?.['o']).to.include({ implementation, max_retries: null });
        expect(node.interfaces['i']?.['other']).to.include({ implementation: 'p.x' });
      });
    }
  });

  it('are typed as declared where their inputs are functions', async () => {
    const inputs =
      'inputs: {a: {type: integer}, b: {type: dict, default: {x: 1}}, c: {default: {x: 1}}, d: {type: string, default: text}}';
    const text = operation(`{implementation: p.f, ${inputs}}`, '{inputs: {a: {get_secret: s}}}');
    expect(await planned(text)).to.deep.include({
      inputs: { a: { get_secret: 's', type: 'integer' }, b: { x: 1 }, c: { x: 1 }, d: 'text' },
      inputs_types: { a: 'integer', b: 'dict' },
    });
  });

  describe('implementations', () => {
    it('are functions of plugins', async () => {
      expect(await planned(operation('{implementation: p.module.f, inputs: {a: {default: 1}}}'))).to.deep.equal({
        plugin: 'p',
        operation: 'module.f',
        executor: 'central_deployment_agent',
        inputs: { a: 1 },
        has_intrinsic_functions: false,
        max_retries: null,
        retry_interval: null,
        timeout: null,
        timeout_recoverable: null,
      });
    });

    it('may be nothing', async () => {
      expect(await planned(operation('{}'))).to.deep.equal({
        plugin: '',
        operation: '',
        executor: null,
        inputs: {},
        has_intrinsic_functions: false,
        max_retries: null,
        retry_interval: null,
        timeout: null,
        timeout_recoverable: null,
      });
    });

    const script = (implementation: string): string =>
      `${withScript}node_types: {t: {interfaces: {i: {o: {implementation: ${implementation}, inputs: {a: {default: 1}}}}}}}\nnode_templates: {n: {type: t}}`;
    const scripts: [what: string, implementation: string, input: string, value: string][] = [
      ['files of the blueprint', 'scripts/x.sh', 'script_path', 'scripts/x.sh'],
      ['URLs', 'http://host/x.sh', 'script_path', 'http://host/x.sh'],
      ['texts of several lines', '"#!/bin/sh\\necho hi\\n"', 'script_source', '#!/bin/sh\necho hi\n'],
      ['files named like a function of a plugin', 'p.sh', 'script_path', 'p.sh'],
      ['anything that begins like a URL', "'p.module:f'", 'script_path', 'p.module:f'],
    ];
    for (const [what, implementation, input, value] of scripts) {
      it(`may be ${what}`, async () => {
        expect(await planned(script(implementation), ['file:/b/scripts/x.sh', 'file:/b/p.sh'])).to.deep.include({
          plugin: 'script',
          operation: 'script_runner.tasks.run',
          executor: 'auto',
          inputs: { a: 1, [input]: value },
        });
      });
    }

    it('are looked for in further bases', async () => {
      const world = { scripts: ['http://more/scripts/x.sh'] };
      await expectFailure(script('scripts/x.sh'), 'L 10', undefined, world);
      await parse(script('scripts/x.sh'), world, { additionalResourceBases: ['http://more'] });
    });

    it('may have any name a file can have', async () => {
      const given = ['file:/b/scripts/a%20b%23c%3F.sh'];
      expect((await planned(script("'scripts/a b#c?.sh'"), given)).inputs['script_path']).to.equal('scripts/a b#c?.sh');
    });

    it('that are scripts cannot have the script as an input', async () => {
      for (const input of ['script_path', 'script_source']) {
        const text = script('http://host/x.sh').replace('{a: {default: 1}}', `{${input}: {default: y}}`);
        await expectFailure(
          text,
          'L 60',
          "Cannot define 'script_path' property in 'http://host/x.sh' for operation 'o'",
        );
      }
    });

    it('that are scripts run by the first plugin named like a script plugin', async () => {
      const text = script('http://host/x.sh').replace(
        '  script:',
        '  myscript: {executor: host_agent, install: false}\n  script:',
      );
      expect((await planned(text)).plugin).to.equal('myscript');
    });

    it('are run by the executor of the operation, else of the plugin', async () => {
      expect((await planned(operation('{implementation: h.f, executor: central_deployment_agent}'))).executor).to.equal(
        'central_deployment_agent',
      );
      expect((await planned(operation('p.f'))).executor).to.equal('central_deployment_agent');
    });
  });

  it('have short names only where one interface has them', async () => {
    const text = `${plugins}node_types: {t: {interfaces: {i: {a: p.f, b: p.f}, j: {b: p.f}}}}\nnode_templates: {n: {type: t}}`;
    expect(Object.keys(nodeOf(await parse(text), 'n').operations).sort()).to.deep.equal(['a', 'i.a', 'i.b', 'j.b']);
  });

  it('of relationships are worked out per side', async () => {
    const text = `${plugins}relationships: {r: {source_interfaces: {i: {s: p.f}}, target_interfaces: {i: {t: {implementation: p.f, inputs: {a: {default: 1}}}}}}}
node_types: {t: {}}
node_templates: {n: {type: t, relationships: [{type: r, target: m, target_interfaces: {i: {t: {inputs: {a: 2}}}}}]}, m: {type: t}}`;
    const [relationship] = nodeOf(await parse(text), 'n').relationships;
    expect(Object.keys(relationship?.source_operations ?? {})).to.deep.equal(['s', 'i.s']);
    expect(relationship?.target_operations['t']?.inputs).to.deep.equal({ a: 2 });
  });

  describe('plugins', () => {
    itRefuses([
      ['need an executor', 'plugins: {p: {install: false}}', 'F 1', "'executor' key is required"],
      [
        'need a known executor',
        'plugins: {p: {install: false, executor: auto}}',
        'L 18',
        "Plugin 'p' has an illegal 'executor' value 'auto'; value must be either 'central_deployment_agent' or 'host_agent'",
      ],
      [
        'need a source when they are to be installed',
        'plugins: {p: {executor: host_agent}}',
        'L 50',
        "Plugin 'p' needs to be installed, but does not declare a source or package_name property",
      ],
    ]);

    it('have all fields in the plan', async () => {
      const plan = await parse('plugins: {p: {executor: host_agent, package_name: x}}\nworkflows: {w: p.f}');
      expect(plan.workflow_plugins_to_install).to.deep.equal([
        {
          source: null,
          executor: 'host_agent',
          install: true,
          install_arguments: null,
          package_name: 'x',
          package_version: null,
          supported_platform: null,
          distribution: null,
          distribution_version: null,
          distribution_release: null,
          properties_description: null,
          properties: {},
          name: 'p',
        },
      ]);
    });

    const topology = `${plugins}relationships:
  cloudify.relationships.contained_in: {}
  r: {target_interfaces: {i: {o: h.f}}}
node_types:
  cloudify.nodes.Compute: {}
  app: {interfaces: {i: {a: h.f, b: p.f, c: {implementation: p.g, executor: host_agent}}}}
  plain: {}
node_templates:
  vm: {type: cloudify.nodes.Compute}
  app: {type: app, relationships: [{type: cloudify.relationships.contained_in, target: vm}, {type: r, target: peer}]}
  peer: {type: plain, relationships: [{type: cloudify.relationships.contained_in, target: vm}]}
`;
    const names = (list: readonly { name: string; executor: string | null }[] | undefined): string[] =>
      (list ?? []).map(({ name, executor }) => `${name}/${executor ?? ''}`).sort();

    it('of a node are those of its operations and of its side of relationships', async () => {
      const plan: Plan = await parse(topology);
      const app = nodeOf(plan, 'app');
      expect(names(app.plugins)).to.deep.equal(['h/host_agent', 'p/central_deployment_agent', 'p/host_agent']);
      expect(names(app.deployment_plugins_to_install)).to.deep.equal(['p/central_deployment_agent']);
      expect(names(nodeOf(plan, 'peer').plugins)).to.deep.equal(['h/host_agent']);
      expect(app).not.to.have.key('plugins_to_install');
    });

    it('of a host are those of the nodes on it', async () => {
      const plan = await parse(topology);
      expect(names(nodeOf(plan, 'vm').plugins_to_install)).to.deep.equal(['h/host_agent', 'p/host_agent']);
      expect(names(plan.host_agent_plugins_to_install)).to.deep.equal(['h/host_agent', 'p/host_agent']);
      expect(names(plan.deployment_plugins_to_install)).to.deep.equal(['p/central_deployment_agent']);
    });

    it('for hosts need a host', async () => {
      const text = `${plugins}node_types: {t: {interfaces: {i: {o: h.f}}}}\nnode_templates: {n: {type: t}}`;
      await expectFailure(
        text,
        'L 24',
        "node 'n' has no relationship which makes it contained within a host and it has a plugin 'h' with 'host_agent' as an executor",
      );
    });

    it('of scripts need none', async () => {
      const text = `${withScript}node_types: {t: {interfaces: {i: {o: 'http://host/x'}}}}\nnode_templates: {n: {type: t}}`;
      expect(names(nodeOf(await parse(text), 'n').plugins)).to.deep.equal(['script/auto']);
    });
  });
});
