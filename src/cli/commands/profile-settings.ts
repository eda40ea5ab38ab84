import { readFile, writeFile } from 'node:fs/promises';
import { Argument } from 'commander';
import type { Command } from '../command-tree.ts';
import { UsageError } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { normaliseUrl, unknownProfile } from '../profiles.ts';
import type { Profile, ProfileBook } from '../profiles.ts';

/** Settings of a profile that can be taken out of it -> its members. */
const settings = { username: 'username', password: 'password', token: 'token', ca: 'caFile' } as const;

/** The stored profile that is meant. @throws UsageError when there is none */
async function chosenProfile(invocation: Invocation): Promise<{ name: string; profile: Profile; book: ProfileBook }> {
  const book = await invocation.profiles.load();
  const name = invocation.options.profile ?? book.active;
  if (name === undefined) {
    throw new UsageError('No profile is in use', 'Make one with: gantry profiles use URL --username NAME');
  }
  const profile = book.profiles[name];
  if (!profile) {
    throw unknownProfile(name, book);
  }
  return { name, profile, book };
}

/** Stores a changed profile after asking its manager, unless that was not wanted. */
async function store(invocation: Invocation, name: string, profile: Profile, isChecked: boolean): Promise<void> {
  if (isChecked) {
    const client = await invocation.clientOf(profile);
    await client.version().finally(() => client.close());
  }
  await invocation.profiles.put(name, profile, 'if-none');
}

function addSet(profiles: Command, setting: CommandSetting): void {
  profiles
    .command('set')
    .option('--no-check', 'store it without asking the manager')
    .description('change the profile in use: give --url, --tenant, --username, --password-file, --token or --ca')
    .example('gantry profiles set --tenant test', 'gantry profiles set --profile staging --token Xc4kQ9...')
    .action(
      command(setting, async (invocation, options: { check: boolean }) => {
        const { name, profile } = await chosenProfile(invocation);
        const { url, tenant, username, token, ca } = invocation.options;
        const password = await invocation.givenPassword();
        const change: Partial<Profile> = {
          ...(url === undefined ? {} : { url: normaliseUrl(url) }),
          ...(tenant === undefined ? {} : { tenant }),
          ...(username === undefined ? {} : { username }),
          ...(password === undefined ? {} : { password }),
          ...(token === undefined ? {} : { token }),
          ...(ca === undefined ? {} : { caFile: ca }),
        };
        if (Object.keys(change).length === 0) {
          throw new UsageError('Say what to change', 'Example: gantry profiles set --tenant test');
        }
        await store(invocation, name, { ...profile, ...change }, options.check);
        invocation.output.done(`Profile ${name} changed`, { name, changed: Object.keys(change) });
      }),
    );
}

function addUnset(profiles: Command, setting: CommandSetting): void {
  profiles
    .command('unset')
    .addArgument(new Argument('<settings...>', 'what to forget').choices(['tenant', ...Object.keys(settings)]))
    .description('forget settings of the profile in use; without a tenant it is default_tenant')
    .example('gantry profiles unset token')
    .action(
      command(setting, async (invocation, _options, names: readonly (keyof typeof settings | 'tenant')[]) => {
        const { name, profile } = await chosenProfile(invocation);
        const gone = new Set<string>(names.map((each) => (each === 'tenant' ? each : settings[each])));
        const kept = Object.fromEntries(Object.entries(profile).filter(([member]) => !gone.has(member)));
        await store(invocation, name, { tenant: 'default_tenant', ...kept } as Profile, false);
        invocation.output.done(`Profile ${name} has no ${names.join(', ')}`, { name, unset: names });
      }),
    );
}

const secretMembers = new Set(['password', 'token']);

function addExchange(profiles: Command, setting: CommandSetting): void {
  profiles
    .command('export')
    .requiredOption('-o, --output <file>', 'file to write')
    .option('--with-credentials', 'passwords and tokens, too, readable for whoever has the file')
    .description('write all profiles to a file')
    .example('gantry profiles export -o profiles.json')
    .action(
      command(setting, async (invocation, options: { output: string; withCredentials?: boolean }) => {
        const book = await invocation.profiles.load();
        const isShown = ([member]: [string, unknown]): boolean =>
          options.withCredentials === true || !secretMembers.has(member);
        const shown = Object.entries(book.profiles).map(([name, profile]) => [
          name,
          Object.fromEntries(Object.entries(profile).filter(isShown)),
        ]);
        const text = JSON.stringify({ profiles: Object.fromEntries(shown) as unknown }, undefined, 2);
        await writeFile(options.output, `${text}\n`, { mode: 0o600 });
        invocation.output.done(`Profiles written to ${options.output}`, { file: options.output, count: shown.length });
      }),
    );
  profiles
    .command('import')
    .argument('<file>', 'file that export wrote')
    .option('--override', 'replace existing profiles')
    .description('add the profiles of a file')
    .example('gantry profiles import profiles.json')
    .action(
      command(setting, async (invocation, options: { override?: boolean }, file: string) => {
        const added = await readProfiles(file);
        const book = await invocation.profiles.load();
        const taken = Object.keys(added).filter((name) => name in book.profiles);
        if (taken.length > 0 && options.override !== true) {
          throw new UsageError(
            `There are profiles of these names: ${taken.join(', ')}`,
            'Replace them with --override',
          );
        }
        await invocation.profiles.save({ ...book, profiles: { ...book.profiles, ...added } });
        const names = Object.keys(added);
        invocation.output.done(`Profiles added: ${names.join(', ')}`, { added: names });
      }),
    );
}

/** @throws UsageError when the file has no profiles */
async function readProfiles(file: string): Promise<Record<string, Profile>> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  const refusal = new UsageError(`${file} holds no profiles`, 'Write such a file with: gantry profiles export -o FILE');
  let content: { profiles?: Record<string, Partial<Profile>> };
  try {
    content = JSON.parse(text) as typeof content;
  } catch {
    throw refusal;
  }
  const found = Object.entries(content.profiles ?? {});
  if (found.length === 0 || found.some(([, { url }]) => typeof url !== 'string')) {
    throw refusal;
  }
  return Object.fromEntries(
    found.map(([name, profile]) => [
      name,
      { ...profile, url: normaliseUrl(profile.url ?? ''), tenant: profile.tenant ?? 'default_tenant' },
    ]),
  );
}

/** `set`, `unset`, `export` and `import` of `gantry profiles`. */
export function addProfileSettings(profiles: Command, setting: CommandSetting): void {
  addSet(profiles, setting);
  addUnset(profiles, setting);
  addExchange(profiles, setting);
}
