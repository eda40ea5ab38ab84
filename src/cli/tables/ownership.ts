import { at, optionOf, optionsOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, CommandOption, Given } from './definition.ts';
import { ruleOptions, rulesOf } from '../commands/listing.ts';

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
      about: `change the owner of a ${kind}`,
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

const ruleFlags: readonly CommandOption[] = ruleOptions.map(([flags, about]) => ({ flags, about, isRepeatable: true }));

function filterRulesOf(given: Given): object[] {
  return rulesOf({ labelRule: optionsOf(given, 'labelRule'), attributeRule: optionsOf(given, 'attributeRule') });
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
      about: 'store rules as a filter',
      takes: ['filter'],
      options: ruleFlags,
      run: sends((given) => ({ method: 'PUT', path: pathOf(given), body: { filter_rules: filterRulesOf(given) } })),
      done: (given) => `Filter ${valueOf(given, 'filter')} made`,
      example: `gantry ${group} filters create tests --label-rule env=test`,
    },
    {
      kind: 'action',
      words: `${group} filters update`,
      about: 'change the rules or the visibility of a filter',
      takes: ['filter'],
      options: [...ruleFlags, { flags: '--visibility <level>', about: 'private, tenant or global' }],
      run: sends((given) => {
        const rules = filterRulesOf(given);
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

/** Commands for owners, visibility and filters. */
export const ownershipTable: readonly CommandDefinition[] = [
  ...owned.flatMap(ownershipCommands),
  ...filterCommands('blueprints'),
  ...filterCommands('deployments'),
];
