import { expect } from 'chai';
import { LdapServer } from '../kit/ldap-server.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

interface User {
  username: string;
  tenants: Record<string, { roles: string[] }>;
  groups: string[];
}

const people = 'ou=people,dc=example,dc=com';
const groups = 'ou=groups,dc=example,dc=com';

describe('users of an LDAP directory', function () {
  this.timeout(60_000);
  const directory = new LdapServer([
    { dn: 'uid=searcher,dc=example,dc=com', password: 'search', attributes: { uid: ['searcher'] } },
    {
      dn: `uid=ada,${people}`,
      password: 'engine',
      attributes: { uid: ['ada'], mail: ['ada@example.com'], givenName: ['Ada'], sn: ['Lovelace'] },
    },
    { dn: `uid=bob,${people}`, password: 'builder', attributes: { uid: ['bob'] } },
    { dn: `cn=inner,${groups}`, attributes: { cn: ['inner'], member: [`uid=ada,${people}`] } },
    { dn: `cn=outer,${groups}`, attributes: { cn: ['outer'], member: [`cn=inner,${groups}`] } },
  ]);
  let rest: RestService;
  const ada: CallOptions = { user: 'ada', password: 'engine' };
  const settings = (): Record<string, unknown> => ({
    ldap_server: directory.url,
    ldap_domain: 'example.com',
    ldap_username: 'searcher',
    ldap_password: 'search',
    ldap_is_active_directory: false,
    ldap_nested_levels: 2,
  });

  before(async () => {
    await directory.start();
    rest = await RestService.start({ hasEngine: false });
    await rest.call('PUT', '/users', { body: { username: 'local', password: 'local-password' } });
    await rest.call('POST', '/user-groups', {
      body: { group_name: 'builders', ldap_group_dn: `CN=outer, ${groups}`, role: 'default' },
    });
    await rest.call('PUT', '/tenants/user-groups', {
      body: { tenant_name: 'default_tenant', group_name: 'builders', role: 'viewer' },
    });
  });

  after(async () => {
    await rest?.stop();
    directory.stop();
  });

  async function loginStatus(options: CallOptions): Promise<number> {
    return (await rest.call('GET', '/blueprints', options)).status;
  }

  const refusedSettings: [string, Record<string, unknown>, RegExp][] = [
    ['a server without protocol', { ldap_server: 'example.com' }, /ldap:\/\/host:port/],
    ['ldaps without certificate', { ldap_server: 'ldaps://example.com' }, /must be given for ldaps/],
    ['a certificate without ldaps', { ldap_ca_cert: 'PEM' }, /of use for ldaps only/],
    ['an account without password', { ldap_password: null }, /or neither/],
    ['a format that uses what it may not', { ldap_user_filter: '(uid={password})' }, /may use \{username\}/],
    ['a wrong password', { ldap_password: 'wrong' }, /Invalid parameters provided/],
    ['a server that is not there', { ldap_server: 'ldap://127.0.0.1:1' }, /Unable to connect to LDAP Server/],
    ['settings it does not know', { ldap_colour: 'red' }, /Unknown parameters: ldap_colour/],
  ];
  for (const [what, change, message] of refusedSettings) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const answer = await rest.call('POST', '/ldap', { body: { ...settings(), ...change } });
      expect(answer.status, answer.text).to.equal(400);
      expect(answer.json<{ message: string }>().message).to.match(message).and.not.contain('wrong');
      expect((await rest.call('GET', '/ldap')).body).to.equal('disabled');
    });
  }

  it('log in with the password of the directory, and get the roles of their groups there', async () => {
    expect(await loginStatus(ada)).to.equal(401);
    const set = await rest.call('POST', '/ldap', { body: settings() });
    expect(set.status, set.text).to.equal(200);
    expect(set.text).not.to.contain('"search"');
    expect([(await rest.call('GET', '/ldap')).body, (await rest.call('GET', '/idp')).body]).to.deep.equal([
      'enabled',
      'ldap',
    ]);
    const other: CallOptions = { ...ada, headers: { 'x-forwarded-for': '192.0.2.1' } };
    expect(await loginStatus(other)).to.equal(200);
    const user = (await rest.call('GET', '/user?_get_data=true', ada)).json<User>();
    expect(user).to.deep.include({ username: 'ada', groups: ['builders'] });
    expect(user.tenants['default_tenant']?.roles).to.deep.equal(['viewer']);
    const [row] = await rest.database.query(
      `select email, first_name, last_name, password_hash from users where username = 'ada'`,
    );
    expect(row).to.deep.equal({
      email: 'ada@example.com',
      first_name: 'Ada',
      last_name: 'Lovelace',
      password_hash: null,
    });
    const [stored] = await rest.database.query<{ value: string | null; secret: string }>(
      `select value, secret from config where name = 'ldap_password'`,
    );
    expect(stored?.value).to.equal(null);
    expect(stored?.secret).not.to.contain('search');
  });

  it('are asked for once a minute only', async () => {
    const before = directory.binds.length;
    await loginStatus(ada);
    await loginStatus(ada);
    expect(directory.binds).to.have.length(before);
  });

  const refusedLogins: [string, CallOptions][] = [
    ['a wrong password', { user: 'ada', password: 'other' }],
    ['no password, which servers take for nobody', { user: 'bob', password: '' }],
    ['somebody who is not there', { user: 'eve', password: 'x' }],
    ['a name that is a filter', { user: 'a*)(uid=ada', password: 'engine' }],
    ['a password that is kept here', { user: 'local', password: 'local-password' }],
  ];
  for (const [what, options] of refusedLogins) {
    it(`do not get in with ${what}`, async () => {
      expect(await loginStatus(options)).to.equal(401);
    });
  }

  it('lose a group with the one in the directory', async () => {
    const inner = directory.entries.find(({ dn }) => dn.startsWith('cn=inner'));
    inner!.attributes = { ...inner!.attributes, member: [`uid=bob,${people}`] };
    expect(await loginStatus({ user: 'bob', password: 'builder' })).to.equal(200);
    expect((await rest.services.directory.login('ada', 'engine'))?.groups).to.deep.equal([]);
  });

  it('are managed in the directory, not here', async () => {
    const calls: [string, string, object][] = [
      ['PUT', '/users', { username: 'new', password: 'new-password' }],
      ['PUT', '/tenants/users', { tenant_name: 'default_tenant', username: 'ada', role: 'user' }],
      ['PATCH', '/tenants/users', { tenant_name: 'default_tenant', username: 'ada', role: 'user' }],
      ['DELETE', '/tenants/users', { tenant_name: 'default_tenant', username: 'ada' }],
      ['PUT', '/user-groups/users', { username: 'ada', group_name: 'builders' }],
    ];
    for (const [method, path, body] of calls) {
      const answer = await rest.call(method, path, { body });
      expect([answer.status, answer.json<{ error_code: string }>().error_code], `${method} ${path}`).to.deep.equal([
        400,
        'illegal_action_error',
      ]);
    }
  });

  it('cannot log in while the directory is away; the first administrator can', async () => {
    await rest.call('PUT', '/config/ldap_server', { body: { value: 'ldap://127.0.0.1:1' } });
    await rest.call('POST', '/ldap', {
      body: { ...settings(), ldap_username: null, ldap_password: null, ldap_server: 'ldap://127.0.0.1:1' },
    });
    expect(await loginStatus({ user: 'bob', password: 'another' })).to.equal(503);
    expect(await loginStatus({})).to.equal(200);
  });
});

