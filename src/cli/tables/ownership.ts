import { at, optionOf, optionsOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';
import type { GantryClient } from '../../client/client.ts';
import type { LabelShape } from '../../client/types.ts';
import { parseFilterRules } from '../filter-rules.ts';
import { parseLabels } from '../inputs.ts';

/** Resources with an owner and a visibility. `key` is the name of the argument. */
const owned = [
  { group: 'blueprints', kind: 'blueprint', key: 'blueprint' },
  { group: 'deployments', kind: 'deployment', key: 'deployment' },
  { group: 'plugins', kind: 'plugin', key: 'plugin' },
  { group: 'secrets', kind: 'secret', key: 'key' },
];

function ownershipCommands({ group, kind, key }: (typeof owned)[number]): CommandDefinition[] {
  const pathOf = (given: Given): string => `/${group}${at`/${valueOf(given, key)}`}`;
  const visibility = (given: Given, value: string) => ({
    method: 'PATCH' as const,
    path: `${pathOf(given)}/set-visibility`,
    body: { visibility: value },
  });
  const commands: CommandDefinition[] = [
    {
      kind: 'action',
      words: `${group} set-owner`,
      about: `give a ${kind} to another user`,
      takes: [key, 'user'],
      run: sends((given) => ({ method: 'PATCH', path: pathOf(given), body: { creator: valueOf(given, 'user') } })),
      done: (given) => `${valueOf(given, key)} belongs to ${valueOf(given, 'user')}`,
    },
    {
      kind: 'action',
      words: `${group} set-visibility`,
      about: `show a ${kind} to its tenant, or to all tenants (global)`,
      takes: [key, 'visibility'],
      run: sends((given) => visibility(given, valueOf(given, 'visibility'))),
      done: (given) => `${valueOf(given, key)} is ${valueOf(given, 'visibility')}`,
    },
  ];
  return kind === 'deployment'
    ? commands
    : [
        ...commands,
        {
          kind: 'action',
          words: `${group} set-global`,
          about: `show a ${kind} to all tenants`,
          takes: [key],
          run: sends((given) => visibility(given, 'global')),
          done: (given) => `${valueOf(given, key)} is global`,
        },
      ];
}

async function changeLabels(
  client: GantryClient,
  path: string,
  change: (labels: LabelShape[]) => LabelShape[],
): Promise<unknown> {
  const { labels } = await client.transport.json<{ labels: LabelShape[] }>('GET', path);
  const changed = change(labels.map(({ key, value }) => ({ key, value })));
  return client.transport.json('PATCH', path, {
    body: { labels: changed.map(({ key, value }) => ({ [key]: value })) },
  });
}

function labelCommands(group: 'blueprints' | 'deployments', key: string): CommandDefinition[] {
  const pathOf = (given: Given): string => `/${group}${at`/${valueOf(given, key)}`}`;
  return [
    {
      kind: 'item',
      words: `${group} labels list`,
      about: `show the labels of a ${key}`,
      takes: [key],
      fields: ['id', 'labels'],
      run: sends((given) => ({ method: 'GET', path: pathOf(given), query: { _include: 'id,labels' } })),
    },
    {
      kind: 'action',
      words: `${group} labels add`,
      about: `put labels on a ${key}`,
      takes: ['labels', key],
      run: (client, given) =>
        changeLabels(client, pathOf(given), (labels) => [...labels, ...parseLabels([valueOf(given, 'labels')])]),
      done: (given) => `Labels put on ${valueOf(given, key)}`,
      example: `gantry ${group} labels add env:test,team:web my-${key}`,
    },
    {
      kind: 'action',
      words: `${group} labels delete`,
      about: `take labels off a ${key}: all of a key, or key:value`,
      takes: ['label', key],
      run: (client, given) => {
        const [name = '', ...rest] = valueOf(given, 'label').split(/[:=]/);
        const value = rest.length > 0 ? rest.join(':') : undefined;
        const isTaken = (label: LabelShape): boolean =>
          label.key === name.toLowerCase() && (value === undefined || label.value === value);
        return changeLabels(client, pathOf(given), (labels) => labels.filter((label) => !isTaken(label)));
      },
      done: (given) => `Labels taken off ${valueOf(given, key)}`,
    },
  ];
}

const ruleOptions = [
  { flags: '--label-rule <rule>', about: 'e.g. env=test, env!=[a,b], "env is null"', isRepeatable: true },
  { flags: '--attribute-rule <rule>', about: 'e.g. "created_by contains ann"', isRepeatable: true },
];

function rulesOf(given: Given): object[] {
  return [
    ...parseFilterRules('label', optionsOf(given, 'labelRule')),
    ...parseFilterRules('attribute', optionsOf(given, 'attributeRule')),
  ];
}

function filterCommands(group: 'blueprints' | 'deployments'): CommandDefinition[] {
  const pathOf = (given: Given): string => `/filters/${group}${at`/${valueOf(given, 'filter')}`}`;
  const fields = ['id', 'labels_filter_rules', 'attrs_filter_rules', 'visibility', 'created_by'];
  return [
    { kind: 'list', words: `${group} filters list`, about: 'list filters', path: () => `/filters/${group}`, fields },
    {
      kind: 'item',
      words: `${group} filters get`,
      about: 'show a filter',
      takes: ['filter'],
      fields,
      run: sends((given) => ({ method: 'GET', path: pathOf(given) })),
    },
    {
      kind: 'action',
      words: `${group} filters create`,
      about: 'keep rules under a name',
      takes: ['filter'],
      options: ruleOptions,
      run: sends((given) => ({ method: 'PUT', path: pathOf(given), body: { filter_rules: rulesOf(given) } })),
      done: (given) => `Filter ${valueOf(given, 'filter')} made`,
      example: `gantry ${group} filters create tests --label-rule env=test`,
    },
    {
      kind: 'action',
      words: `${group} filters update`,
      about: 'give a filter other rules or another visibility',
      takes: ['filter'],
      options: [...ruleOptions, { flags: '--visibility <level>', about: 'private, tenant or global' }],
      run: sends((given) => {
        const rules = rulesOf(given);
        const visibility = optionOf(given, 'visibility');
        return {
          method: 'PATCH',
          path: pathOf(given),
          body: { ...(rules.length > 0 ? { filter_rules: rules } : {}), ...(visibility ? { visibility } : {}) },
        };
      }),
      done: (given) => `Filter ${valueOf(given, 'filter')} changed`,
    },
    {
      kind: 'action',
      words: `${group} filters delete`,
      about: 'delete a filter',
      takes: ['filter'],
      run: sends((given) => ({ method: 'DELETE', path: pathOf(given) })),
      done: (given) => `Filter ${valueOf(given, 'filter')} deleted`,
    },
  ];
}

/** Commands for owners, visibility, labels and filters. */
export const ownershipTable: readonly CommandDefinition[] = [
  ...owned.flatMap(ownershipCommands),
  ...labelCommands('blueprints', 'blueprint'),
  ...labelCommands('deployments', 'deployment'),
  ...filterCommands('blueprints'),
  ...filterCommands('deployments'),
];
