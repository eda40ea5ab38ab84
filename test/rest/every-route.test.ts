import { expect } from 'chai';
import { permissions } from '../../src/domain/permissions.ts';
import type { Route } from '../../src/rest/route.ts';
import { everyRoute } from '../kit/answer-check.ts';
import { endpointName, endpoints } from './access-table.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

const routes = everyRoute;

function pathOf({ path }: Route): string {
  return path.replaceAll(/[:*][a-z_]+/g, 'nothing');
}

function isOpen({ access }: Route): boolean {
  return access === 'open';
}

describe('every route', function () {
  this.timeout(60_000);
  let rest: RestService;
  const nobody: CallOptions = { user: 'nobody', password: 'nobody-password' };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    await rest.call('PUT', '/users', { body: { username: 'nobody', password: 'nobody-password' } });
  });

  after(() => rest?.stop());

  it('is described once, with its method and path', () => {
    const names = routes.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).to.equal(names.length);
    for (const route of routes) {
      expect(route.summary, route.path).to.match(/^[A-Z].*[^.]$/);
    }
  });

  it('is there for every endpoint of the interface', () => {
    const names = new Set(routes.map(endpointName));
    expect(endpoints.filter((endpoint) => !names.has(endpoint))).to.deep.equal([]);
  });

  it('has the permission that the reference gives it, and one that exists', () => {
    for (const route of routes) {
      const permission = route.access === 'open' ? undefined : route.access.permission;
      if (permission !== undefined) {
        expect(permissions, route.path).to.have.property(permission);
      }
    }
  });

  for (const route of routes.filter((entry) => !isOpen(entry))) {
    const name = `${route.method.toUpperCase()} ${route.path}`;

    it(`${name} answers 401 without credentials`, async () => {
      const answer = await rest.call(route.method.toUpperCase(), pathOf(route), { user: '' });
      expect(answer.status).to.equal(401);
      expect(answer.json<{ error_code: string }>().error_code).to.equal('unauthorized_error');
    });

    it(`${name} answers 403 in a tenant that is not there`, async () => {
      const answer = await rest.call(route.method.toUpperCase(), pathOf(route), { tenant: 'nowhere' });
      expect(answer.status).to.equal(403);
    });

    it(`${name} is answered to a user without roles only by permission`, async () => {
      const answer = await rest.call(route.method.toUpperCase(), pathOf(route), nobody);
      const permission = route.access === 'open' ? undefined : route.access.permission;
      const isAllowed = permission === undefined || permissions[permission].includes('default');
      if (isAllowed) {
        expect(answer.status).to.be.oneOf([200, 201, 204, 304, 400, 401, 403, 404]);
      } else {
        expect(answer.status, answer.text).to.equal(403);
      }
    });

    it(`${name} never breaks for the administrator, whatever it gets`, async () => {
      const bodies: CallOptions[] = route.body
        ? [{ raw: 'null' }, { raw: '[]' }, { raw: '{}' }, { raw: '{"__proto__": {"x": 1}}' }, {}]
        : [{}];
      for (const options of bodies) {
        const answer = await rest.call(route.method.toUpperCase(), `${pathOf(route)}?_size=1`, options);
        expect(answer.status, answer.text).to.be.lessThan(500);
      }
    });
  }

  it('is on the HTML page, which has a style sheet and no script', async () => {
    const answer = await rest.call('GET', '/openapi.html');
    expect(answer.status).to.equal(200);
    expect(answer.headers.get('content-type')).to.equal('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).to.match(/^default-src 'none'; style-src 'sha256-[\w+/=]+';/);
    expect(answer.text).not.to.match(/<script|javascript:|undefined|\[object/);
    for (const { path, summary } of routes) {
      expect(answer.text).to.include(`<code>${path.replaceAll(/[:*]([a-z_]+)/g, '{$1}')}</code>`);
      expect(answer.text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&gt;', '>')).to.include(
        summary,
      );
    }
    const targets = new Set([...answer.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
    for (const [, target] of answer.text.matchAll(/href="#([^"]+)"/g)) {
      expect(targets, `#${target}`).to.include(target);
    }
  });

  it('is in the OpenAPI document, whose references all resolve', async () => {
    const answer = await rest.call('GET', '/openapi.json');
    expect(answer.status).to.equal(200);
    const document = answer.json<{
      paths: Record<string, Record<string, { operationId: string; parameters: { name: string; schema: object }[] }>>;
      components: { schemas: Record<string, unknown> };
    }>();
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(operations).to.have.length(routes.length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).to.equal(operations.length);
    const types = document.paths['/deployments']?.['get']?.parameters.map(({ name, schema }) => [name, schema]);
    expect(Object.fromEntries(types ?? [])).to.deep.include({
      _all_tenants: { type: 'boolean' },
      _size: { type: 'integer', minimum: 0 },
      _search: { type: 'string' },
    });
    for (const [, name] of answer.text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(document.components.schemas).to.have.property(name ?? '');
    }
  });
});
