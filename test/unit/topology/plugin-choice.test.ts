import { expect } from 'chai';
import type { PlanPlugin } from '../../../src/domain/plan.ts';
import { havePluginsChanged, versionRulesOf } from '../../../src/topology/index.ts';
import type { PluginChoice } from '../../../src/topology/index.ts';

function plugin(name: string, version: string | null, more: Partial<PlanPlugin> = {}): PlanPlugin {
  return {
    name,
    source: null,
    executor: 'central_deployment_agent',
    install: true,
    install_arguments: null,
    package_name: version === null ? null : name,
    package_version: version,
    supported_platform: null,
    distribution: null,
    distribution_version: null,
    distribution_release: null,
    ...more,
  };
}

type Lists = Parameters<typeof versionRulesOf>[0];

function planOf(deployment: PlanPlugin[], workflow: PlanPlugin[] = [], host: PlanPlugin[] = []): Lists {
  return {
    deployment_plugins_to_install: deployment,
    workflow_plugins_to_install: workflow,
    host_agent_plugins_to_install: host,
  };
}

const nothing: PluginChoice = {
  names: [],
  allToLatest: false,
  toLatest: [],
  allToMinor: false,
  toMinor: [],
  mappings: [],
};

describe('the choice of plugin versions', () => {
  const plan = planOf([plugin('a', '1.4.2'), plugin('local', null)], [plugin('b', '2.0')], [plugin('c', 'v3-rc')]);

  const constraints: [string, Partial<PluginChoice>, Record<string, string>][] = [
    ['leaves all free', { allToLatest: true }, {}],
    ['leaves all free when nothing is said', {}, {}],
    ['keeps what is not named', { names: ['a'], allToLatest: true }, { b: '==2.0', c: '==v3-rc' }],
    ['keeps major versions', { allToMinor: true }, { a: '>=1.4,<2', b: '>=2.0,<3', c: '>=3.0,<4' }],
    ['lets some go further', { allToMinor: true, toLatest: ['a', 'c'] }, { b: '>=2.0,<3' }],
    ['keeps the major versions of some', { allToLatest: true, toMinor: ['b'] }, { b: '>=2.0,<3' }],
    ['takes the latest first', { allToLatest: true, allToMinor: true }, {}],
    ['names first', { names: ['b'], allToMinor: true }, { a: '==1.4.2', b: '>=2.0,<3', c: '==v3-rc' }],
  ];
  for (const [what, choice, expected] of constraints) {
    it(what, () => {
      const rules = versionRulesOf(plan, { ...nothing, ...choice });
      expect(Object.fromEntries(rules.constraints)).to.deep.equal(expected);
      expect(rules.exact.size + rules.rewrites.size).to.equal(0);
    });
  }

  it('keeps a version without numbers exactly', () => {
    const rules = versionRulesOf(planOf([plugin('odd', 'next')]), { ...nothing, allToMinor: true });
    expect(rules.constraints.get('odd')).to.equal('==next');
  });

  it('lets a mapping decide, for plugins of the plan only', () => {
    const mappings = [
      { importLine: 'http://site/a.yaml', pluginName: 'a', version: '2.0' },
      { importLine: 'http://site/other.yaml', pluginName: 'a', version: '3.0' },
      { importLine: 'plugin:z', pluginName: 'z', version: '1' },
    ];
    const { exact, rewrites } = versionRulesOf(plan, { ...nothing, mappings });
    expect([...exact]).to.deep.equal([['a', '==2.0']]);
    expect([...rewrites]).to.deep.equal([['http://site/a.yaml', 'plugin:a?version=%3D%3D2.0']]);
  });

  const comparisons: [string, Lists, Lists, boolean][] = [
    ['another version', planOf([plugin('a', '1')]), planOf([plugin('a', '2')]), true],
    ['the same', planOf([plugin('a', '1')]), planOf([plugin('a', '1')]), false],
    [
      'the same in another order',
      planOf([plugin('a', '1'), plugin('b', '1')]),
      planOf([plugin('b', '1'), plugin('a', '1')]),
      false,
    ],
    ['one more', planOf([]), planOf([], [plugin('a', '1')]), true],
    ['one less', planOf([], [], [plugin('a', '1')]), planOf([]), false],
    [
      'properties told in another order',
      planOf([plugin('a', '1', { properties: { x: 1, y: { p: 1, q: 2 } } })]),
      planOf([plugin('a', '1', { properties: { y: { q: 2, p: 1 }, x: 1 } })]),
      false,
    ],
    [
      'other properties',
      planOf([plugin('a', '1', { properties: { x: 1 } })]),
      planOf([plugin('a', '1', { properties: { x: 2 } })]),
      true,
    ],
  ];
  for (const [what, before, after, expected] of comparisons) {
    it(`tells whether anything changes: ${what}`, () => {
      expect(havePluginsChanged(before, after)).to.equal(expected);
    });
  }
});
