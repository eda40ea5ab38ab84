import type { Clock } from '../domain/clock.ts';
import type { User } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json } from '../domain/plan.ts';
import { isDirectoryAccountRight, loginToDirectory } from '../security/ldap.ts';
import type { LdapSettings } from '../security/ldap.ts';
import { checkFormat, formatSubstitutions } from '../security/ldap-formats.ts';
import type { FormatName } from '../security/ldap-formats.ts';
import type { SecretBox } from '../security/secret-box.ts';
import { findCertificate, putCertificate } from '../store/cluster.ts';
import type { Database } from '../store/database.ts';
import { readSecretSetting, readSettings, setSecretSetting, setSetting } from '../store/settings.ts';
import type { Caller } from './caller.ts';
import { actorOf } from './dependencies.ts';
import { enterExternalUser } from './external-users.ts';

/** Settings by their names, `ldap_server` and so on; null clears one. */
export type DirectorySettings = Readonly<Record<string, Json>>;

/** Users who are kept in an LDAP directory. */
export interface DirectoryService {
  /** Whether users log in by the directory instead of passwords kept here. */
  isEnabled(): Promise<boolean>;
  /**
   * Asks the directory, and brings what is known here of the user up to date.
   * @returns undefined when the directory has no user with that name and password
   * @throws GantryError manager_unavailable when the directory cannot be asked
   */
  login(username: string, password: string): Promise<User | undefined>;
  /**
   * Tries new settings and stores them.
   * @throws GantryError bad_parameters_error when they do not fit together or the directory refuses them
   */
  configure(caller: Caller, settings: DirectorySettings, certificate: string | undefined): Promise<void>;
}

export interface DirectoryServiceDependencies {
  readonly database: Database;
  readonly clock: Clock;
  readonly box: SecretBox;
}

const scope = 'rest';
const certificateName = 'ldap-ca';
const passwordName = 'ldap_password';
const defaultTimeoutSeconds = 5;
/** Milliseconds for which the settings are taken to be as they were: every login asks for them. */
const settingsLifetime = 1000;

function text(settings: DirectorySettings, name: string): string | undefined {
  const value = settings[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(settings: DirectorySettings, name: string, fallback: number): number {
  const value = settings[name];
  return typeof value === 'number' && value > 0 ? value : fallback;
}

function refuse(message: string): never {
  throw new GantryError('bad_parameters_error', message);
}

/** Reads settings; undefined when there is no directory. */
function ldapSettings(settings: DirectorySettings, ca: string | undefined): LdapSettings | undefined {
  const server = text(settings, 'ldap_server');
  if (server === undefined) {
    return undefined;
  }
  const name = text(settings, 'ldap_username');
  const password = text(settings, 'ldap_password');
  return {
    server,
    domain: text(settings, 'ldap_domain') ?? '',
    isActiveDirectory: settings['ldap_is_active_directory'] === true,
    extraName: text(settings, 'ldap_dn_extra') ?? '',
    account: name !== undefined && password !== undefined ? { name, password } : undefined,
    baseName: text(settings, 'ldap_base_dn'),
    groupName: text(settings, 'ldap_group_dn'),
    bindFormat: text(settings, 'ldap_bind_format'),
    userFilter: text(settings, 'ldap_user_filter'),
    groupMemberFilter: text(settings, 'ldap_group_member_filter'),
    attributes: {
      email: text(settings, 'ldap_attribute_email'),
      firstName: text(settings, 'ldap_attribute_first_name'),
      lastName: text(settings, 'ldap_attribute_last_name'),
      username: text(settings, 'ldap_attribute_uid'),
      groups: text(settings, 'ldap_attribute_group_membership'),
    },
    nestedLevels: number(settings, 'ldap_nested_levels', 1),
    timeoutSeconds: number(settings, 'ldap_timeout', defaultTimeoutSeconds),
    ca: server.startsWith('ldaps:') ? ca : undefined,
  };
}

/** @throws GantryError bad_parameters_error naming what does not fit */
function checkSettings(settings: DirectorySettings, certificate: string | undefined): void {
  const server = text(settings, 'ldap_server') ?? '';
  const [, protocol] = /^(ldaps?):\/\/[^/?#\s]+$/.exec(server) ?? [];
  if (protocol === undefined) {
    refuse('ldap_server must be like ldap://host:port or ldaps://host:port');
  }
  if (protocol === 'ldaps' && certificate === undefined) {
    refuse('A CA certificate (ldap_ca_cert) must be given for ldaps');
  }
  if (protocol === 'ldap' && certificate !== undefined) {
    refuse('A CA certificate (ldap_ca_cert) is of use for ldaps only');
  }
  if ((text(settings, 'ldap_username') === undefined) !== (text(settings, 'ldap_password') === undefined)) {
    refuse('Give both ldap_username and ldap_password, or neither');
  }
  for (const name of Object.keys(formatSubstitutions) as FormatName[]) {
    const format = text(settings, name);
    if (format !== undefined) {
      checkFormat(name, format);
    }
  }
}

async function tryOut(settings: LdapSettings): Promise<void> {
  const isRight = await isDirectoryAccountRight(settings).catch((error: unknown) => {
    throw new GantryError(
      'bad_parameters_error',
      `Failed setting LDAP: Unable to connect to LDAP Server ${settings.server}`,
      { cause: error },
    );
  });
  if (!isRight) {
    refuse('Failed setting LDAP authenticator: Invalid parameters provided.');
  }
}

/** Makes the use cases of the directory. */
export function createDirectoryService({ database, clock, box }: DirectoryServiceDependencies): DirectoryService {
  let remembered: { settings: Promise<LdapSettings | undefined>; until: number } | undefined;

  const load = async (): Promise<LdapSettings | undefined> => {
    const plain = Object.fromEntries(await readSettings(database, scope));
    const secret = await readSecretSetting(database, scope, passwordName);
    const settings = secret === undefined ? plain : { ...plain, [passwordName]: box.decrypt(secret) };
    const ca = text(settings, 'ldap_server')?.startsWith('ldaps:')
      ? await findCertificate(database, certificateName)
      : undefined;
    return ldapSettings(settings, ca);
  };

  const current = (): Promise<LdapSettings | undefined> => {
    if (!remembered || remembered.until <= clock.now()) {
      const settings = load();
      remembered = { settings, until: clock.now() + settingsLifetime };
      settings.catch(() => (remembered = undefined));
    }
    return remembered.settings;
  };

  return {
    isEnabled: async () => (await current()) !== undefined,

    async login(username, password) {
      const settings = await current();
      const found = settings && (await loginToDirectory(settings, username, password));
      return found && enterExternalUser(database, found);
    },

    async configure(caller, settings, certificate) {
      checkSettings(settings, certificate);
      const wanted = ldapSettings(settings, certificate);
      if (wanted?.account) {
        await tryOut(wanted);
      }
      const password = text(settings, passwordName);
      const { [passwordName]: _password, ...plain } = settings;
      await database.transactionAs(actorOf(caller), async (transaction) => {
        for (const [name, value] of Object.entries(plain)) {
          await setSetting(transaction, { scope, name, value, updaterId: caller.user.id });
        }
        await setSecretSetting(transaction, {
          scope,
          name: passwordName,
          secret: password === undefined ? undefined : box.encrypt(password),
          updaterId: caller.user.id,
        });
        if (certificate !== undefined) {
          await putCertificate(transaction, certificateName, certificate, caller.user.id);
        }
      });
      remembered = undefined;
    },
  };
}
