import { expect } from 'chai';
import { hostname } from 'node:os';
import type { Route } from '../../src/rest/route.ts';
import { endpointName, expectedDemand, expectedHolders, roleLetters } from './access-table.ts';
import { addFamilies, readFamilies } from './families.ts';
import type { Family, Visibility } from './families.ts';
import { everyRoute } from '../kit/answer-check.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

const routes = everyRoute;
const visibilities: readonly Visibility[] = ['private', 'tenant', 'global'];

type TenantRole = 'manager' | 'user' | 'viewer';
type Tenant = 'home' | 'away';

/** Somebody who calls; everything belongs to `creator`, a user of `home`. */
interface Actor {
  name: string;
  role: TenantRole | 'sys_admin';
  tenant: Tenant;
}

// the other roles differ in what they may do, not in what they see
const tenantRoles: readonly TenantRole[] = ['manager', 'user', 'viewer'];
const actors: readonly Actor[] = [
  { name: 'creator', role: 'user', tenant: 'home' },
  ...(['home', 'away'] as const).flatMap((tenant) => [
    ...tenantRoles.map((role) => ({ name: `${tenant}-${role}`, role, tenant })),
    { name: 'root', role: 'sys_admin' as const, tenant },
  ]),
];

function credentialsOf({ name, tenant }: Actor): CallOptions {
  return { user: name, password: `password-of-${name}`, tenant };
}

/** The rule: own tenant or global; private only for the creator and for administrators of the tenant. */
function isReadable(actor: Actor, visibility: Visibility): boolean {
  if (actor.tenant !== 'home') {
    return visibility === 'global';
  }
  return visibility !== 'private' || isAdministratorOrCreator(actor);
}

function isAdministratorOrCreator({ role, name }: Actor): boolean {
  return ['sys_admin', 'manager'].includes(role) || name === 'creator';
}

function isPermitted(actor: Actor, route: Route): boolean {
  const demand = expectedDemand(endpointName(route)) ?? '';
  return (expectedHolders.get(demand) ?? '').includes(roleLetters[actor.role]);
}

/** Beginnings of paths of what has a visibility, or belongs to what has. */
const resourcePaths =
  /^\/(blueprints|deployments|executions|nodes|node-instances|operations|secrets|sites|plugins|filters\/\w+|deployment-groups|execution-groups|execution-schedules|deployment-modifications|deployment-updates|agents|secrets-providers)\/:/;

/** Makes what the path names, or takes a name that nothing has yet: its own rules are in tenancy.test.ts. */
const creating = new Set([
  'PUT /blueprints/*',
  'PUT /blueprints/*/validate',
  'PUT /blueprints/*/archive',
  'PUT /deployments/*',
  'PUT /secrets/*',
  'PUT /sites/*',
  'PUT /filters/blueprints/*',
  'PUT /filters/deployments/*',
  'PUT /execution-schedules/*',
  'PUT /deployment-groups/*',
  'PUT /operations/*',
  'PUT /agents/*',
  'PUT /deployment-updates/*',
  'POST /deployment-updates/*/update/*',
  'PUT /secrets-providers/*',
]);

const update = { description: 'other' };
/** Bodies that are taken for good, so that whether the thing is seen decides; `{}` where nothing is said. */
const bodies: Readonly<Record<string, unknown>> = {
  'PATCH /blueprints/*': { description: 'other' },
  'PATCH /blueprints/*/set-visibility': { visibility: 'tenant' },
  'PATCH /deployments/*': { display_name: 'other' },
  'PATCH /deployments/*/set-visibility': { visibility: 'tenant' },
  'POST /deployments/*/set-site': { detach_site: true },
  'PUT /deployments/*/inter-deployment-dependencies': { inter_deployment_dependencies: [] },
  'POST /executions/*': { action: 'resume' },
  'PATCH /executions/*': { status: 'failed' },
  'PUT /executions/*/breakpoints': { breakpoints: [] },
  'POST /executions/*/operations/*': { action: 'skip', resume: false },
  'PATCH /nodes/*/*': { properties: { other: 1 } },
  'PATCH /node-instances/*': { version: 1, runtime_properties: { other: 1 } },
  'PATCH /operations/*': { state: 'started' },
  'PATCH /secrets/*': { is_hidden_value: true },
  'PATCH /secrets/*/set-visibility': { visibility: 'tenant' },
  'POST /sites/*': { location: '1,1' },
  'PATCH /filters/blueprints/*': { visibility: 'tenant' },
  'PATCH /filters/deployments/*': { visibility: 'tenant' },
  'PATCH /execution-schedules/*': { enabled: false },
  'POST /plugins/*': { action: 'install', managers: [hostname()] },
  'PUT /plugins/*': { state: 'installed', manager: hostname() },
  'PATCH /plugins/*': { title: 'other' },
  'PATCH /plugins/*/set-visibility': { visibility: 'tenant' },
  'PATCH /deployment-groups/*': update,
  'POST /execution-groups/*': { action: 'cancel' },
  'PATCH /execution-groups/*': { concurrency: 3 },
  'PATCH /agents/*': { state: 'stopped' },
  'PATCH /deployment-updates/*': { state: 'failed' },
  'PATCH /secrets-providers/*': { type: 'other' },
};

