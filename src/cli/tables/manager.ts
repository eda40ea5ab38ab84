import { readFile, writeFile } from 'node:fs/promises';
import type { GantryClient } from '../../client/client.ts';
import { at, numberOf, optionOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';
import { UsageError } from '../errors.ts';
import { parseInputs, parseValue } from '../inputs.ts';

const maintenanceFields = ['status', 'activated_at', 'activation_requested_at', 'requested_by', 'remaining_executions'];

function maintenance(word: 'activate' | 'deactivate', about: string): CommandDefinition {
  return {
    kind: 'item',
    words: `maintenance-mode ${word}`,
    about,
    fields: maintenanceFields,
    run: sends(() => ({ method: 'POST', path: `/maintenance/${word}` })),
  };
}

const providerFields = ['id', 'name', 'type', 'visibility', 'created_by'];
const connectionOption = {
  flags: '--connection <parameters>',
  about: 'name=value;name=value, a mapping or a file',
  isRequired: true,
};

const providerCommands: readonly CommandDefinition[] = [
  {
    kind: 'list',
    words: 'secrets providers list',
    about: 'list secrets providers',
    path: () => '/secrets-providers',
    fields: providerFields,
  },
  {
    kind: 'item',
    words: 'secrets providers get',
    about: 'show a secrets provider',
    takes: ['name'],
    fields: providerFields,
    run: sends((given) => ({ method: 'GET', path: at`/secrets-providers/${valueOf(given, 'name')}` })),
  },
  {
    kind: 'action',
    words: 'secrets providers create',
    about: 'create a secrets provider',
    takes: ['name'],
    options: [{ flags: '--type <type>', about: 'kind of provider, such as vault', isRequired: true }, connectionOption],
    run: async (client, given) =>
      client.transport.json('PUT', '/secrets-providers', {
        body: {
          name: valueOf(given, 'name'),
          type: optionOf(given, 'type'),
          connection_parameters: await parseInputs([optionOf(given, 'connection') ?? '']),
        },
      }),
    done: (given) => `Secrets provider ${valueOf(given, 'name')} made`,
  },
  {
    kind: 'action',
    words: 'secrets providers update',
    about: 'change the connection parameters of a secrets provider',
    takes: ['name'],
    options: [connectionOption],
    run: async (client, given) =>
      client.transport.json('PATCH', at`/secrets-providers/${valueOf(given, 'name')}`, {
        body: { connection_parameters: await parseInputs([optionOf(given, 'connection') ?? '']) },
      }),
    done: (given) => `Secrets provider ${valueOf(given, 'name')} changed`,
  },
  {
    kind: 'action',
    words: 'secrets providers test',
    about: 'test the connection to a secrets provider',
    takes: ['name'],
    run: sends((given) => ({
      method: 'PUT',
      path: '/secrets-providers',
      body: { name: valueOf(given, 'name'), test: true },
    })),
    done: (given) => `Secrets provider ${valueOf(given, 'name')} answers`,
  },
  {
    kind: 'action',
    words: 'secrets providers delete',
    about: 'delete a secrets provider',
    takes: ['name'],
    run: sends((given) => ({ method: 'DELETE', path: at`/secrets-providers/${valueOf(given, 'name')}` })),
    done: (given) => `Secrets provider ${valueOf(given, 'name')} deleted`,
  },
  {
    kind: 'action',
    words: 'secrets export',
    about: 'write secrets into a file, encrypted unless --plain',
    example: 'gantry secrets export secrets.json --passphrase-file passphrase.txt',
    takes: ['file'],
    options: [
      { flags: '--passphrase-file <file>', about: 'file with the passphrase that encrypts them' },
      { flags: '--plain', about: 'do not encrypt' },
    ],
    run: async (client, given) => {
      const secrets = await client.transport.json<unknown>('GET', '/secrets/share/export', {
        query: { _passphrase: await passphraseOf(given) },
      });
      await writeFile(valueOf(given, 'file'), `${JSON.stringify(secrets, undefined, 2)}\n`, { mode: 0o600 });
      return { file: valueOf(given, 'file') };
    },
    done: (given) => `Secrets written to ${valueOf(given, 'file')}`,
  },
  {
    kind: 'action',
    words: 'secrets import',
    about: 'read secrets from a file that export wrote',
    example: 'gantry secrets import secrets.json --passphrase-file passphrase.txt --override',
    takes: ['file'],
    options: [
      { flags: '--passphrase-file <file>', about: 'file with the passphrase that encrypted them' },
      { flags: '--plain', about: 'they are not encrypted' },
      { flags: '--override', about: 'replace existing secrets' },
    ],
    run: async (client, given) =>
      client.transport.json('POST', '/secrets/share/import', {
        body: {
          secrets_list: JSON.parse(await readFile(valueOf(given, 'file'), 'utf8')) as unknown,
          passphrase: await passphraseOf(given),
          override_collisions: given.options['override'] === true,
        },
      }),
    done: (given) => `Secrets of ${valueOf(given, 'file')} read`,
  },
];

/** @throws UsageError unless there is a passphrase, or plain text was asked for */
async function passphraseOf(given: Given): Promise<string | undefined> {
  const file = optionOf(given, 'passphraseFile');
  if (file === undefined && given.options['plain'] !== true) {
    throw new UsageError('Name a --passphrase-file, or say --plain');
  }
  return file === undefined ? undefined : (await readFile(file, 'utf8')).trim();
}

async function changeSetting(client: GantryClient, given: Given): Promise<unknown> {
  const value = parseValue(valueOf(given, 'value'));
  return client.transport.json('PUT', at`/config/${valueOf(given, 'name')}`, { body: { value, force: false } });
}

/** Commands for the manager itself. */
export const managerCommands: readonly CommandDefinition[] = [
  ...providerCommands,
  {
    kind: 'rows',
    words: 'config list',
    about: 'list settings of the manager',
    things: 'settings',
    fields: ['name', 'value', 'scope', 'is_editable', 'updated_at'],
    run: async (client) => (await client.transport.json<{ items: object[] }>('GET', '/config')).items,
  },
  {
    kind: 'action',
    words: 'config update',
    about: 'change a setting of the manager',
    takes: ['name', 'value'],
    run: changeSetting,
    done: (given) => `${valueOf(given, 'name')} is ${valueOf(given, 'value')}`,
  },
  {
    kind: 'item',
    words: 'maintenance-mode status',
    about: 'show whether the manager refuses changes',
    fields: maintenanceFields,
    run: sends(() => ({ method: 'GET', path: '/maintenance' })),
  },
  maintenance('activate', 'let nothing new begin'),
  maintenance('deactivate', 'go on as before'),
  {
    kind: 'list',
    words: 'agents list',
    about: 'list agents',
    options: [{ flags: '--deployment <id>', about: 'of this deployment only' }],
    path: () => '/agents',
    filters: (given) => ({ deployment_id: optionOf(given, 'deployment') }),
    fields: ['id', 'ip', 'deployment', 'node', 'system', 'version', 'install_method'],
  },
  {
    kind: 'list',
    words: 'audit list',
    about: 'list the entries of the audit log',
    example: 'gantry audit list --user ann --sort created_at --descending --size 20',
    options: [
      { flags: '--user <name>', about: 'by this user only' },
      { flags: '--execution <id>', about: 'by this execution only' },
      { flags: '--since <time>', about: 'not before this time' },
    ],
    path: () => '/audit',
    things: 'entries in the audit log',
    takesNo: ['search', 'all-tenants'],
    filters: (given) => ({
      creator_name: optionOf(given, 'user'),
      execution_id: optionOf(given, 'execution'),
      since: optionOf(given, 'since'),
      // this endpoint has parameters of its own where others begin with an underscore
      size: numberOf(given, 'size'),
      offset: numberOf(given, 'offset'),
      order_by: optionOf(given, 'sort'),
      desc: given.options['descending'] === true ? true : undefined,
    }),
    fields: ['created_at', 'creator_name', 'operation', 'ref_table', 'ref_identifier', 'execution_id'],
  },
  {
    kind: 'item',
    words: 'audit truncate',
    about: 'delete old entries of the audit log',
    example: 'gantry audit truncate --before 2030-01-31',
    options: [
      { flags: '--before <time>', about: 'entries before this time', isRequired: true },
      { flags: '--user <name>', about: 'of this user only' },
    ],
    fields: ['deleted'],
    run: sends((given) => ({
      method: 'DELETE',
      path: '/audit',
      query: { before: optionOf(given, 'before'), creator_name: optionOf(given, 'user') },
    })),
  },
];
