import { expect } from 'chai';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { adminPassword, RestService, simpleBlueprint } from './kit.ts';
import type { CallOptions } from './kit.ts';

interface Provider {
  name: string;
  type: string;
  connection_parameters: Record<string, string> | null;
  visibility: string;
}

/** The part of HashiCorp Vault that is used: its key-value store. */
class Vault {
  readonly token = 'vault-token';
  readonly stored = new Map<string, Record<string, unknown>>();
  asked = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.asked += 1;
      const path = decodeURIComponent((request.url ?? '').replace('/v1/secret/data/', ''));
      const data = this.stored.get(path);
      const isAllowed = request.headers['x-vault-token'] === this.token;
      if (path === 'moved') {
        response.writeHead(302, { location: '/v1/secret/data/base' }).end();
        return;
      }
      response
        .writeHead(isAllowed ? (data ? 200 : 404) : 403, { 'content-type': 'application/json' })
        .end(JSON.stringify(isAllowed && data ? { data: { data } } : { errors: [] }));
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

describe('secrets providers', function () {
  this.timeout(60_000);
  const vault = new Vault();
  let rest: RestService;
  const ada: CallOptions = { user: 'ada', password: 'ada-password' };
  const connection = (): Record<string, string> => ({ url: vault.url, token: vault.token, path: 'base' });

  before(async () => {
    await vault.start();
    vault.stored.set('base', {});
    rest = await RestService.start({ environment: { GANTRY_SECRET_HOSTS: '127.0.0.1' } });
    await rest.call('PUT', '/users', { body: { username: 'ada', password: 'ada-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'ada', role: 'user' },
    });
    const made = await rest.call('PUT', '/secrets-providers', {
      body: { name: 'vault', type: 'vault', connection_parameters: connection() },
    });
    expect(made.status, made.text).to.equal(200);
  });

  after(async () => {
    await rest?.stop();
    vault.stop();
  });

  async function put(key: string, body: object, options: CallOptions = {}): Promise<void> {
    const answer = await rest.call('PUT', `/secrets/${key}`, { ...options, body });
    expect(answer.status, answer.text).to.equal(200);
  }

  async function get(key: string, options: CallOptions = {}): Promise<Record<string, unknown>> {
    const answer = await rest.call('GET', `/secrets/${key}`, options);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<Record<string, unknown>>();
  }

  it('show how they are reached to system administrators only, and store it encrypted', async () => {
    const seen = (await rest.call('GET', '/secrets-providers/vault')).json<Provider>();
    expect(seen).to.deep.include({ name: 'vault', type: 'vault', connection_parameters: connection() });
    const hidden = await rest.call('GET', '/secrets-providers', ada);
    expect(hidden.json<{ items: Provider[] }>().items.map((item) => item.connection_parameters)).to.deep.equal([null]);
    const [row] = await rest.database.query<{ stored: string }>(
      'select connection_parameters as stored from secrets_providers',
    );
    expect(row?.stored).not.to.contain(vault.token);
  });

  it('give the value of a secret whenever it is read', async () => {
    vault.stored.set('base/team', { password: 'first' });
    await put('password', { provider_name: 'vault', provider_options: { path: 'team' } });
    const options = { provider_name: 'vault', provider_options: '{"path":"team"}' };
    expect(await get('password')).to.include({ value: 'first', ...options });
    vault.stored.set('base/team', { password: 'second' });
    expect(await get('password')).to.include({ value: 'second' });
    const before = vault.asked;
    expect((await rest.call('GET', '/secrets/password?_skip_value=true')).json<{ value: string }>().value).to.equal('');
    expect(vault.asked).to.equal(before);
    const { items } = (await rest.call('GET', '/secrets')).json<{ items: { key: string; provider_name: string }[] }>();
    expect(items.map(({ key, provider_name: name }) => [key, name])).to.deep.equal([['password', 'vault']]);
  });

  it('give values to get_secret in blueprints', async () => {
    vault.stored.set('base', { place: 'the vault' });
    await put('place', { value: '', provider_name: 'vault' });
    const blueprint = simpleBlueprint.replace('value: { get_input: port }', 'value: { get_secret: place }');
    expect((await rest.upload('secretive', { 'blueprint.yaml': blueprint })).status).to.equal(201);
    expect((await rest.call('PUT', '/deployments/secretive', { body: { blueprint_id: 'secretive' } })).status).to.equal(
      201,
    );
    const outputs = await rest.call('GET', '/deployments/secretive/outputs');
    expect(outputs.json<{ outputs: object }>().outputs).to.deep.equal({ port: 'the vault' });
  });

  it('reach another manager', async () => {
    await put('remote', { value: 'from the other side' });
    const made = await rest.call('PUT', '/secrets-providers', {
      body: {
        name: 'manager',
        type: 'cloudify',
        connection_parameters: {
          host: new URL(rest.origin).host,
          protocol: 'http',
          username: 'admin',
          password: adminPassword,
          tenant: 'default_tenant',
        },
      },
    });
    expect(made.status, made.text).to.equal(200);
    const probe = await rest.call('PUT', '/secrets-providers', { body: { name: 'manager', test: true } });
    expect([probe.status, probe.text]).to.deep.equal([204, '']);
    await put('near', { value: '', provider_name: 'manager', provider_options: { name: 'remote' } });
    expect(await get('near')).to.include({ value: 'from the other side' });
  });

  it('keep the values of local ones here, and take changes of where a value is', async () => {
    await rest.call('PUT', '/secrets-providers', { body: { name: 'here', type: 'local' } });
    await put('moving', { value: 'own', provider_name: 'here' });
    expect(await get('moving')).to.include({ value: 'own', provider_name: 'here' });
    vault.stored.set('base', { moving: { typed: true } });
    const moved = await rest.call('PATCH', '/secrets/moving', { body: { provider_name: 'vault' } });
    expect(moved.status, moved.text).to.equal(200);
    expect(await get('moving')).to.include({ value: '{"typed":true}', provider_name: 'vault' });
  });

  it('hide options with the value of a hidden secret', async () => {
    await put('hidden', { provider_name: 'vault', provider_options: { path: 'x' }, is_hidden_value: true });
    expect(await get('hidden', ada)).to.include({ value: '', provider_options: null, provider_name: 'vault' });
  });

  it('travel with exported secrets', async () => {
    const exported = (await rest.call('GET', '/secrets/share/export?key=password')).json<Record<string, unknown>[]>();
    expect(exported[0]).to.include({ value: 'second', provider: 'vault', provider_options: '{"path":"team"}' });
    expect((await rest.call('DELETE', '/secrets/password')).status).to.equal(204);
    const imported = await rest.call('POST', '/secrets/share/import', {
      body: { secrets_list: [...exported, { ...exported[0], key: 'b', provider: 'moon' }], override_collisions: false },
    });
    const { secrets_errors: errors } = imported.json<{ secrets_errors: Record<string, object> }>();
    expect(Object.keys(errors)).to.deep.equal(['1']);
    expect(errors['1']).to.have.property('provider');
    expect(await get('password')).to.include({ value: 'second', provider_name: 'vault' });
  });

  it('are changed, and removed when nothing uses them', async () => {
    const changed = await rest.call('PATCH', '/secrets-providers/vault', {
      body: { name: 'vault', visibility: 'tenant', connection_parameters: { ...connection(), path: 'other' } },
    });
    expect(changed.json<Provider>().connection_parameters?.['path']).to.equal('other');
    const used = await rest.call('DELETE', '/secrets-providers/vault');
    expect([used.status, used.json<{ error_code: string }>().error_code]).to.deep.equal([409, 'conflict_error']);
    await rest.call('PUT', '/secrets-providers', { body: { name: 'unused', type: 'local' } });
    expect((await rest.call('DELETE', '/secrets-providers/unused')).status).to.equal(204);
    expect((await rest.call('GET', '/secrets-providers/unused')).status).to.equal(404);
  });

  const probes: [string, () => object, number, string, RegExp][] = [
    ['a wrong token', () => ({ ...connection(), token: 'wrong' }), 400, 'failed_dependency', /status code: 403/],
    ['a path that is not there', () => ({ ...connection(), path: 'moon' }), 400, 'failed_dependency', /404/],
    ['an answer from elsewhere', () => ({ ...connection(), path: 'moved' }), 400, 'failed_dependency', /302/],
    [
      'a host that is not allowed',
      () => ({ ...connection(), url: 'http://169.254.169.254' }),
      400,
      'failed_dependency',
      /GANTRY_SECRET_HOSTS/,
    ],
    [
      'a URL that is none',
      () => ({ ...connection(), url: 'file:///etc/passwd' }),
      400,
      'failed_dependency',
      /Cannot fetch|URL/,
    ],
    [
      'no token',
      () => ({ ...connection(), token: '' }),
      400,
      'bad_parameters_error',
      /needs the connection parameters token/,
    ],
  ];
  for (const [what, parameters, status, code, message] of probes) {
    it(`say what is wrong with ${what}`, async () => {
      const body = { name: 'x', type: 'vault', test: true, connection_parameters: parameters() };
      const answer = await rest.call('PUT', '/secrets-providers', { body });
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([status, code]);
      expect(answer.json<{ message: string }>().message).to.match(message).and.not.contain(vault.token);
    });
  }

  const refused: [string, string, string, object, number, RegExp][] = [
    ['an unknown type', 'PUT', '/secrets-providers', { name: 'x', type: 'wallet' }, 400, /local, vault, cloudify/],
    ['no type', 'PUT', '/secrets-providers', { name: 'x' }, 400, /type/],
    ['a name that is none', 'PUT', '/secrets-providers', { name: 'a b', type: 'local' }, 400, /illegal characters/],
    ['a name twice', 'PUT', '/secrets-providers', { name: 'here', type: 'local' }, 409, /already exists/],
    ['to try an unknown one', 'PUT', '/secrets-providers', { name: 'moon', test: true }, 404, /moon/],
    ['to change an unknown one', 'PATCH', '/secrets-providers/moon', {}, 404, /moon/],
    ['to narrow who sees one', 'PATCH', '/secrets-providers/here', { visibility: 'private' }, 400, /visibility/],
    ['a secret of an unknown one', 'PUT', '/secrets/x', { provider_name: 'moon' }, 404, /moon/],
    [
      'options that are none',
      'PUT',
      '/secrets/x',
      { provider_name: 'here', value: 'v', provider_options: '[' },
      400,
      /JSON object/,
    ],
    ['a local secret without value', 'PUT', '/secrets/x', { provider_name: 'here' }, 400, /must be a non-empty text/],
    ['a secret without value', 'PUT', '/secrets/x', {}, 400, /Missing value/],
  ];
  for (const [what, method, path, body, status, message] of refused) {
    it(`refuse ${what}`, async () => {
      const answer = await rest.call(method, path, { body });
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
