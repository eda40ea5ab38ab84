import { expect } from 'chai';
import { expectFailure, itRefuses, nodeOf, parse } from './support.ts';

const plugin = 'plugins: {p: {executor: central_deployment_agent, install: false}}\n';
const schedule = (text: string): string =>
  `deployment_settings: {default_schedules: {s: {workflow: install, ${text}}}}`;

describe('workflows', () => {
  itRefuses([
    ['refuses an empty mapping', `${plugin}workflows: {w: ''}`, 'F 1', "The mapping of workflow 'w' is empty"],
    [
      'refuses a mapping without mapping',
      `${plugin}workflows: {w: {parameters: {}}}`,
      'F 1',
      "'mapping' key is required",
    ],
    [
      'refuses an unknown activity',
      `${plugin}workflows: {w: {mapping: p.f, availability_rules: {node_instances_active: [some]}}}`,
      'L 103',
    ],
    [
      'refuses fields of inputs that parameters do not have',
      `${plugin}workflows: {w: {mapping: p.f, parameters: {a: {hidden: true}}}}`,
      'F 1',
      "'hidden' is not in schema",
    ],
    [
      'refuses a parameter default of a wrong type',
      `${plugin}workflows: {w: {mapping: p.f, parameters: {a: {type: integer, default: x}}}}`,
      'L 105',
    ],
    [
      'refuses several constraints in one',
      `${plugin}workflows: {w: {mapping: p.f, parameters: {a: {constraints: [{min_length: 1, max_length: 2}]}}}}`,
      'L 103',
    ],
  ]);

  it('are short or long', async () => {
    const text = `${plugin}workflows:
  short: p.f
  long: {mapping: p.g, is_cascading: true, parameters: {a: {default: 1}}, availability_rules: {node_instances_active: [all]}}
`;
    expect((await parse(text)).workflows).to.deep.equal({
      short: { plugin: 'p', operation: 'f', parameters: {}, is_cascading: false, availability_rules: null },
      long: {
        plugin: 'p',
        operation: 'g',
        parameters: { a: { default: 1 } },
        is_cascading: true,
        availability_rules: { node_instances_active: ['all'] },
      },
    });
  });

  it('may be scripts', async () => {
    const text =
      'plugins: {script: {executor: central_deployment_agent, install: false}}\nworkflows: {w: http://host/x.py}';
    expect((await parse(text)).workflows['w']).to.deep.include({
      plugin: 'script',
      operation: 'script_runner.tasks.execute_workflow',
      parameters: {
        script_path: { default: 'http://host/x.py', description: 'Workflow script executed by the script plugin' },
      },
    });
  });

  it('name their plugins once, in the order of use', async () => {
    const text = `plugins:
  a: {executor: central_deployment_agent, install: false}
  b: {executor: central_deployment_agent, install: false}
workflows: {x: b.f, y: a.f, z: b.g}`;
    expect((await parse(text)).workflow_plugins_to_install.map(({ name }) => name)).to.deep.equal(['b', 'a']);
  });
});

describe('outputs and capabilities', () => {
  for (const section of ['outputs', 'capabilities'] as const) {
    itRefuses([
      [`refuse no value in ${section}`, `${section}: {o: {description: x}}`, 'F 1', "'value' key is required"],
      [
        `refuse other fields in ${section}`,
        `${section}: {o: {value: 1, type: string}}`,
        'F 1',
        "'type' is not in schema",
      ],
    ]);

    it(`keep any value in ${section}`, async () => {
      const text = `${section}: {a: {value: 0}, b: {value: false}, c: {value: ''}, d: {value: [1], description: about}, e: {value: {x: y}}}`;
      expect((await parse(text))[section]).to.deep.equal({
        a: { value: 0 },
        b: { value: false },
        c: { value: '' },
        d: { value: [1], description: 'about' },
        e: { value: { x: 'y' } },
      });
    });
  }
});

