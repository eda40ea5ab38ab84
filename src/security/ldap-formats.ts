/** Texts with substitutions, e.g. `uid={username},{base_dn}`, of which names and filters of a directory are made. */
import { GantryError } from '../domain/errors.ts';

/** Which substitutions each format may use. */
export const formatSubstitutions = {
  ldap_bind_format: ['username', 'domain', 'base_dn', 'domain_dn', 'group_dn'],
  ldap_group_dn: ['base_dn', 'domain_dn'],
  ldap_group_member_filter: ['object_dn'],
  ldap_user_filter: ['username', 'base_dn', 'domain_dn', 'group_dn'],
} as const;

export type FormatName = keyof typeof formatSubstitutions;

const substitution = /\{([^{}]*)\}/g;

/** @throws GantryError bad_parameters_error naming what the format may not use */
export function checkFormat(name: FormatName, format: string): void {
  const allowed: readonly string[] = formatSubstitutions[name];
  const unknown = [...format.matchAll(substitution)]
    .map(([, used = '']) => used)
    .filter((used) => !allowed.includes(used));
  if (unknown.length > 0) {
    throw new GantryError(
      'bad_parameters_error',
      `${name} uses {${unknown.join('}, {')}}; it may use {${allowed.join('}, {')}}`,
    );
  }
}

/** Fills in a format; `escape` is applied to every value. */
export function fillFormat(
  format: string,
  values: Readonly<Record<string, string>>,
  escape: (value: string) => string,
): string {
  return format.replaceAll(substitution, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : escape(value);
  });
}

/** A value inside a search filter (RFC 4515). */
export function escapeFilterValue(value: string): string {
  return value.replaceAll(/[\\*()\0]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** A value inside a distinguished name (RFC 4514). */
export function escapeNameValue(value: string): string {
  return value
    .replaceAll(/[\\,+"<>;=\0]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replace(/^[ #]/, (character) => `\\${character}`)
    .replace(/ $/, '\\ ');
}

/** `example.com` as a name: `dc=example,dc=com`. */
export function domainName(domain: string): string {
  return domain
    .split('.')
    .filter((part) => part !== '')
    .map((part) => `dc=${escapeNameValue(part)}`)
    .join(',');
}
