import { readFile } from 'node:fs/promises';
import type { GantryClient } from '../../client/client.ts';
import { wholeNumber } from '../commands/listing.ts';
import { optionOf } from './definition.ts';
import type { CommandDefinition, Given } from './definition.ts';

/** Options of `ldap set` -> members of the request; the rest of their names is the same. */
const ldapTexts: readonly (readonly [flags: string, about: string, member: string])[] = [
  ['--bind-username <name>', 'account that the manager searches with', 'ldap_username'],
  ['--base-dn <dn>', 'where users and groups are', 'ldap_base_dn'],
  ['--dn-extra <dn>', 'what distinguished names of users have besides', 'ldap_dn_extra'],
  ['--group-dn <dn>', 'where groups are', 'ldap_group_dn'],
  ['--bind-format <format>', 'how names of users become distinguished names', 'ldap_bind_format'],
  ['--user-filter <filter>', 'how a user is found', 'ldap_user_filter'],
  ['--group-member-filter <filter>', 'how the groups of a user are found', 'ldap_group_member_filter'],
  ['--attribute-email <name>', 'attribute with the address', 'ldap_attribute_email'],
  ['--attribute-first-name <name>', 'attribute with the first name', 'ldap_attribute_first_name'],
  ['--attribute-last-name <name>', 'attribute with the last name', 'ldap_attribute_last_name'],
  ['--attribute-uid <name>', 'attribute with the name of the user', 'ldap_attribute_uid'],
  ['--attribute-group-membership <name>', 'attribute with the groups', 'ldap_attribute_group_membership'],
];

function camelCase(flags: string): string {
  return (flags.split(' ')[0] ?? '').slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

async function setDirectory(client: GantryClient, given: Given): Promise<unknown> {
  const passwordFile = optionOf(given, 'bindPasswordFile');
  const certificate = optionOf(given, 'directoryCa');
  const levels = optionOf(given, 'nestedLevels');
  const texts = ldapTexts.map(([flags, , member]) => [member, optionOf(given, camelCase(flags))]);
  return client.transport.json('POST', '/ldap', {
    body: {
      ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)),
      ldap_server: optionOf(given, 'server'),
      ldap_domain: optionOf(given, 'domain'),
      ldap_is_active_directory: given.options['activeDirectory'] === true,
      ...(levels === undefined ? {} : { ldap_nested_levels: wholeNumber(levels) }),
      ...(passwordFile === undefined ? {} : { ldap_password: (await readFile(passwordFile, 'utf8')).trimEnd() }),
      ...(certificate === undefined ? {} : { ldap_ca_cert: await readFile(certificate, 'utf8') }),
    },
  });
}

/** Commands about where users come from. */
export const directoryTable: readonly CommandDefinition[] = [
  {
    kind: 'item',
    words: 'ldap status',
    about: 'show whether users log in by a directory',
    fields: ['state'],
    run: async (client) => ({ state: await client.transport.json('GET', '/ldap') }),
  },
  {
    kind: 'action',
    words: 'ldap set',
    about: 'configure logins by an LDAP directory',
    options: [
      { flags: '--server <url>', about: 'ldap:// or ldaps:// address', isRequired: true },
      { flags: '--domain <name>', about: 'domain of the users', isRequired: true },
      { flags: '--active-directory', about: 'the directory is an Active Directory' },
      { flags: '--bind-password-file <file>', about: 'file with the password of --bind-username' },
      { flags: '--directory-ca <file>', about: 'PEM file of the authority of its certificate' },
      { flags: '--nested-levels <n>', about: 'maximum depth of nested groups' },
      ...ldapTexts.map(([flags, about]) => ({ flags, about })),
    ],
    run: setDirectory,
    done: (given) => `Users log in by ${optionOf(given, 'server') ?? ''}`,
    example:
      'gantry ldap set --server ldaps://ldap.example.com --domain example.com --bind-username reader ' +
      '--bind-password-file reader.txt',
  },
  {
    kind: 'item',
    words: 'idp get',
    about: 'show the identity provider',
    fields: ['provider'],
    run: async (client) => ({ provider: await client.transport.json('GET', '/idp') }),
  },
];
