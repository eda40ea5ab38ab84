import { Client, InvalidCredentialsError } from 'ldapts';
import type { Entry } from 'ldapts';
import { coerceError, GantryError } from '../domain/errors.ts';
import type { ExternalUser } from './external-user.ts';
import { domainName, escapeFilterValue, escapeNameValue, fillFormat } from './ldap-formats.ts';

/** How users are found in a directory; texts are those that administrators set. */
export interface LdapSettings {
  /** `ldap://host:port` or `ldaps://host:port`. */
  readonly server: string;
  /** Domain such as `example.com`; may be empty. */
  readonly domain: string;
  readonly isActiveDirectory: boolean;
  /** Between the name of a user and that of the domain, e.g. `ou=people`. */
  readonly extraName: string;
  /** Account that searches; without one, users search by themselves. */
  readonly account: { readonly name: string; readonly password: string } | undefined;
  readonly baseName: string | undefined;
  readonly groupName: string | undefined;
  readonly bindFormat: string | undefined;
  readonly userFilter: string | undefined;
  readonly groupMemberFilter: string | undefined;
  readonly attributes: {
    readonly email: string | undefined;
    readonly firstName: string | undefined;
    readonly lastName: string | undefined;
    readonly username: string | undefined;
    readonly groups: string | undefined;
  };
  /** How many times groups of groups are looked for. */
  readonly nestedLevels: number;
  readonly timeoutSeconds: number;
  /** Certificate authority, PEM; for ldaps. */
  readonly ca: string | undefined;
}

/** Groups that are looked for at most, whatever the directory answers. */
const mostGroups = 1000;

interface Names {
  readonly base: string;
  readonly values: Readonly<Record<string, string>>;
}

function namesOf(settings: LdapSettings): Names {
  const domain_dn = domainName(settings.domain);
  const base = settings.baseName ?? [settings.extraName, domain_dn].filter((part) => part !== '').join(',');
  const values = { domain: settings.domain, domain_dn, base_dn: base };
  // names are put into names as they are: they are made of names, not of values
  const group_dn = fillFormat(settings.groupName ?? '{base_dn}', values, (value) => value);
  return { base, values: { ...values, group_dn } };
}

function bindName(settings: LdapSettings, names: Names, username: string): string {
  const format =
    settings.bindFormat ?? (settings.isActiveDirectory ? '{username}@{domain}' : 'uid={username},{base_dn}');
  const isName = format.includes('=');
  const escaped = isName ? escapeNameValue(username) : username;
  return fillFormat(format, { ...names.values, username: escaped }, (value) => value);
}

function texts(value: Entry[string] | undefined): string[] {
  return [value ?? []].flat().map((item) => (typeof item === 'string' ? item : item.toString('utf8')));
}

/** One question to a directory server. */
class Directory {
  readonly #settings: LdapSettings;
  readonly #names: Names;
  readonly #client: Client;

