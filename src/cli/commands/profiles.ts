import type { Command } from '../command-tree.ts';
import { UsageError } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting } from '../invocation.ts';
import { normaliseUrl } from '../profiles.ts';
import type { Profile } from '../profiles.ts';
import { addLoginCommand } from './login.ts';
import { addProfileSettings } from './profile-settings.ts';

interface UseOptions {
  name?: string;
  check: boolean;
}

function withoutSecrets(name: string, profile: Profile, isActive: boolean): Record<string, unknown> {
  return {
    name,
    active: isActive,
    url: profile.url,
    tenant: profile.tenant,
    username: profile.username ?? null,
    authentication: profile.token !== undefined ? 'token' : profile.username !== undefined ? 'password' : 'none',
    ca_file: profile.caFile ?? null,
  };
}

/** `gantry profiles ...`: which manager commands speak to. */
export function addProfileCommands(program: Command, setting: CommandSetting): void {
  const profiles = program.command('profiles').description('choose the manager that commands connect to');

  profiles
    .command('use')
    .argument('<name-or-url>', 'a stored profile, or the address of a manager')
    .option('--name <name>', 'name of a new profile; default: the host')
    .option('--no-check', 'store it without asking the manager')
    .description('store a profile of a manager and use it')
    .example(
      'gantry profiles use https://manager.example.com --username admin --password-file pw --ca ca.pem',
      'gantry profiles use local',
    )
    .action(
      command(setting, async (invocation, options: UseOptions, target: string) => {
        const book = await invocation.profiles.load();
        if (target in book.profiles) {
          await invocation.profiles.activate(target);
          invocation.output.done(`Using profile ${target}`, { active: target });
          return;
        }
        if (!/[.:]|^localhost$/.test(target)) {
          const known = Object.keys(book.profiles).join(', ') || 'none';
          throw new UsageError(
            `There is no profile ${target} (known: ${known}), and it is not an address`,
            'An address is a host or a URL, e.g. https://manager.example.com',
          );
        }
        const url = normaliseUrl(target);
        const given = invocation.options;
        const username = given.username ?? (given.token === undefined ? 'admin' : undefined);
        let password = await invocation.givenPassword();
        if (given.token === undefined && password === undefined) {
          password = await setting.terminal.askSecret(`Password of ${username}: `);
        }
        const profile: Profile = {
          url,
          tenant: given.tenant ?? 'default_tenant',
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password }),
          ...(given.token === undefined ? {} : { token: given.token }),
          ...(given.ca === undefined ? {} : { caFile: given.ca }),
        };
        if (options.check) {
          const client = await invocation.clientOf(profile);
          await client.version().finally(() => client.close());
        }
        const name = options.name ?? new URL(url).host;
        await invocation.profiles.put(name, profile, 'always');
        invocation.output.done(`Using profile ${name} (${url})`, withoutSecrets(name, profile, true));
      }),
    );

  addLoginCommand(profiles, setting);

  profiles
    .command('list')
    .description('list stored profiles')
    .action(
      command(setting, async (invocation) => {
        const book = await invocation.profiles.load();
        const rows = Object.entries(book.profiles).map(([name, profile]) =>
          withoutSecrets(name, profile, name === book.active),
        );
        invocation.output.list(
          rows,
          ['active', 'name', 'url', 'username', 'tenant', 'authentication'].map((field) => ({
            title: field,
            value: (row) => (field === 'active' ? (row['active'] === true ? '*' : '') : row[field]),
          })),
        );
      }),
    );

  profiles
    .command('show')
    .argument('[name]', 'default: the active one')
    .description('show a profile without its secrets')
    .example('gantry profiles show')
    .action(
      command(setting, async (invocation, _options, name: string | undefined) => {
        const book = await invocation.profiles.load();
        const chosen = name ?? book.active;
        const profile = chosen === undefined ? undefined : book.profiles[chosen];
        if (chosen === undefined || profile === undefined) {
          throw new UsageError('There is no such profile', 'See: gantry profiles list');
        }
        const shown = withoutSecrets(chosen, profile, chosen === book.active);
        invocation.output.item(
          shown,
          Object.keys(shown).map((field) => ({ title: field, value: (row) => row[field] })),
        );
      }),
    );

  profiles
    .command('delete')
    .argument('<name>')
    .description('forget a profile')
    .example('gantry profiles delete local')
    .action(
      command(setting, async (invocation, _options, name: string) => {
        await invocation.profiles.remove(name);
        invocation.output.done(`Profile ${name} deleted`, { deleted: name });
      }),
    );
  addProfileSettings(profiles, setting);
}
