import { stat } from 'node:fs/promises';
import { fileUpload } from '../../client/archive.ts';
import type { GantryClient } from '../../client/client.ts';
import { downloadFile } from '../../client/download.ts';
import type { ExecutionShape } from '../../client/types.ts';
import { at, sends, valueOf } from './definition.ts';
import type { CommandDefinition, CommandOption, Given } from './definition.ts';

const fields = ['id', 'status', 'created_at', 'visibility', 'created_by', 'error'];
const executionFields = ['id', 'workflow_id', 'status'];

const contentOptions: readonly CommandOption[] = [
  { flags: '--without-credentials', about: 'exclude users, tokens and the values of secrets' },
  { flags: '--without-logs', about: 'exclude logs' },
  { flags: '--without-events', about: 'exclude events' },
];

/** Archives that the manager makes: both kinds have the same commands. */
function archiveCommands(group: 'snapshots' | 'log-bundles', name: string): CommandDefinition[] {
  const isSnapshot = group === 'snapshots';
  return [
    { kind: 'list', words: `${group} list`, about: `list ${name}s`, path: () => `/${group}`, fields },
    {
      kind: 'item',
      words: `${group} create`,
      about: `create a ${name}; follow it with: gantry executions follow ID`,
      takes: ['id'],
      options: isSnapshot ? contentOptions : [],
      fields: executionFields,
      run: sends((given) => ({
        method: 'PUT',
        path: `/${group}${at`/${valueOf(given, 'id')}`}`,
        body: isSnapshot
          ? {
              include_credentials: given.options['withoutCredentials'] !== true,
              include_logs: given.options['withoutLogs'] !== true,
              include_events: given.options['withoutEvents'] !== true,
            }
          : {},
      })),
    },
    {
      kind: 'action',
      words: `${group} download`,
      about: `download a ${name}`,
      example: isSnapshot
        ? 'gantry snapshots download before-upgrade before-upgrade.zip'
        : 'gantry log-bundles download monday monday.zip',
      takes: ['id', 'file'],
      run: async (client, given) => {
        const file = valueOf(given, 'file');
        await downloadFile(client.transport, `/${group}${at`/${valueOf(given, 'id')}/archive`}`, file, { mode: 0o600 });
        return { file };
      },
      done: (given) => `Written to ${valueOf(given, 'file')}`,
    },
    {
      kind: 'action',
      words: `${group} delete`,
      about: `delete a ${name}`,
      takes: ['id'],
      run: sends((given) => ({ method: 'DELETE', path: `/${group}${at`/${valueOf(given, 'id')}`}` })),
      done: (given) => `${valueOf(given, 'id')} deleted`,
    },
  ];
}

async function uploadSnapshot(client: GantryClient, given: Given): Promise<unknown> {
  const file = valueOf(given, 'file');
  const { size } = await stat(file);
  return client.transport.json('PUT', at`/snapshots/${valueOf(given, 'id')}/archive`, {
    stream: fileUpload(file, size),
  });
}

/** Commands for snapshots and log bundles. */
export const archiveTable: readonly CommandDefinition[] = [
  ...archiveCommands('snapshots', 'snapshot'),
  ...archiveCommands('log-bundles', 'log bundle'),
  {
    kind: 'item',
    words: 'snapshots status',
    about: 'show whether a snapshot is being made or restored',
    fields: ['status'],
    run: sends(() => ({ method: 'GET', path: '/snapshot-status' })),
  },
  {
    kind: 'action',
    words: 'snapshots upload',
    about: 'upload a snapshot, of this or another manager',
    example: 'gantry snapshots upload before-upgrade before-upgrade.zip',
    takes: ['id', 'file'],
    run: uploadSnapshot,
    done: (given) => `Snapshot ${valueOf(given, 'id')} uploaded`,
  },
  {
    kind: 'item',
    words: 'snapshots restore',
    about: 'replace all data of the manager by a snapshot',
    takes: ['id'],
    options: [{ flags: '--force', about: 'even if the manager is not empty' }],
    fields: executionFields,
    run: (client, given) =>
      client.transport.json<ExecutionShape>('POST', at`/snapshots/${valueOf(given, 'id')}/restore`, {
        body: { force: given.options['force'] === true },
      }),
  },
];
