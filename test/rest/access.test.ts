import { expect } from 'chai';
import { permissions } from '../../src/domain/permissions.ts';
import type { Route } from '../../src/rest/route.ts';
import { endpointName, expectedDemand, expectedHolders, roleLetters } from './access-table.ts';
import type { RoleName } from './access-table.ts';
import { everyRoute } from '../kit/answer-check.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

const routes = everyRoute;
const roleNames = Object.keys(roleLetters) as RoleName[];

/** Where a call is made: the tenant in which the user has the role, one in which nobody has any, none, or all. */
const places = {
  home: { tenant: 'home', query: '' },
  away: { tenant: 'away', query: '' },
  nowhere: { tenant: null, query: '' },
  everywhere: { tenant: null, query: '?_all_tenants=true' },
} as const;
type Place = keyof typeof places;
const placeNames = Object.keys(places) as Place[];

function isSystemRole(role: RoleName): boolean {
  return role === 'sys_admin' || role === 'default';
}

/** Letters of the roles that count: everybody has a system role, tenant roles count where they were given. */
function lettersAt(role: RoleName, place: Place): string {
  const system = role === 'sys_admin' ? 'S' : 'D';
  const counts = !isSystemRole(role) && (place === 'home' || place === 'everywhere');
  return counts ? system + roleLetters[role] : system;
}

function credentialsOf(role: RoleName): CallOptions {
  return { user: `as-${role}`, password: `password-of-${role}` };
}

/** Whether the endpoint lets the role in, by the table only; what the route says of tenants is taken from it. */
function isExpected(route: Route, role: RoleName, place: Place): boolean {
  const demand = expectedDemand(endpointName(route));
  if (route.access === 'open') {
    return true;
  }
  const listsAll = route.access.hasAllTenants === true;
  const isTenantless = (place === 'everywhere' && !listsAll) || route.access.tenant === 'ignored';
  const at = isTenantless ? 'nowhere' : place;
  const needsTenant = (route.access.tenant ?? 'required') === 'required';
  if (needsTenant && at === 'nowhere') {
    return false;
  }
  if (demand === 'login' || demand === 'handler') {
    return true;
  }
  const holders = expectedHolders.get(demand ?? '') ?? '';
  return [...lettersAt(role, at)].some((letter) => holders.includes(letter));
}

/** A call that is refused for its content when it is let in, so that nothing changes. */
function harmless(route: Route): { path: string; raw?: string } {
  const path = route.path.replaceAll(/[:*][a-z_]+/g, 'nothing');
  return route.body ? { path, raw: '[]' } : { path };
}

/** A decision that depends on what the request says. */
interface Condition {
  what: string;
  method: string;
  path: string;
  body?: unknown;
  place?: Place;
  /** Letters of the roles that are let through. */
  allowed: string;
  status?: number;
}

const conditions: readonly Condition[] = [
  { what: 'the tenant in the path', method: 'GET', path: '/tenants/home', allowed: 'SMUO' },
  { what: 'the tenant in the path, not of the header', method: 'GET', path: '/tenants/away', allowed: 'S' },
  {
    what: 'the tenant in the path without header',
    method: 'GET',
    path: '/tenants/home',
    place: 'nowhere',
    allowed: 'SMUO',
  },
  { what: 'members of all tenants', method: 'GET', path: '/tenants?_get_data=true', allowed: 'S' },
  { what: 'hashes of passwords', method: 'GET', path: '/users?_include_hash=true', allowed: 'S' },
  {
    what: "another user's password",
    method: 'POST',
    path: '/users/victim',
    body: { password: 'changed-it' },
    allowed: 'S',
  },
  { what: "another user's role", method: 'POST', path: '/users/victim', body: { role: 'default' }, allowed: 'S' },
  {
    what: "another user's flag",
    method: 'POST',
    path: '/users/victim',
    body: { show_getting_started: true },
    allowed: 'S',
  },
  { what: 'the matrix of permissions', method: 'GET', path: '/permissions', allowed: 'S', status: 401 },
  { what: 'the permissions of a role', method: 'GET', path: '/permissions/viewer', allowed: 'S', status: 401 },
  { what: 'a setting', method: 'PUT', path: '/config/rest.default_page_size', body: { value: 1000 }, allowed: 'S' },
  {
    what: 'the provider context',
    method: 'POST',
    path: '/provider/context?update=true',
    body: { name: 'provider', context: {} },
    allowed: 'S',
  },
  {
    what: 'a global secret',
    method: 'PUT',
    path: '/secrets/everywhere',
    body: { value: 'x', visibility: 'global', update_if_exists: true },
    allowed: 'S',
  },
  { what: 'a global site', method: 'PUT', path: '/sites/s1', body: { visibility: 'global' }, allowed: 'S' },
];

