import { readFile } from 'node:fs/promises';
import type { Command } from '../command-tree.ts';
import type { TenantShape, TokenShape, UserShape } from '../../client/types.ts';
import { UsageError } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { listOptions, wholeNumber, withListOptions } from './listing.ts';
import type { ListCommandOptions } from './listing.ts';
import { shortTime } from '../output.ts';
import type { Column } from '../output.ts';

const tokenColumns: readonly Column<TokenShape>[] = [
  { title: 'id', value: (item) => item.id },
  { title: 'user', value: (item) => item.username },
  { title: 'value', value: (item) => item.value },
  { title: 'expires', value: (item) => shortTime(item.expiration_date) || 'never' },
  { title: 'last used', value: (item) => shortTime(item.last_used) },
  { title: 'description', value: (item) => item.description },
];

const tenantColumns: readonly Column<TenantShape>[] = [
  { title: 'name', value: (item) => item.name },
  { title: 'users', value: (item) => item.users },
  { title: 'groups', value: (item) => item.groups },
];

const userColumns: readonly Column<UserShape>[] = [
  { title: 'user', value: (item) => item.username },
  { title: 'role', value: (item) => item.role },
  { title: 'active', value: (item) => item.active },
  { title: 'locked', value: (item) => item.is_locked },
  { title: 'last login', value: (item) => shortTime(item.last_login_at) },
  { title: 'tenants', value: (item) => item.tenants },
];

function addTokenCommands(program: Command, setting: CommandSetting): void {
  const tokens = program.command('tokens').alias('token').description('create and revoke tokens for programs');
  tokens
    .command('create')
    .option('--description <text>', 'what it is for')
    .option('--expiration <when>', 'e.g. +10h, +30days or "2030-01-31 12:00" (UTC)')
    .description('create a token; its value is shown only once')
    .example('gantry tokens create --description ci --expiration +30days')
    .action(
      command(setting, async (invocation, options: { description?: string; expiration?: string }) => {
        const client = await invocation.client();
        invocation.output.item(await client.tokens.create(options), tokenColumns);
      }),
    );
  withListOptions(tokens.command('list'), {
    path: '/tokens',
    things: 'tokens',
    isSortable: false,
    isSearchable: false,
    hasAllTenants: false,
  })
    .description('list tokens')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.tokens.list(listOptions(options));
        invocation.output.list(page.items, tokenColumns, page.metadata.pagination.total);
      }),
    );
  tokens
    .command('delete')
    .argument('<id>')
    .description('revoke a token')
    .action(
      command(setting, async (invocation, _options, id: string) => {
        const client = await invocation.client();
        await client.tokens.delete(id);
        invocation.output.done(`Token ${id} revoked`, { deleted: id });
      }),
    );
}

interface QuotaOptions {
  deployments?: number | null;
  executions?: number | null;
  storage?: number | null;
}

/** A limit: a whole number, or `none`. */
function limitOf(text: string): number | null {
  return text === 'none' ? null : wholeNumber(text);
}

function addQuotaCommand(tenants: Command, setting: CommandSetting): void {
  tenants
    .command('quota')
    .argument('<name>')
    .option('--deployments <n>', 'maximum number of deployments, or none for no limit', limitOf)
    .option('--executions <n>', 'maximum number of executions at once, or none', limitOf)
    .option('--storage <bytes>', 'maximum bytes on the file server, or none', limitOf)
    .description('show the usage and limits of a tenant, or set limits')
    .example('gantry tenants quota test --deployments 50 --storage 10000000000')
    .action(
      command(setting, async (invocation, options: QuotaOptions, name: string) => {
        const client = await invocation.client();
        const { deployments, executions, storage } = options;
        const limits = {
          ...(deployments === undefined ? {} : { deployments }),
          ...(executions === undefined ? {} : { executions }),
          ...(storage === undefined ? {} : { storage_bytes: storage }),
        };
        const quota =
          Object.keys(limits).length > 0
            ? await client.tenants.setQuota(name, limits)
            : await client.tenants.quota(name);
        if (invocation.output.format !== 'table') {
          invocation.output.data(quota);
          return;
        }
        invocation.output.list(['deployments', 'executions', 'storage_bytes'] as const, [
          { title: 'quota', value: (what) => what },
          { title: 'limit', value: (what) => quota.limits[what] ?? 'none' },
          { title: 'used', value: (what) => quota.used[what] },
        ]);
      }),
    );
}