/** Changed by the creator of the execution, the execution itself and administrators only. */
const personal = new Set(['PATCH /operations/*', 'DELETE /operations/*']);

/** Searches that must name a deployment. */
const ofOneDeployment = new Set([
  '/searches/nodes',
  '/searches/node-types',
  '/searches/capabilities',
  '/searches/scaling-groups',
]);

/** Lists without members of families; `/stream` never ends. */
const withoutFamilies = new Set([
  '/stream',
  '/labels/blueprints',
  '/workflows',
  '/searches/workflows',
  '/secrets/share/export',
]);

function isReading(route: Route): boolean {
  return route.method === 'get';
}

interface Case extends Family {
  actor: Actor;
  route: Route;
}

function pathOf(route: Route, name: string): string {
  const path = route.path.replaceAll(/[:*][a-z_]+/g, name);
  // a list of one execution, which knows no such filter
  return route.path === '/executions/:execution_id/operations' ? path : `${path}?deployment_id=${name}`;
}

describe('visibility', function () {
  this.timeout(120_000);
  let rest: RestService;
  let owner: { tenantId: number; creatorId: number };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    for (const tenant of ['home', 'away']) {
      expect((await rest.call('POST', `/tenants/${tenant}`)).status).to.equal(201);
    }
    await Promise.all(actors.filter(({ role, tenant }) => role !== 'sys_admin' || tenant === 'home').map(addUser));
    const [row] = await rest.database.query<typeof owner>(
      `select tenants.id as "tenantId", users.id as "creatorId" from tenants, users
       where tenants.name = 'home' and username = 'creator'`,
    );
    owner = row as typeof owner;
  });

  after(() => rest?.stop());

  async function addUser({ name, role, tenant }: Actor): Promise<void> {
    const body = { username: name, password: `password-of-${name}`, role: role === 'sys_admin' ? role : 'default' };
    expect((await rest.call('PUT', '/users', { body })).status).to.equal(201);
    if (role !== 'sys_admin') {
      const member = { tenant_name: tenant, username: name, role };
      expect((await rest.call('PUT', '/tenants/users', { body: member })).status).to.equal(200);
    }
  }

  async function ask({ actor, route, name }: Case): Promise<{ status: number; code: string; text: string }> {
    const body = route.body ? { body: bodies[endpointName(route)] ?? {} } : {};
    const answer = await rest.call(route.method.toUpperCase(), pathOf(route, name), {
      ...credentialsOf(actor),
      ...body,
    });
    const code = answer.status >= 400 ? answer.json<{ error_code: string }>().error_code : '';
    return { status: answer.status, code, text: answer.text };
  }

  function nameOf({ actor, visibility }: Case): string {
    return `${actor.name} in ${actor.tenant}, ${visibility}`;
  }

  const lists = routes.filter(
    ({ path, access, method }) =>
      !path.includes(':') &&
      access !== 'open' &&
      (method === 'get' || path.startsWith('/searches/')) &&
      (access.hasAllTenants === true || path === '/events' || path.startsWith('/labels/')),
  );

  describe('in lists', () => {
    const families = visibilities.map((visibility) => ({ name: `listed-${visibility}`, visibility }));

    before(() => addFamilies(rest.database, owner, families));

    async function listed(route: Route, query: string, actor: Actor): Promise<string[] | 'refused'> {
      const answer = await rest.call(route.method.toUpperCase(), `${route.path}?_get_all_results=true${query}`, {
        ...credentialsOf(actor),
        ...(route.body ? { body: {} } : {}),
      });
      if (answer.status === 403) {
        return 'refused';
      }
      if (answer.status === 404) {
        return [];
      }
      expect(answer.status, answer.text).to.equal(200);
      return visibilities.filter((visibility) => answer.text.includes(`listed-${visibility}`));
    }

    async function listedByDeployment(route: Route, actor: Actor): Promise<string[] | 'refused'> {
      const found: string[] = [];
      for (const visibility of visibilities) {
        const part = await listed(route, `&deployment_id=listed-${visibility}`, actor);
        if (part === 'refused') {
          return part;
        }
        found.push(...part);
      }
      return found;
    }

    for (const route of lists.filter(({ path }) => !path.startsWith('/summary/') && !withoutFamilies.has(path))) {
      it(`${endpointName(route)} shows what the caller may see, and nothing else`, async () => {
        const hasTenants = route.path !== '/events' && !route.path.startsWith('/labels/');
        const list = ofOneDeployment.has(route.path)
          ? listedByDeployment
          : (of: Route, actor: Actor): Promise<string[] | 'refused'> => listed(of, '', actor);
        for (const actor of actors) {
          const expected = visibilities.filter((visibility) => isReadable(actor, visibility));
          expect(await list(route, actor), `${actor.name} in ${actor.tenant}`).to.deep.equal(
            isPermitted(actor, route) ? expected : 'refused',
          );
        }
        if (hasTenants && !ofOneDeployment.has(route.path)) {
          const root: Actor = { name: 'root', role: 'sys_admin', tenant: 'away' };
          expect(await listed(route, '&_all_tenants=true', root)).to.deep.equal(visibilities);
          const stranger: Actor = { name: 'away-user', role: 'user', tenant: 'away' };
          expect(await listed(route, '&_all_tenants=true', stranger)).to.deep.equal(
            isPermitted(stranger, route) ? ['global'] : 'refused',
          );
        }
      });
    }

    for (const route of lists.filter(({ path }) => path.startsWith('/summary/'))) {
      it(`${endpointName(route)} counts what the caller may see, and nothing else`, async () => {
        for (const actor of actors) {
          const answer = await rest.call('GET', `${route.path}?_target_field=visibility`, credentialsOf(actor));
          expect(answer.status, answer.text).to.equal(200);
          const found = answer.json<{ items: Record<string, string>[] }>().items.map((item) => item['visibility']);
          const expected = visibilities.filter((visibility) => isReadable(actor, visibility));
          expect(found, `${actor.name} in ${actor.tenant}`).to.have.members(expected);
        }
      });
    }
  });

  const single = routes.filter((route) => resourcePaths.test(route.path) && !creating.has(endpointName(route)));

  describe('of single resources', () => {
    for (const [index, route] of single.filter(isReading).entries()) {
      it(`${endpointName(route)} finds what the caller may see, and nothing else`, async () => {
        const families = visibilities.map((visibility) => ({ name: `read-${index}-${visibility}`, visibility }));
        await addFamilies(rest.database, owner, families);
        const cases = actors.flatMap((actor) => families.map((family) => ({ ...family, actor, route })));
        const outcomes = await Promise.all(
          cases.map(async (entry) => {
            const { status, code } = await ask(entry);
            const isHidden = !isReadable(entry.actor, entry.visibility);
            const expected = !isPermitted(entry.actor, route) ? 403 : isHidden ? 404 : undefined;
            return {
              name: nameOf(entry),
              // what can be seen may still lack a file
              outcome: expected === undefined && status === 404 && !code.includes('not_found') ? 200 : status,
              expected: expected ?? (route.path.match(/archive|yaml|download/) ? status : 200),
            };
          }),
        );
        expect(outcomes.filter(({ outcome, expected }) => outcome !== expected)).to.deep.equal([]);
      });
    }

    for (const [index, route] of single.filter((entry) => !isReading(entry)).entries()) {
      it(`${endpointName(route)} changes only what belongs to the tenant of the call and can be seen`, async () => {
        const cases: Case[] = actors.flatMap((actor) =>
          visibilities.map((visibility) => ({
            actor,
            visibility,
            route,
            name: `w-${index}-${actor.name}-${actor.tenant}-${visibility}`,
          })),
        );
        await addFamilies(rest.database, owner, cases);
        const isMine = ({ actor, visibility }: Case): boolean =>
          isPermitted(actor, route) && actor.tenant === 'home' && isReadable(actor, visibility);
        const foreign = cases.filter((entry) => !isMine(entry)).map(({ name }) => name);
        const before = await readFamilies(rest.database, foreign);
        const outcomes = await Promise.all(
          cases.map(async (entry) => {
            const { status, code, text } = await ask(entry);
            const expected = !isPermitted(entry.actor, route)
              ? status === 403
              : !isReadable(entry.actor, entry.visibility)
                ? status === 404 || code === 'only_deployment_update'
                : entry.actor.tenant === 'away'
                  ? status >= 400 && status < 500
                  : personal.has(endpointName(route)) && !isAdministratorOrCreator(entry.actor)
                    ? status === 403
                    : status < 500 && status !== 401 && status !== 404 && code !== 'forbidden_error';
            return { name: nameOf(entry), isExpected: expected, status, text };
          }),
        );
        expect(outcomes.filter(({ isExpected }) => !isExpected)).to.deep.equal([]);
        expect(await readFamilies(rest.database, foreign)).to.deep.equal(before);
      });
    }
  });

  it('covers every endpoint of resources that have a visibility', () => {
    const named = routes.filter(({ path }) => path.includes('/:'));
    const without =
      /^\/(users|user-groups|tenants|tokens|config|permissions|maintenance|labels|managers|brokers|snapshots|log-bundles|tasks_graphs|plugins-updates)\//;
    const left = named.filter(({ path }) => !resourcePaths.test(path) && !without.test(path)).map(endpointName);
    expect(left, 'give them a family in test/rest/families.ts').to.deep.equal([]);
  });
});
