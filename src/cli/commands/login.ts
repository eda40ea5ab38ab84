import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { GantryClient } from '../../client/client.ts';
import { awaitBrowser } from '../browser-login.ts';
import type { Command } from '../command-tree.ts';
import { FailedOutcome, UsageError } from '../errors.ts';
import { command } from '../invocation.ts';
import type { CommandSetting, Invocation } from '../invocation.ts';
import { normaliseUrl } from '../profiles.ts';
import type { Profile } from '../profiles.ts';

interface LoginOptions {
  name?: string;
  device?: boolean;
  browser: boolean;
  expiration?: string;
}

interface Target {
  /** Of the profile that gets the token. */
  readonly name: string;
  readonly profile: Profile;
}

/** The profile that is meant: a stored one, one for a new address, or the one in use. @throws UsageError */
async function targetOf(invocation: Invocation, given: string | undefined, name: string | undefined): Promise<Target> {
  const { profiles, options } = invocation;
  const book = await profiles.load();
  const stored = given ?? options.profile ?? (options.url === undefined ? book.active : undefined);
  const known = stored === undefined ? undefined : book.profiles[stored];
  if (stored !== undefined && known) {
    return { name: name ?? stored, profile: { ...known, ...(options.ca === undefined ? {} : { caFile: options.ca }) } };
  }
  const address = given ?? options.url;
  if (address === undefined || !/[.:]|^localhost$/.test(address)) {
    throw new UsageError(
      address === undefined ? 'No manager chosen' : `There is no profile ${address}, and it is not an address`,
      'Log in to one with: gantry profiles login https://manager.example.com',
    );
  }
  const url = normaliseUrl(address);
  const tenant = options.tenant ?? 'default_tenant';
  const caFile = options.ca === undefined ? {} : { caFile: options.ca };
  return { name: name ?? new URL(url).host, profile: { url, tenant, ...caFile } };
}

/** Tells the person what to do, also one who wants to read results only: nothing goes on without it. */
function ask({ terminal }: Invocation, text: string): void {
  terminal.stderr.write(`${text}\n`);
}

/** Leads the person's browser to the provider and back. @returns the code that makes a token */
async function logInHere(
  invocation: Invocation,
  loginUrl: string,
  challenge: string,
  isOpened: boolean,
): Promise<string> {
  const { signal, terminal } = invocation;
  const back = await awaitBrowser(signal);
  try {
    const url = new URL(loginUrl);
    url.searchParams.set('challenge', challenge);
    url.searchParams.set('return_to', back.url);
    ask(invocation, `Log in with a browser on this machine: ${url.href}`);
    if (isOpened && terminal.isInteractive) {
      terminal.openBrowser(url.href);
    }
    return await back.code;
  } finally {
    back.close();
  }
}

/** Shows what to do on another device, and waits until that is done. @returns the code that makes a token */
async function logInElsewhere(invocation: Invocation, client: GantryClient, challenge: string): Promise<string> {
  const begun = await client.logins.beginDevice(challenge);
  ask(invocation, `Open ${begun.verification_uri} on any device and enter the code ${begun.user_code}`);
  if (begun.verification_uri_complete !== null) {
    ask(invocation, `Or open ${begun.verification_uri_complete}`);
  }
  const ends = Date.now() + begun.expires_in * 1000;
  while (Date.now() < ends) {
    const code = await client.logins.awaitDevice(begun.device, invocation.signal);
    if (code !== undefined) {
      return code;
    }
  }
  throw new FailedOutcome('Nobody has logged in in time', 'Try again: gantry profiles login --device');
}

async function logIn(invocation: Invocation, options: LoginOptions, given: string | undefined): Promise<void> {
  const { name, profile } = await targetOf(invocation, given, options.name);
  const { username: _username, password: _password, token: _token, ...place } = profile;
  const client = await invocation.clientOf(place);
  try {
    const { enabled, login_url: loginUrl } = await client.logins.state();
    if (!enabled || loginUrl === null) {
      throw new FailedOutcome(
        `${place.url} does not let anybody log in by an identity provider this way`,
        `Log in with a password: gantry profiles use ${place.url} --username NAME`,
      );
    }
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const code =
      options.device === true
        ? await logInElsewhere(invocation, client, challenge)
        : await logInHere(invocation, loginUrl, challenge, options.browser);
    const { expiration } = options;
    const description = `gantry on ${hostname()}`;
    const token = await client.logins.exchange(
      { code, verifier },
      { description, ...(expiration === undefined ? {} : { expiration }) },
    );
    await invocation.profiles.put(name, { ...place, username: token.username, token: token.value }, 'always');
    const until = token.expiration_date === null ? '' : ` until ${token.expiration_date}`;
    invocation.output.done(`Logged in at ${place.url} as ${token.username}${until}; using profile ${name}`, {
      active: name,
      url: place.url,
      username: token.username,
      expires: token.expiration_date,
    });
  } finally {
    client.close();
  }
}

/** `gantry profiles login`: log in by the identity provider of a manager. */
export function addLoginCommand(profiles: Command, setting: CommandSetting): void {
  profiles
    .command('login')
    .argument('[name-or-url]', 'a stored profile, or the address of a manager; default: the profile in use')
    .option('--name <name>', 'name of a new profile; default: the host')
    .option('--device', 'log in on another device, when there is no browser on this machine')
    .option('--no-browser', 'only say where to log in, open no browser')
    .option('--expiration <when>', 'how long the login is good, e.g. +8h; default +10h')
    .description('log in by the identity provider (OpenID Connect), and keep the token in the profile')
    .example('gantry profiles login https://manager.example.com --ca ca.pem', 'gantry profiles login --device')
    .action(
      command(setting, (invocation, options: LoginOptions, given: string | undefined) =>
        logIn(invocation, options, given),
      ),
    );
}
