import type { GantryClient } from '../../client/client.ts';
import { downloadFile } from '../../client/download.ts';
import { FailedOutcome } from '../errors.ts';
import { at, optionOf, optionsOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';

const updateFields = ['id', 'state', 'blueprint_id', 'execution_id', 'created_at', 'created_by'];

async function save(client: GantryClient, path: string, file: string, query = {}): Promise<{ file: string }> {
  await downloadFile(client.transport, path, file, { query });
  return { file };
}

function fileOf(given: Given, ending: string): string {
  return optionOf(given, 'output') ?? `${valueOf(given, 'id')}.${ending}`;
}

/** Asks machines and agents to install a plugin: those named, else every machine of the manager. */
async function install(client: GantryClient, given: Given): Promise<unknown> {
  const agents = optionsOf(given, 'agent');
  let managers = optionsOf(given, 'manager');
  if (managers.length === 0 && agents.length === 0) {
    const { items } = await client.transport.json<{ items: { hostname: string }[] }>('GET', '/managers');
    managers = items.map(({ hostname }) => hostname);
  }
  if (managers.length === 0 && agents.length === 0) {
    throw new FailedOutcome('No machine has signed on that could install it', 'See: gantry managers list');
  }
  return client.transport.json('POST', at`/plugins/${valueOf(given, 'id')}`, {
    body: { action: 'install', managers, agents },
  });
}

/** Commands for plugins besides uploading and listing them. */
export const pluginTable: readonly CommandDefinition[] = [
  {
    kind: 'action',
    words: 'plugins download',
    about: 'download the archive of a plugin',
    takes: ['id'],
    options: [
      { flags: '-o, --output <file>', about: 'default: the id with the ending .wgn' },
      { flags: '--full', about: 'everything that was uploaded, YAML files and icon, too' },
    ],
    run: (client, given) =>
      save(client, at`/plugins/${valueOf(given, 'id')}/archive`, fileOf(given, 'wgn'), {
        full_archive: given.options['full'] === true ? true : undefined,
      }),
    done: (given) => `Plugin saved as ${fileOf(given, 'wgn')}`,
  },
  {
    kind: 'action',
    words: 'plugins download-yaml',
    about: 'download what blueprints import to use a plugin',
    takes: ['id'],
    options: [
      { flags: '-o, --output <file>', about: 'default: the id with the ending .yaml' },
      { flags: '--dsl-version <version>', about: 'for this version of the blueprint language, e.g. 1_4' },
    ],
    run: (client, given) =>
      save(client, at`/plugins/${valueOf(given, 'id')}/yaml`, fileOf(given, 'yaml'), {
        dsl_version: optionOf(given, 'dslVersion'),
      }),
    done: (given) => `YAML file of the plugin saved as ${fileOf(given, 'yaml')}`,
  },
  {
    kind: 'item',
    words: 'plugins install',
    about: 'install a plugin before an operation needs it',
    takes: ['id'],
    options: [
      { flags: '--manager <name>', about: 'on this machine; repeatable; default: on all', isRepeatable: true },
      { flags: '--agent <name>', about: 'by this agent; repeatable', isRepeatable: true },
    ],
    fields: ['id', 'package_name', 'package_version', 'installation_state'],
    run: install,
  },
  {
    kind: 'list',
    words: 'plugins history',
    about: 'list updates of plugins',
    things: 'updates of plugins',
    path: () => '/plugins-updates',
    fields: updateFields,
  },
  {
    kind: 'item',
    words: 'plugins get-update',
    about: 'show an update of plugins',
    takes: ['update'],
    fields: [...updateFields, 'forced', 'all_tenants', 'deployments_to_update'],
    run: sends((given) => ({ method: 'GET', path: at`/plugins-updates/${valueOf(given, 'update')}` })),
  },
];