describe('requests with a cookie', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
  });

  after(() => rest?.stop());

  it('lets administrators see the monitoring', async () => {
    const ask = async (cookie?: string): Promise<number> =>
      (await rest.call('GET', '/monitoring-auth', { user: '', ...(cookie ? { headers: { cookie } } : {}) })).status;
    const token = (await rest.call('POST', '/tokens', { body: {} })).json<{ value: string }>().value;
    await rest.call('PUT', '/users', { body: { username: 'plain', password: 'plain-password' } });
    const plain = { user: 'plain', password: 'plain-password', tenant: null, body: {} };
    const other = (await rest.call('POST', '/tokens', plain)).json<{ value: string }>().value;
    expect(await ask(`a=b; XSRF-TOKEN=${token}; c=d`)).to.equal(200);
    expect(await ask(`XSRF-TOKEN=${other}`)).to.equal(403);
    expect(await ask('XSRF-TOKEN=ctok-x-y')).to.equal(401);
    expect(await ask()).to.equal(401);
  });

  it('says that a provider is not set up to whoever brings what it says', async () => {
    const answer = await rest.call('POST', '/tokens', { user: '', body: { 'saml-response': 'eA==' } });
    expect([answer.status, answer.json<{ message: string }>().message]).to.deep.equal([
      401,
      'User unauthorized: SAML logins are not set up; see GANTRY_SAML_CERT_FILE',
    ]);
    const code = { login_code: 'x', login_verifier: 'y' };
    const other = await rest.call('POST', '/tokens', { user: '', body: code });
    expect(other.json<{ message: string }>().message).to.match(
      /OpenID Connect logins are not set up; see GANTRY_OIDC_/,
    );
    for (const [method, path, body] of [
      ['GET', '/oidc/login', undefined],
      ['GET', '/oidc/callback', undefined],
      ['POST', '/oidc/device', { challenge: 'x' }],
      ['POST', '/oidc/device/code', { device: 'x' }],
    ] as const) {
      const refused = await rest.call(method, path, { user: '', body });
      expect([refused.status, refused.text], path).to.satisfy(
        ([status, text]: [number, string]) => status === 404 && text.includes('see GANTRY_OIDC_ISSUER'),
      );
    }
    expect((await rest.call('GET', '/oidc', { user: '' })).body).to.deep.equal({ enabled: false, login_url: null });
    expect((await rest.call('GET', '/idp')).body).to.equal('local');
  });

  it('registers without telling anybody', async () => {
    const contact = { first_name: 'A', last_name: 'B', email: 'a@b', is_eula: true };
    const answer = await rest.call('POST', '/contacts', { body: contact });
    expect(answer.json<{ customer_id: string }>().customer_id).to.match(/^local-/);
    expect((await rest.call('POST', '/contacts', { body: { ...contact, is_eula: false } })).status).to.equal(400);
    const customer = { customer_id: answer.json<{ customer_id: string }>().customer_id };
    expect((await rest.call('POST', '/license', { body: customer })).status).to.equal(200);
  });
});
