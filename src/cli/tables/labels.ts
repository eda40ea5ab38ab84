import type { GantryClient } from '../../client/client.ts';
import type { LabelShape } from '../../client/types.ts';
import { parseLabels } from '../inputs.ts';
import { at, valueOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';

type Label = Pick<LabelShape, 'key' | 'value'>;

/** Something that has labels, or pairs that are given in the same way. */
interface Labelled {
  /** Words before `list`, `add` and `delete`. */
  readonly words: string;
  /** Name of the argument, and of the thing. */
  readonly name: string;
  /** What they are called. */
  readonly labels: string;
  readonly read: (client: GantryClient, id: string) => Promise<readonly Label[]>;
  readonly write: (client: GantryClient, id: string, labels: readonly Label[]) => Promise<unknown>;
}

/** Labels as most endpoints take them: one mapping each. */
function mappings(labels: readonly Label[]): Record<string, string>[] {
  return labels.map(({ key, value }) => ({ [key]: value }));
}

function resourceLabels(group: 'blueprints' | 'deployments', name: string): Labelled {
  const pathOf = (id: string): string => `/${group}${at`/${id}`}`;
  return {
    words: `${group} labels`,
    name,
    labels: 'labels',
    read: async (client, id) =>
      (await client.transport.json<{ labels: Label[] }>('GET', pathOf(id), { query: { _include: 'id,labels' } }))
        .labels,
    write: (client, id, labels) => client.transport.json('PATCH', pathOf(id), { body: { labels: mappings(labels) } }),
  };
}

const groupLabels: Labelled = {
  words: 'deployments groups labels',
  name: 'deployment-group',
  labels: 'labels',
  read: async (client, id) => (await client.deploymentGroups.get(id)).labels,
  write: (client, id, labels) =>
    client.transport.json('PUT', at`/deployment-groups/${id}`, { body: { labels: mappings(labels) } }),
};

type PluginLabels = Readonly<Record<string, readonly string[]>> | null;

/** Labels that a plugin gives to what uses it: a list of values by key. */
function pluginLabels(words: string, member: 'blueprint_labels' | 'labels'): Labelled {
  return {
    words: `plugins ${words}`,
    name: 'plugin',
    labels: 'labels',
    read: async (client, id) => {
      const plugin = await client.transport.json<Record<string, PluginLabels>>('GET', at`/plugins/${id}`);
      return Object.entries(plugin[member] ?? {}).flatMap(([key, values]) => values.map((value) => ({ key, value })));
    },
    write: (client, id, labels) => {
      const byKey = new Map<string, string[]>();
      labels.forEach(({ key, value }) => byKey.set(key, [...(byKey.get(key) ?? []), value]));
      return client.transport.json('PATCH', at`/plugins/${id}`, { body: { [member]: Object.fromEntries(byKey) } });
    },
  };
}

const pluginTags: Labelled = {
  words: 'plugins resource-tags',
  name: 'plugin',
  labels: 'tags',
  read: async (client, id) => {
    const { resource_tags: tags } = await client.transport.json<{ resource_tags: Record<string, string> | null }>(
      'GET',
      at`/plugins/${id}`,
    );
    return Object.entries(tags ?? {}).map(([key, value]) => ({ key, value }));
  },
  write: (client, id, tags) =>
    client.transport.json('PATCH', at`/plugins/${id}`, {
      body: { resource_tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])) },
    }),
};

/** Whether a label is meant by `key` or `key:value`. */
function matcherOf(text: string): (label: Label) => boolean {
  const [key = '', ...rest] = text.split(/[:=]/);
  const value = rest.length > 0 ? rest.join(':') : undefined;
  return (label) => label.key.toLowerCase() === key.toLowerCase() && (value === undefined || label.value === value);
}

function withAdded(labels: readonly Label[], added: readonly Label[]): Label[] {
  const isThere = ({ key, value }: Label): boolean =>
    labels.some((label) => label.key === key && label.value === value);
  return [...labels.map(({ key, value }) => ({ key, value })), ...added.filter((label) => !isThere(label))];
}

function labelCommands({ words, name, labels: called, read, write }: Labelled): CommandDefinition[] {
  const idOf = (given: Given): string => valueOf(given, name);
  const thing = name === 'deployment-group' ? 'group of deployments' : name;
  return [
    {
      kind: 'rows',
      words: `${words} list`,
      about: `list the ${called} of a ${thing}`,
      things: called,
      takes: [name],
      fields: ['key', 'value'],
      run: (client, given) => read(client, idOf(given)),
    },
    {
      kind: 'action',
      words: `${words} add`,
      about: `add ${called} to a ${thing}`,
      takes: ['labels', name],
      run: async (client, given) =>
        write(client, idOf(given), withAdded(await read(client, idOf(given)), parseLabels([valueOf(given, 'labels')]))),
      done: (given) => `${called === 'tags' ? 'Tags' : 'Labels'} put on ${idOf(given)}`,
    },
    {
      kind: 'action',
      words: `${words} delete`,
      about: `remove ${called} from a ${thing}: all of a key, or key:value`,
      takes: ['label', name],
      run: async (client, given) => {
        const isTaken = matcherOf(valueOf(given, 'label'));
        const labels = await read(client, idOf(given));
        return write(
          client,
          idOf(given),
          labels.filter((label) => !isTaken(label)),
        );
      },
      done: (given) => `${called === 'tags' ? 'Tags' : 'Labels'} taken off ${idOf(given)}`,
    },
  ];
}

/** Commands for labels of everything that has some. */
export const labelTable: readonly CommandDefinition[] = [
  resourceLabels('blueprints', 'blueprint'),
  resourceLabels('deployments', 'deployment'),
  groupLabels,
  pluginLabels('blueprint-labels', 'blueprint_labels'),
  pluginLabels('deployment-labels', 'labels'),
  pluginTags,
].flatMap(labelCommands);
