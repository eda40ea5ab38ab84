import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { AuthorizationService } from '../../services/authorization.ts';
import type { DirectoryService } from '../../services/directory.ts';
import { identityProviderKinds } from '../../services/identity-providers.ts';
import type { IdentityProviderService } from '../../services/identity-providers.ts';
import { json, mapOf, textSchema } from '../answer.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';

const everybody = { tenant: 'optional' } as const;
const systemOnly = { tenant: 'ignored' } as const;

const optionalText = { type: ['string', 'null'] };
/** Settings that are texts. */
const texts = [
  ...['ldap_server', 'ldap_domain', 'ldap_username', 'ldap_password', 'ldap_dn_extra', 'ldap_base_dn', 'ldap_group_dn'],
  ...['ldap_bind_format', 'ldap_user_filter', 'ldap_group_member_filter', 'ldap_attribute_email'],
  ...['ldap_attribute_first_name', 'ldap_attribute_last_name', 'ldap_attribute_uid'],
  'ldap_attribute_group_membership',
];
const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['ldap_server', 'ldap_domain'],
  properties: {
    ...Object.fromEntries(texts.map((name) => [name, optionalText])),
    ldap_server: { type: 'string' },
    ldap_domain: { type: 'string' },
    ldap_is_active_directory: { type: ['boolean', 'null'] },
    ldap_nested_levels: { type: ['integer', 'null'], minimum: 1, maximum: 20 },
    ldap_ca_cert: optionalText,
  },
};

const anyKind = `(${identityProviderKinds.join('|')})`;

export interface DirectoryRouteServices {
  readonly directory: DirectoryService;
  readonly identityProviders: Pick<IdentityProviderService, 'kinds'>;
  readonly authorization: AuthorizationService;
}

/** The token that a console keeps in a cookie. */
function cookieToken(header: string | undefined): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='));
  const value = pairs
    .find(([name]) => name === 'XSRF-TOKEN')
    ?.slice(1)
    .join('=');
  return value === undefined || value === '' ? undefined : value.replaceAll('"', '');
}

/** Routes about where users come from. */
export function directoryRoutes({ directory, identityProviders, authorization }: DirectoryRouteServices): Route[] {
  return [
    {
      method: 'get',
      path: '/idp',
      summary: 'Kinds of the identity providers',
      access: { ...everybody, permission: 'identity_provider_get' },
      isMaintenance: true,
      answer: json({ type: 'string', pattern: `^(local|${anyKind}(,${anyKind})*)$` }),
      handle: async () => ok((await identityProviders.kinds()).join(',') || 'local'),
    },
    {
      method: 'get',
      path: '/ldap',
      summary: 'Whether users come from LDAP',
      access: { ...everybody, permission: 'ldap_status_get' },
      isMaintenance: true,
      answer: json({ enum: ['enabled', 'disabled'] }),
      handle: async () => ok((await directory.isEnabled()) ? 'enabled' : 'disabled'),
    },
    {
      method: 'post',
      path: '/ldap',
      summary: 'Configure logins by an LDAP directory',
      access: { ...systemOnly, permission: 'ldap_set' },
      body: schema,
      answer: json(mapOf({})),
      handle: async ({ caller, body }) => {
        const { ldap_ca_cert: certificate, ...given } = body as JsonObject;
        const settings: JsonObject = {
          ...Object.fromEntries(texts.map((name) => [name, given[name] ?? null])),
          ldap_is_active_directory: given['ldap_is_active_directory'] === true,
          ldap_nested_levels: given['ldap_nested_levels'] ?? 1,
        };
        const ca = typeof certificate === 'string' && certificate !== '' ? certificate : undefined;
        await directory.configure(caller, settings, ca);
        const { ldap_password: _password, ...shown } = settings;
        return ok(shown);
      },
    },
    {
      method: 'get',
      path: '/monitoring-auth',
      summary: 'Whether the caller may see the monitoring',
      // decided below: a browser sends a cookie, no header
      access: 'open',
      isMaintenance: true,
      answer: json(textSchema),
      handle: async ({ request }) => {
        const token = cookieToken(request.get('cookie'));
        if (token === undefined) {
          throw new GantryError('unauthorized_error', 'User unauthorized: No authentication info provided');
        }
        await authorization.admit({
          credentials: { executionToken: undefined, token, basic: undefined, address: request.ip ?? '' },
          tenantName: undefined,
          access: { permission: 'monitoring', tenant: 'ignored', isAllTenants: false },
          maintenance: { isAllowed: true, isBypassed: false, isChange: false },
        });
        return ok('');
      },
    },
  ];
}
