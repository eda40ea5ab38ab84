import { NotFound, UsageError } from '../errors.ts';
import { parseInputs } from '../inputs.ts';
import { wholeNumber } from '../commands/listing.ts';
import { at, optionOf, optionsOf, sends, valueOf } from './definition.ts';
import type { CommandDefinition, CommandOption } from './definition.ts';

const machineFields = ['hostname', 'private_ip', 'public_ip', 'version', 'edition', 'last_seen'];
const brokerFields = ['name', 'host', 'port', 'networks', 'is_external'];
const databaseFields = ['name', 'host', 'is_external'];

const networkOption: CommandOption = {
  flags: '--network <name=address>',
  about: 'address at which agents of a network reach it; repeatable',
  isRepeatable: true,
};

const brokerCommands: readonly CommandDefinition[] = [
  {
    kind: 'list',
    words: 'cluster brokers list',
    about: 'list message brokers',
    path: () => '/brokers',
    fields: ['name', 'host', 'port', 'is_external'],
    takesNo: ['sort', 'search', 'all-tenants'],
  },
  {
    kind: 'item',
    words: 'cluster brokers get',
    about: 'show a message broker',
    takes: ['name'],
    fields: brokerFields,
    run: async (client, given) => {
      const name = valueOf(given, 'name');
      const { items } = await client.transport.json<{ items: { name: string }[] }>('GET', '/brokers');
      const found = items.find((broker) => broker.name === name);
      if (!found) {
        throw new NotFound(`There is no broker ${name}`, 'See: gantry cluster brokers list');
      }
      return found;
    },
  },
  {
    kind: 'item',
    words: 'cluster brokers add',
    about: 'register a message broker of the cluster',
    takes: ['name', 'address'],
    options: [{ flags: '--port <n>', about: 'default: 5671' }, networkOption],
    fields: brokerFields,
    run: async (client, given) => {
      const port = optionOf(given, 'port');
      return client.transport.json('POST', '/brokers', {
        body: {
          name: valueOf(given, 'name'),
          address: valueOf(given, 'address'),
          ...(port === undefined ? {} : { port: wholeNumber(port) }),
          networks: await parseInputs(optionsOf(given, 'network')),
        },
      });
    },
    example: 'gantry cluster brokers add mq-2 10.0.0.12 --network default=10.0.0.12',
  },
  {
    kind: 'item',
    words: 'cluster brokers update',
    about: 'add or change networks of a message broker',
    takes: ['name'],
    options: [networkOption],
    fields: brokerFields,
    run: async (client, given) => {
      const networks = await parseInputs(optionsOf(given, 'network'));
      if (Object.keys(networks).length === 0) {
        throw new UsageError('Say which networks: --network NAME=ADDRESS');
      }
      return client.transport.json('PUT', at`/brokers/${valueOf(given, 'name')}`, { body: { networks } });
    },
    example: 'gantry cluster brokers update mq-2 --network edge=192.0.2.12',
  },
  {
    kind: 'action',
    words: 'cluster brokers remove',
    about: 'remove a message broker that is not in use',
    takes: ['name'],
    run: sends((given) => ({ method: 'DELETE', path: at`/brokers/${valueOf(given, 'name')}` })),
    done: (given) => `Broker ${valueOf(given, 'name')} removed`,
  },
];

/** Commands for the machines a manager is made of. */
export const clusterTable: readonly CommandDefinition[] = [
  {
    kind: 'list',
    words: 'managers list',
    about: 'list managers',
    path: () => '/managers',
    fields: machineFields,
    takesNo: ['sort', 'search', 'all-tenants'],
  },
  {
    kind: 'action',
    words: 'managers remove',
    about: 'remove a machine that no longer exists',
    takes: ['name'],
    run: sends((given) => ({ method: 'DELETE', path: at`/managers/${valueOf(given, 'name')}` })),
    done: (given) => `Manager ${valueOf(given, 'name')} removed`,
  },
  ...brokerCommands,
  {
    kind: 'list',
    words: 'cluster db-nodes list',
    about: 'list database servers',
    path: () => '/db-nodes',
    things: 'database servers; gantry cluster db-nodes update looks for them',
    fields: databaseFields,
    takesNo: ['sort', 'search', 'all-tenants'],
  },
  {
    kind: 'rows',
    words: 'cluster db-nodes update',
    about: 'refresh the list of database servers',
    things: 'database servers',
    fields: databaseFields,
    run: async (client) =>
      (await client.transport.json<{ items: object[] }>('POST', '/db-nodes', { body: { action: 'update' } })).items,
  },
  {
    kind: 'item',
    words: 'cluster status',
    about: 'show the state of the services of the cluster',
    fields: ['status', 'services'],
    run: sends(() => ({ method: 'GET', path: '/cluster-status' })),
  },
];