function addTenantCommands(program: Command, setting: CommandSetting): void {
  const tenants = program.command('tenants').alias('tenant').description('manage tenants');
  withListOptions(tenants.command('list'), {
    path: '/tenants',
    things: 'tenants',
    isSortable: false,
    isSearchable: true,
    hasAllTenants: false,
  })
    .description('list the tenants you may see')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.tenants.list(listOptions(options));
        invocation.output.list(page.items, tenantColumns, page.metadata.pagination.total);
      }),
    );
  tenants
    .command('create')
    .argument('<name>')
    .description('create a tenant')
    .action(
      command(setting, async (invocation, _options, name: string) => {
        const client = await invocation.client();
        invocation.output.done(`Tenant ${name} created`, await client.tenants.create(name));
      }),
    );
  tenants
    .command('delete')
    .argument('<name>')
    .description('delete an empty tenant')
    .action(
      command(setting, async (invocation, _options, name: string) => {
        const client = await invocation.client();
        await client.tenants.delete(name);
        invocation.output.done(`Tenant ${name} deleted`, { deleted: name });
      }),
    );
  addQuotaCommand(tenants, setting);
  tenants
    .command('add-user')
    .argument('<tenant>')
    .argument('<user>')
    .option('-r, --role <role>', 'manager, user, operations or viewer', 'user')
    .description('give a user a role in a tenant')
    .action(
      command(setting, async (invocation, options: { role: string }, tenant: string, user: string) => {
        const client = await invocation.client();
        const changed = await client.tenants.addUser(tenant, user, options.role);
        invocation.output.done(`${user} is now ${options.role} in ${tenant}`, changed);
      }),
    );
  tenants
    .command('remove-user')
    .argument('<tenant>')
    .argument('<user>')
    .description('remove a user from a tenant')
    .action(
      command(setting, async (invocation, _options, tenant: string, user: string) => {
        const client = await invocation.client();
        await client.tenants.removeUser(tenant, user);
        invocation.output.done(`${user} removed from ${tenant}`, { tenant, removed: user });
      }),
    );
}

async function newPassword(setting: CommandSetting, file: string | undefined): Promise<string> {
  if (file !== undefined) {
    return (await readFile(file, 'utf8')).trimEnd();
  }
  const password = await setting.terminal.askSecret('New password: ');
  if (password === '') {
    throw new UsageError('No password given', 'Give it in a file with --new-password-file FILE.');
  }
  return password;
}

function addUserCommands(program: Command, setting: CommandSetting): void {
  const users = program.command('users').alias('user').description('manage users');
  withListOptions(users.command('list'), {
    path: '/users',
    things: 'users',
    isSortable: false,
    isSearchable: true,
    hasAllTenants: false,
  })
    .description('list users')
    .action(
      command(setting, async (invocation, options: ListCommandOptions) => {
        const client = await invocation.client();
        const page = await client.users.list(listOptions(options));
        invocation.output.list(page.items, userColumns, page.metadata.pagination.total);
      }),
    );
  users
    .command('get')
    .argument('[name]', 'default: yourself')
    .description('show a user')
    .action(
      command(setting, async (invocation, _options, name: string | undefined) => {
        const client = await invocation.client();
        const user = name === undefined ? await client.users.self() : await client.users.get(name);
        invocation.output.item(user, userColumns);
      }),
    );
  users
    .command('create')
    .argument('<name>')
    .option('-r, --role <role>', 'system role: default or sys_admin', 'default')
    .option('--new-password-file <file>', 'file with the password; asked for when absent')
    .description('create a user')
    .action(
      command(setting, async (invocation, options: { role: string; newPasswordFile?: string }, name: string) => {
        const client = await invocation.client();
        const password = await newPassword(setting, options.newPasswordFile);
        invocation.output.done(`User ${name} created`, await client.users.create(name, password, options.role));
      }),
    );
  users
    .command('set-password')
    .argument('<name>')
    .option('--new-password-file <file>', 'file with the password; asked for when absent')
    .description('change a password')
    .action(
      command(setting, async (invocation, options: { newPasswordFile?: string }, name: string) => {
        const client = await invocation.client();
        const password = await newPassword(setting, options.newPasswordFile);
        invocation.output.done(`Password of ${name} changed`, await client.users.setPassword(name, password));
      }),
    );
  addUserStates(users, setting);
}

function addUserStates(users: Command, setting: CommandSetting): void {
  const changes: [string, string, (invocation: Invocation, name: string) => Promise<unknown>][] = [
    ['activate', 'let a user log in again', async (run, name) => (await run.client()).users.setActive(name, true)],
    [
      'deactivate',
      'keep a user from logging in',
      async (run, name) => (await run.client()).users.setActive(name, false),
    ],
    ['unlock', 'unlock a user after failed logins', async (run, name) => (await run.client()).users.unlock(name)],
    ['delete', 'delete a user', async (run, name) => (await run.client()).users.delete(name)],
  ];
  for (const [name, description, change] of changes) {
    users
      .command(name)
      .argument('<name>')
      .description(description)
      .action(
        command(setting, async (invocation, _options, user: string) => {
          const changed = await change(invocation, user);
          invocation.output.done(`User ${user}: ${name} done`, changed ?? { [name]: user });
        }),
      );
  }
}

/** `gantry tokens ...`, `gantry tenants ...`, `gantry users ...` */
export function addAdministrationCommands(program: Command, setting: CommandSetting): void {
  addTokenCommands(program, setting);
  addTenantCommands(program, setting);
  addUserCommands(program, setting);
}