describe('labels and tags', () => {
  itRefuses([
    ['refuses labels without values', 'labels: {l: {}}', 'F 1', "'values' key is required"],
    ['refuses values that are no list', 'labels: {l: {values: a}}', 'F 1'],
    [
      'refuses numbers as labels',
      'labels: {l: {values: [1]}}',
      'D 1',
      "The label's value must be a string or an intrinsic function. Please modify the values of l",
    ],
    [
      'refuses run time values as labels',
      'labels: {l: {values: [{get_attribute: [n, a]}]}}',
      'D 1',
      "The label's value cannot be a runtime property.",
    ],
    [
      'refuses functions as labels of blueprints',
      'blueprint_labels: {l: {values: [{get_input: a}]}}',
      'D 1',
      "The blueprint label's value must be a string. Please modify the values of l",
    ],
  ]);

  it('are kept as they are written', async () => {
    const plan = await parse(
      'inputs: {a: {}}\nlabels: {l: {values: [a, {get_input: a}]}}\nblueprint_labels: {b: {values: [c]}}\nresource_tags: {t: {get_input: a}, u: 5}',
    );
    expect(plan.labels).to.deep.equal({ l: { values: ['a', { get_input: 'a' }] } });
    expect(plan.blueprint_labels).to.deep.equal({ b: { values: ['c'] } });
    expect(plan.resource_tags).to.deep.equal({ t: { get_input: 'a' }, u: 5 });
  });
});

describe('deployment settings', () => {
  itRefuses([
    ['refuses unknown settings', 'deployment_settings: {x: 1}', 'F 1'],
    [
      'refuses schedules without workflow',
      'deployment_settings: {default_schedules: {s: {since: +1d}}}',
      'F 1',
      "'workflow' key is required",
    ],
    ['refuses schedules without time', schedule('count: 1'), 'F 1', "'since' key is required"],
    ['refuses rrule', schedule('since: +1d, rrule: x'), 'F 1'],
    ['refuses a bad time', schedule("since: '2022-13-01 10:00'"), 'NonRecoverableError', 'is not a legal time format'],
    ['refuses a day there is none of', schedule("since: '2022-02-30 10:00'"), 'NonRecoverableError'],
    ['refuses a time without day when no day is known', schedule("since: '10:00'"), 'NonRecoverableError'],
    [
      'refuses an unknown zone',
      schedule("since: '2022-01-01 10:00', timezone: Mars/Base"),
      'NonRecoverableError',
      'Mars/Base is not a recognized timezone',
    ],
    ['refuses an offset as zone', schedule("since: '2022-01-01 10:00', timezone: '+01:00'"), 'NonRecoverableError'],
    ['refuses a bad relative time', schedule('since: +1x'), 'NonRecoverableError', '1x is not a legal time delta'],
    [
      'refuses a bad recurrence',
      schedule('since: +1d, recurrence: often'),
      'NonRecoverableError',
      'often is not a legal time delta',
    ],
    ['refuses a bad weekday', schedule('since: +1d, weekdays: [mo, xx]'), 'D 1', 'xx is not a valid weekday value.'],
    [
      'refuses run time values as parameters',
      schedule('since: +1d, workflow_parameters: {get_attribute: [a, b]}'),
      'D 1',
      'cannot be a runtime property',
    ],
    [
      'refuses run time values among parameters',
      schedule('since: +1d, workflow_parameters: {x: {get_attribute: [a, b]}}'),
      'D 1',
      'from the value of x',
    ],
  ]);

  it('are empty when there are none', async () => {
    expect((await parse('')).deployment_settings).to.deep.equal({});
    expect((await parse('deployment_settings: {display_name: x}')).deployment_settings).to.deep.equal({
      display_name: 'x',
      default_schedules: {},
    });
  });

  const times: [behaviour: string, text: string, since: string][] = [
    ['take UTC for times without zone', "since: '2022-01-01 10:00'", '2022-01-01 10:00:00'],
    ['turn times of zones into UTC', "since: '2022-01-01 10:00', timezone: Asia/Jerusalem", '2022-01-01 08:00:00'],
    ['know summer time', "since: '2022-07-01 10:00', timezone: Asia/Jerusalem", '2022-07-01 07:00:00'],
    [
      'take the standard time of an hour that comes twice',
      "since: '2022-11-06 01:30', timezone: America/New_York",
      '2022-11-06 06:30:00',
    ],
    [
      'take the standard time of an hour that never comes',
      "since: '2022-03-13 02:30', timezone: America/New_York",
      '2022-03-13 07:30:00',
    ],
    ['complete a time with the day in the zone', "since: '10:00', timezone: EST", '2022-05-05 15:00:00'],
    ['keep relative times', 'since: +1y+2 weeks', '+1y+2 weeks'],
  ];
  for (const [behaviour, text, since] of times) {
    it(behaviour, async () => {
      const plan = await parse(schedule(text), {}, { localTime: { now: () => Date.UTC(2022, 4, 6, 2) } });
      const schedules = plan.deployment_settings['default_schedules'] as Record<string, object>;
      expect(schedules['s']).to.deep.equal({ workflow: 'install', since });
    });
  }

  it('keep the rest of a schedule', async () => {
    const rest =
      "until: '2023-01-01 10:00', recurrence: 3 days, weekdays: [1tu, lMO], count: 5, default_enabled: false, stop_after_fail: true, slip: 1, workflow_parameters: {a: 1}, execution_arguments: {force: true}";
    const plan = await parse(schedule(`since: +1d, ${rest}`));
    expect((plan.deployment_settings['default_schedules'] as Record<string, object>)['s']).to.deep.equal({
      workflow: 'install',
      since: '+1d',
      until: '2023-01-01 10:00:00',
      recurrence: '3 days',
      weekdays: ['1tu', 'lMO'],
      count: 5,
      default_enabled: false,
      stop_after_fail: true,
      slip: 1,
      workflow_parameters: { a: 1 },
      execution_arguments: { force: true },
    });
  });
});