  constructor(settings: LdapSettings) {
    const timeout = settings.timeoutSeconds * 1000;
    this.#settings = settings;
    this.#names = namesOf(settings);
    this.#client = new Client({
      url: settings.server,
      timeout,
      connectTimeout: timeout,
      strictDN: false,
      ...(settings.ca === undefined ? {} : { tlsOptions: { ca: settings.ca } }),
    });
  }

  close(): Promise<void> {
    return this.#client.unbind().catch(() => undefined);
  }

  /** @returns whether the directory takes the password */
  async bind(name: string, password: string): Promise<boolean> {
    // a server takes no password at all for a wish to be nobody, and agrees
    if (password === '') {
      return false;
    }
    try {
      await this.#client.bind(name, password);
      return true;
    } catch (error) {
      if (error instanceof InvalidCredentialsError) {
        return false;
      }
      throw error;
    }
  }

  async login(username: string, password: string): Promise<ExternalUser | undefined> {
    const { account } = this.#settings;
    if (!account) {
      const isRight = await this.bind(bindName(this.#settings, this.#names, username), password);
      const entry = isRight ? await this.#findUser(username) : undefined;
      return entry && this.#describe(entry, username);
    }
    if (!(await this.bind(bindName(this.#settings, this.#names, account.name), account.password))) {
      throw new Error(`The account ${account.name} that searches the directory is refused`);
    }
    const entry = await this.#findUser(username);
    if (!entry) {
      return undefined;
    }
    const user = await this.#describe(entry, username);
    return (await this.bind(entry.dn, password)) ? user : undefined;
  }

  async #findUser(username: string): Promise<Entry | undefined> {
    const format = this.#settings.userFilter ?? `(${this.#usernameAttribute()}={username})`;
    const filter = fillFormat(format, { ...this.#names.values, username }, escapeFilterValue);
    const { searchEntries } = await this.#client.search(this.#names.base, { scope: 'sub', filter, sizeLimit: 2 });
    if (searchEntries.length > 1) {
      throw new Error(`The directory has more than one user ${username}; make ldap_user_filter narrower`);
    }
    return searchEntries[0];
  }

  #usernameAttribute(): string {
    return this.#settings.attributes.username ?? (this.#settings.isActiveDirectory ? 'sAMAccountName' : 'uid');
  }

  async #describe(entry: Entry, username: string): Promise<ExternalUser> {
    const { attributes } = this.#settings;
    const first = (name: string): string | undefined => texts(entry[name])[0];
    return {
      username: first(this.#usernameAttribute()) ?? username,
      email: first(attributes.email ?? 'mail'),
      firstName: first(attributes.firstName ?? 'givenName'),
      lastName: first(attributes.lastName ?? 'sn'),
      groups: await this.#groupsOf(entry),
    };
  }

  async #groupsOf(entry: Entry): Promise<string[]> {
    const found = new Set<string>();
    let members = [entry.dn];
    const listed = texts(entry[this.#settings.attributes.groups ?? 'memberOf']);
    for (let level = 0; level < this.#settings.nestedLevels && members.length > 0; level += 1) {
      const groups = level === 0 ? [...listed] : [];
      for (const member of members) {
        groups.push(...(await this.#groupsWith(member)));
      }
      members = [...new Set(groups.map((name) => name.toLowerCase()))].filter((name) => !found.has(name));
      members.forEach((name) => found.add(name));
      if (found.size > mostGroups) {
        throw new Error(`The directory names more than ${mostGroups} groups of ${entry.dn}`);
      }
    }
    return [...found];
  }

  async #groupsWith(member: string): Promise<string[]> {
    const format = this.#settings.groupMemberFilter ?? '(|(member={object_dn})(uniqueMember={object_dn}))';
    const filter = fillFormat(format, { object_dn: member }, escapeFilterValue);
    const base = this.#names.values['group_dn'] ?? this.#names.base;
    const { searchEntries } = await this.#client.search(base, { scope: 'sub', filter, attributes: ['dn'] });
    return searchEntries.map(({ dn }) => dn);
  }
}

async function askDirectory<Result>(
  settings: LdapSettings,
  question: (directory: Directory) => Promise<Result>,
): Promise<Result> {
  const directory = new Directory(settings);
  try {
    return await question(directory);
  } catch (error) {
    throw new GantryError(
      'manager_unavailable',
      `The LDAP server ${settings.server} did not answer as expected: ${coerceError(error).message}`,
      { cause: error },
    );
  } finally {
    await directory.close();
  }
}

/**
 * Asks the directory who has a name and password.
 * @returns undefined when nobody has
 * @throws GantryError manager_unavailable when the server cannot be asked
 */
export function loginToDirectory(
  settings: LdapSettings,
  username: string,
  password: string,
): Promise<ExternalUser | undefined> {
  return askDirectory(settings, (directory) => directory.login(username, password));
}

/** Whether the directory takes the account that searches. @throws GantryError manager_unavailable */
export async function isDirectoryAccountRight(settings: LdapSettings): Promise<boolean> {
  const { account } = settings;
  return account === undefined
    ? true
    : askDirectory(settings, (directory) =>
        directory.bind(bindName(settings, namesOf(settings), account.name), account.password),
      );
}