describe('who may call what', function () {
  this.timeout(120_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    for (const tenant of ['home', 'away']) {
      expect((await rest.call('POST', `/tenants/${tenant}`)).status).to.equal(201);
    }
    await Promise.all([...roleNames, 'victim'].map((name) => addUser(name)));
  });

  after(() => rest?.stop());

  async function addUser(name: string): Promise<void> {
    const username = name === 'victim' ? name : `as-${name}`;
    const role = name === 'sys_admin' ? name : 'default';
    const created = await rest.call('PUT', '/users', { body: { username, password: `password-of-${name}`, role } });
    expect(created.status, created.text).to.equal(201);
    if (['manager', 'user', 'operations', 'viewer'].includes(name)) {
      const added = await rest.call('PUT', '/tenants/users', { body: { tenant_name: 'home', username, role: name } });
      expect(added.status, added.text).to.equal(200);
    }
  }

  it('uses the permission matrix that clients know', () => {
    const letters = (holders: readonly string[]): string =>
      Object.entries(roleLetters)
        .filter(([role]) => holders.includes(role))
        .map(([, letter]) => letter)
        .join('');
    const found = Object.entries(permissions).map(([permission, holders]) => [permission, letters(holders)]);
    expect(Object.fromEntries(found)).to.include(Object.fromEntries(expectedHolders));
  });

  for (const route of routes) {
    const endpoint = endpointName(route);

    it(`${endpoint} asks for the permission it should, of every role in every place`, async () => {
      const demand = expectedDemand(endpoint);
      expect(demand, `decide in test/rest/access-table.ts who may call ${endpoint}`).to.not.equal(undefined);
      const declared = route.access === 'open' ? 'open' : route.access.permission;
      expect(declared).to.equal(demand === 'login' || demand === 'handler' ? undefined : demand);
      const { path, raw } = harmless(route);
      const cases = roleNames.flatMap((role) => placeNames.map((place) => ({ role, place })));
      const answers = await Promise.all(
        cases.map(async ({ role, place }) => {
          const { tenant, query } = places[place];
          const options = { ...credentialsOf(role), tenant, ...(raw === undefined ? {} : { raw }) };
          const answer = await rest.call(route.method.toUpperCase(), path + query, options);
          const code = answer.status >= 400 ? answer.json<{ error_code: string }>().error_code : '';
          const isLetIn = answer.status !== 401 && code !== 'forbidden_error';
          return {
            name: `${role} ${place}`,
            isLetIn,
            isExpected: isExpected(route, role, place),
            status: answer.status,
          };
        }),
      );
      expect(answers.filter(({ status }) => status >= 500)).to.deep.equal([]);
      // where the handler decides for itself: see the conditions below
      if (demand !== 'handler' && demand !== 'open') {
        const letIn = answers.filter((answer) => answer.isLetIn).map(({ name }) => name);
        expect(letIn).to.deep.equal(answers.filter((answer) => answer.isExpected).map(({ name }) => name));
      }
    });
  }

  for (const { what, method, path, body, place = 'home', allowed, status = 403 } of conditions) {
    it(`lets only ${allowed} at ${what} (${method} ${path})`, async () => {
      for (const role of roleNames) {
        const { tenant } = places[place];
        const answer = await rest.call(method, path, { ...credentialsOf(role), tenant, body });
        if (allowed.includes(roleLetters[role])) {
          expect(answer.status, `${role}: ${answer.text}`).to.be.oneOf([200, 201, 204, 404, 409]);
        } else {
          expect(answer.status, `${role}: ${answer.text}`).to.equal(status);
        }
      }
    });
  }
});
