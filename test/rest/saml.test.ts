import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SamlProvider } from '../kit/saml-provider.ts';
import type { AssertionOptions } from '../kit/saml-provider.ts';
import { RestService } from './kit.ts';
import type { Answer } from './kit.ts';

interface Token {
  username: string;
  value: string;
  role: string;
  expiration_date: string | null;
  description: string | null;
}

describe('logins by SAML', function () {
  this.timeout(60_000);
  let rest: RestService;
  let folder: string;
  let certificateFile: string;
  let provider: SamlProvider;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-saml-'));
    certificateFile = join(folder, 'idp.pem');
    provider = await SamlProvider.create();
    await writeFile(certificateFile, provider.pair.certificate);
    rest = await RestService.start({
      hasEngine: false,
      environment: {
        GANTRY_SAML_CERT_FILE: certificateFile,
        GANTRY_SAML_AUDIENCE: provider.audience,
        GANTRY_SAML_ISSUER: provider.issuer,
        GANTRY_SAML_RECIPIENT: provider.recipient,
      },
    });
    await rest.call('POST', '/user-groups', {
      body: { group_name: 'builders', ldap_group_dn: 'Cloud Builders', role: 'default' },
    });
    await rest.call('PUT', '/tenants/user-groups', {
      body: { tenant_name: 'default_tenant', group_name: 'builders', role: 'viewer' },
    });
  });

  after(async () => {
    await rest?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Every caller has an address of its own, so that none uses up the attempts of another. */
  let callers = 0;
  const from = (): Record<string, string> => ({ 'x-forwarded-for': `192.0.2.${(callers += 1)}` });

  function login(response: string, body: object = {}, headers = from(), process = rest): Promise<Answer> {
    return process.call('POST', '/tokens', {
      user: '',
      tenant: null,
      headers,
      body: { 'saml-response': response, ...body },
    });
  }

  const person = (username: string, groups: readonly string[] = []): AssertionOptions => ({
    attributes: {
      username: [username],
      firstname: ['Ada'],
      lastname: ['Lovelace'],
      email: [`${username}@example.com`],
      groups,
    },
  });

  const messageOf = (answer: Answer): string => answer.json<{ message: string }>().message;

  it('give a token to whom the provider speaks for, with the roles of the groups there', async () => {
    const answer = await login(provider.answer(person('ada', ['cloud builders', 'unknown here'])));
    expect(answer.status, answer.text).to.equal(200);
    const token = answer.json<Token>();
    expect(token).to.include({ username: 'ada', role: 'default', description: null });
    const hours = (Date.parse(token.expiration_date ?? '') - Date.now()) / 3_600_000;
    expect(hours, 'a day of work').to.be.within(9.9, 10.1);
    const user = (await rest.call('GET', '/user?_get_data=true', { token: token.value })).json<{
      groups: string[];
      tenants: Record<string, { roles: string[] }>;
    }>();
    expect(user.groups).to.deep.equal(['builders']);
    expect(user.tenants['default_tenant']?.roles).to.deep.equal(['viewer']);
    expect((await rest.call('GET', '/blueprints', { token: token.value })).status).to.equal(200);
    const [row] = await rest.database.query(
      `select email, first_name, last_name, password_hash, last_login_at is not null as seen from users where username = 'ada'`,
    );
    expect(row).to.deep.equal({
      email: 'ada@example.com',
      first_name: 'Ada',
      last_name: 'Lovelace',
      password_hash: null,
      seen: true,
    });
  });

  it('take away a group that the provider does not name any more', async () => {
    const answer = await login(provider.answer(person('ada')));
    const { value } = answer.json<Token>();
    expect(
      (await rest.call('GET', '/user?_get_data=true', { token: value })).json<{ groups: [] }>().groups,
    ).to.deep.equal([]);
    expect((await rest.call('GET', '/blueprints', { token: value })).status).to.equal(403);
  });

  it('make the token that the console asks for', async () => {
    const body = { description: 'UI authentication token', expiration_date: '+2h' };
    const token = (await login(provider.answer(person('ada')), body)).json<Token>();
    expect(token.description).to.equal('UI authentication token');
    expect(Date.parse(token.expiration_date ?? '') - Date.now()).to.be.below(2.1 * 3_600_000);
  });

  it('take users whose name is a mail address', async () => {
    const answer = await login(provider.answer(person('grace.hopper+navy@example.com')));
    expect(answer.json<Token>().username).to.equal('grace.hopper+navy@example.com');
  });

  it('use an assertion once, in whatever process and however many come at once', async () => {
    const response = provider.answer(person('once'));
    const beside = await rest.startBeside();
    try {
      const answers = await Promise.all([rest, beside, rest, beside].map((each) => login(response, {}, from(), each)));
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 401, 401, 401]);
      const again = await login(response);
      expect([again.status, messageOf(again)]).to.deep.equal([
        401,
        'User unauthorized: What the identity provider said was used before; log in again',
      ]);
    } finally {
      await beside.stop();
    }
  });

  const refused: [string, () => string, RegExp][] = [
    [
      'nothing signed',
      () => provider.answer(person('eve'), { signed: 'nothing' }),
      /fits its signature, or it has none/,
    ],
    ['what has ended', () => provider.answer({ ...person('eve'), notOnOrAfter: -3_600_000 }), /too old/],
    ['the first administrator', () => provider.answer(person('admin')), /no identity provider may speak for it/],
    ['a name that is none', () => provider.answer(person('a/../b')), /user name that cannot be used here/],
    ['nothing at all', () => '', /not base64/],
  ];
  for (const [what, make, reason] of refused) {
    it(`refuse ${what}, and leave nothing behind`, async () => {
      const answer = await login(make());
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([
        401,
        'unauthorized_error',
      ]);
      expect(messageOf(answer))
        .to.match(/^User unauthorized: /)
        .and.match(reason);
      const [row] = await rest.database.query<{ count: number }>(
        `select count(*) as count from users where username in ('eve', 'a/../b') or (id = 0 and email is not null)`,
      );
      expect(Number(row?.count)).to.equal(0);
    });
  }

  it('refuse whoever was deactivated or locked with the words of every other login', async () => {
    await login(provider.answer(person('asleep')));
    await rest.call('POST', '/users/active/asleep', { body: { action: 'deactivate' } });
    const expected =
      'User unauthorized: Authentication failed for <User username=`asleep`>. Wrong credentials or locked account';
    const inactive = await login(provider.answer(person('asleep')));
    expect([inactive.status, messageOf(inactive)]).to.deep.equal([401, expected]);
    await rest.call('POST', '/users/active/asleep', { body: { action: 'activate' } });
    await rest.call('PUT', '/config/rest.account_lock_period', { body: { value: 10 } });
    await rest.database.query(
      `update users set failed_logins_counter = 100, last_failed_login_at = now() where username = 'asleep'`,
    );
    const locked = await login(provider.answer(person('asleep')));
    expect([locked.status, messageOf(locked)]).to.deep.equal([401, expected]);
    await rest.call('POST', '/users/unlock/asleep');
    expect((await login(provider.answer(person('asleep')))).status).to.equal(200);
  });

  it('leave the password here to the first administrator only', async () => {
    await rest.database.query(
      `update users set password_hash = (select password_hash from users where id = 0) where username = 'ada'`,
    );
    const { status } = await rest.call('GET', '/version', { user: 'ada' });
    expect([status, (await rest.call('GET', '/version')).status]).to.deep.equal([401, 200]);
    const [row] = await rest.database.query<{ failures: number }>(
      `select failed_logins_counter as failures from users where username = 'ada'`,
    );
    expect(row?.failures, 'nobody is locked out by passwords that cannot be right').to.equal(0);
  });

  it('are told by /idp, and users are managed at the provider', async () => {
    expect((await rest.call('GET', '/idp')).body).to.equal('okta');
    expect((await rest.call('GET', '/ldap')).body).to.equal('disabled');
    const answer = await rest.call('PUT', '/users', { body: { username: 'new', password: 'new-password' } });
    expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([
      400,
      'illegal_action_error',
    ]);
  });

  it('count for nothing beside other credentials', async () => {
    const body = { 'saml-response': provider.answer(person('ada')) };
    expect((await rest.call('POST', '/tokens', { body })).json<Token>().username).to.equal('admin');
    expect((await rest.call('POST', '/tokens', { body, password: 'wrong' })).status).to.equal(401);
    expect((await rest.call('POST', '/tokens', { user: '', body: { 'saml-response': 7 } })).status).to.equal(401);
    expect((await rest.call('GET', '/version', { user: '' })).status).to.equal(401);
  });

  it('are in the audit log, those that are refused, too', async () => {
    const headers = from();
    await login(provider.answer(person('ada')), {}, headers);
    await login(provider.answer({}, { signed: 'nothing' }), {}, headers);
    await rest.services.audit.flush();
    const { items } = (await rest.call('GET', '/audit?order_by=id&desc=true&size=20')).json<{
      items: { ref_table: string; operation: string; creator_name?: string; address?: string }[];
    }>();
    const own = items.filter(({ address }) => address === headers['x-forwarded-for']);
    expect(own.map((item) => [item.ref_table, item.creator_name ?? null])).to.deep.include.members([
      ['tokens', 'ada'],
      ['refused_requests', null],
    ]);
  });

  it('are answered with 429 after ten wrong ones a minute from one address', async () => {
    const headers = from();
    for (let attempt = 0; attempt < 10; attempt += 1) {
      expect((await login('bm90aGluZw==', {}, headers)).status).to.equal(401);
    }
    expect((await login(provider.answer(person('ada')), {}, headers)).status).to.equal(429);
    expect((await login(provider.answer(person('ada')))).status, 'elsewhere').to.equal(200);
  });

  it('take the certificate that is in the file now', async () => {
    const next = await SamlProvider.create();
    const response = next.answer(person('ada'));
    expect((await login(response)).status).to.equal(401);
    await writeFile(certificateFile, provider.pair.certificate + next.pair.certificate);
    expect((await login(response)).status).to.equal(200);
  });
});