describe('the plan', () => {
  it('has all its keys, also for an empty blueprint', async () => {
    expect(await parse('')).to.deep.equal({
      version: { raw: 'cloudify_dsl_1_5', definitions_name: 'cloudify_dsl', definitions_version: [1, 5] },
      description: null,
      metadata: null,
      inputs: {},
      outputs: {},
      capabilities: {},
      nodes: [],
      relationships: {},
      workflows: {},
      data_types: {},
      policy_types: {},
      policy_triggers: {},
      policies: {},
      groups: {},
      scaling_groups: {},
      deployment_plugins_to_install: [],
      workflow_plugins_to_install: [],
      host_agent_plugins_to_install: [],
      imported_blueprints: [],
      namespaces_mapping: {},
      labels: {},
      blueprint_labels: {},
      resource_tags: {},
      deployment_settings: {},
      requirements: { parent_capabilities: [], secrets: [] },
    });
  });

  it('is unchanged by JSON serialization', async () => {
    const plan = await parse(
      'inputs: {a: {default: 1}}\nnode_types: {t: {properties: {x: {}}}}\nnode_templates: {n: {type: t, properties: {x: {get_input: a}}}}',
    );
    expect(JSON.parse(JSON.stringify(plan))).to.deep.equal(plan);
  });

  it('lists secrets and capabilities of the environment that are used', async () => {
    const text =
      'outputs: {a: {value: {get_secret: x}}, b: {value: {concat: [{get_secret: [y, z]}, {get_environment_capability: c}]}}}';
    expect((await parse(text)).requirements).to.deep.equal({
      secrets: ['x', ['y', 'z']],
      parent_capabilities: [['c']],
    });
  });

  it('is refused when a function in it is wrong, at the place of the function', async () => {
    const error = await expectFailure(
      'outputs:\n  o:\n    value:\n      concat: [a, {get_input: missing}]',
      'UnknownInputError',
      /missing/,
      {},
      { location: 'main.yaml' },
    );
    expect(error.location).to.include({ file: 'main.yaml', line: 5 });
    await parse('outputs: {o: {value: {get_input: missing}}}', {}, { validateFunctions: false });
  });

  it('keeps functions raw where they are evaluated later', async () => {
    const text = `node_types: {t: {}}
relationships: {r: {properties: {a: {}}}}
node_templates: {n: {type: t, relationships: [{type: r, target: m, properties: {a: {get_input: missing}}}]}, m: {type: t}}
resource_tags: {t: {get_input: missing}}`;
    expect(nodeOf(await parse(text), 'n').relationships[0]?.properties).to.deep.equal({ a: { get_input: 'missing' } });
  });
});
