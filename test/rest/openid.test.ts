import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CommandLine } from '../kit/command-line.ts';
import { OpenIdStandIn } from '../kit/openid-provider.ts';
import { RestService } from './kit.ts';
import type { Answer } from './kit.ts';

const publicUrl = 'https://manager.example.com';
const afterwards = '/console/auth/callback';

/** What a client that begins a login keeps to itself, and what it tells. */
function newSecret(): { verifier: string; challenge: string } {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

describe('logins by OpenID Connect', function () {
  this.timeout(60_000);
  let rest: RestService;
  let folder: string;
  let standIn: OpenIdStandIn;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-openid-'));
    standIn = await OpenIdStandIn.start();
    await writeFile(join(folder, 'secret'), standIn.clientSecret);
    rest = await RestService.start({
      hasEngine: false,
      environment: {
        GANTRY_PUBLIC_URL: `${publicUrl}/`,
        GANTRY_OIDC_ISSUER: standIn.issuer,
        GANTRY_OIDC_CLIENT_ID: standIn.clientId,
        GANTRY_OIDC_CLIENT_SECRET_FILE: join(folder, 'secret'),
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
    await standIn?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(() => {
    standIn.misbehaviour = {};
    standIn.user = { sub: '1', preferred_username: 'ada', email: 'ada@example.com', groups: ['cloud builders'] };
  });

  let callers = 0;
  const from = (): Record<string, string> => ({ 'x-forwarded-for': `192.0.2.${(callers += 1)}` });

  /** One step of a browser. The manager is reached by its public address, which leads to the one under test. */
  async function step(url: URL | string, cookie?: string): Promise<Response> {
    return fetch(String(url).replace(publicUrl, rest.origin), {
      redirect: 'manual',
      headers: { ...from(), ...(cookie === undefined ? {} : { cookie }) },
    });
  }

  const locationOf = (response: Response): URL => new URL(response.headers.get('location') ?? '', publicUrl);

  async function begin(challenge: string, returnTo = afterwards): Promise<{ url: URL; cookie: string; raw: string }> {
    const query = new URLSearchParams({ challenge, return_to: returnTo }).toString();
    const response = await step(`${rest.origin}/api/v3.1/oidc/login?${query}`);
    expect(response.status, await response.text()).to.equal(302);
    const raw = response.headers.get('set-cookie') ?? '';
    return { url: locationOf(response), cookie: raw.split(';')[0] ?? '', raw };
  }

  /** A browser that goes to the provider and comes back. @returns where the manager leads it in the end */
  async function browse(challenge: string, returnTo = afterwards): Promise<URL> {
    const { url, cookie } = await begin(challenge, returnTo);
    return locationOf(await step(locationOf(await step(url)), cookie));
  }

  function exchange(code: string | null, verifier: string, headers = from(), process = rest): Promise<Answer> {
    const body = { login_code: code, login_verifier: verifier };
    return process.call('POST', '/tokens', { user: '', tenant: null, headers, body });
  }

  const messageOf = (answer: Answer): string => answer.json<{ message: string }>().message;

  it('end with a token for the client that began them, with the roles of the groups at the provider', async () => {
    const { verifier, challenge } = newSecret();
    const end = await browse(challenge);
    expect(`${end.origin}${end.pathname}`).to.equal(`${publicUrl}${afterwards}`);
    const answer = await exchange(end.searchParams.get('code'), verifier);
    expect(answer.status, answer.text).to.equal(200);
    const { value, expiration_date: expiration } = answer.json<{ value: string; expiration_date: string }>();
    expect((Date.parse(expiration) - Date.now()) / 3_600_000).to.be.within(9.9, 10.1);
    const user = (await rest.call('GET', '/user?_get_data=true', { token: value })).json<object>();
    expect(user).to.deep.include({ username: 'ada', groups: ['builders'] });
    expect((await rest.call('GET', '/blueprints', { token: value })).status).to.equal(200);
    expect((await rest.call('GET', '/idp')).body).to.equal('oidc');
    expect((await rest.call('GET', '/oidc', { user: '' })).body).to.deep.equal({
      enabled: true,
      login_url: `${publicUrl}/api/v3.1/oidc/login`,
    });
  });

  it('lead a browser to the command line that waits on its machine', async () => {
    const end = await browse(newSecret().challenge, 'http://127.0.0.1:49152/done?x=1');
    expect(`${end.origin}${end.pathname}`).to.equal('http://127.0.0.1:49152/done');
    expect([...end.searchParams.keys()]).to.deep.equal(['x', 'code']);
  });

  it('end with a token in the profile of the command line', async () => {
    const line = await CommandLine.open();
    try {
      /** The browser of the person: to the manager, the provider, the manager and the command line. */
      const browse = async (url: string): Promise<void> => {
        const first = await step(url);
        const cookie = (first.headers.get('set-cookie') ?? '').split(';')[0];
        await step(locationOf(await step(locationOf(await step(locationOf(first))), cookie)));
      };
      const login = await line.run(['profiles', 'login', rest.origin], {
        isInteractive: true,
        browse: (url) => void browse(url),
      });
      expect(login.code, login.errors).to.equal(0);
      const blueprints = await line.run(['blueprints', 'list', '--json']);
      expect([blueprints.code, JSON.parse(blueprints.output)]).to.deep.equal([0, []]);
      const tokens = await line.run(['tokens', 'list', '--json']);
      expect(tokens.output).to.contain('"username": "ada"').and.contain('"gantry on ');
    } finally {
      await line.close();
    }
  });

  it('keep what the browser must bring back in a cookie that only this manager reads', async () => {
    const { url, raw } = await begin(newSecret().challenge);
    expect(raw).to.match(
      /^gantry-login=[\w.-]+; Path=\/api\/v3\.1\/oidc\/callback; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/,
    );
    expect(raw).not.to.contain(url.searchParams.get('state') ?? 'nothing');
    expect(url.searchParams.get('redirect_uri')).to.equal(`${publicUrl}/api/v3.1/oidc/callback`);
    const back = await step(`${publicUrl}/api/v3.1/oidc/callback?code=x`, raw.split(';')[0]);
    expect(back.headers.get('set-cookie')).to.match(/^gantry-login=; .*Max-Age=0;/);
  });

  const elsewhere = ['https://evil.example.com/', '//evil.example.com', '/\\evil.example.com', 'http://127.0.0.1/', ''];
  for (const returnTo of elsewhere) {
    it(`lead no browser to ${JSON.stringify(returnTo)}`, async () => {
      const query = new URLSearchParams({ challenge: newSecret().challenge, return_to: returnTo }).toString();
      const response = await step(`${rest.origin}/api/v3.1/oidc/login?${query}`);
      expect([response.status, response.headers.get('location')]).to.deep.equal([400, null]);
    });
  }

  it('begin only with the hash of a secret', async () => {
    for (const challenge of ['', 'short', `${'a'.repeat(42)}=`]) {
      const query = new URLSearchParams({ challenge, return_to: afterwards }).toString();
      expect((await step(`${rest.origin}/api/v3.1/oidc/login?${query}`)).status).to.equal(400);
    }
  });

  it('do not end in a browser that did not begin them', async () => {
    const own = await begin(newSecret().challenge);
    const callback = locationOf(await step(own.url));
    const other = await begin(newSecret().challenge);
    for (const cookie of [undefined, 'gantry-login=forged', `other=${own.cookie}`]) {
      const response = await step(callback, cookie);
      expect([response.status, response.headers.get('location')]).to.deep.equal([401, null]);
    }
    const end = locationOf(await step(callback, other.cookie));
    expect(end.searchParams.get('code'), 'a login that somebody else began').to.equal(null);
    expect(end.searchParams.get('error')).to.equal('unauthorized_error');
  });

  it('give a token once, and to the client only that began them', async () => {
    const { verifier, challenge } = newSecret();
    const code = (await browse(challenge)).searchParams.get('code') ?? '';
    const stolen = await exchange(code, newSecret().verifier);
    expect([stolen.status, messageOf(stolen)]).to.deep.equal([
      401,
      'User unauthorized: The code of the login is of another client, or older than a minute; log in again',
    ]);
    const beside = await rest.startBeside();
    try {
      const processes = [rest, beside, rest, beside];
      const answers = await Promise.all(processes.map((each) => exchange(code, verifier, from(), each)));
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 401, 401, 401]);
    } finally {
      await beside.stop();
    }
    expect((await exchange('forged', verifier)).status).to.equal(401);
    const cookie = (await begin(challenge)).cookie.replace('gantry-login=', '');
    expect((await exchange(cookie, verifier)).status, 'what is for another purpose').to.equal(401);
  });

  it('tell the client why they are refused', async () => {
    const refused: [() => void, RegExp][] = [
      [() => (standIn.user = {}), /refused: the provider says access_denied/],
      [() => (standIn.misbehaviour = { signature: 'other key' }), /refused: JWT signature verification failed/],
      [() => (standIn.user = { sub: '0', preferred_username: 'Admin' }), /no identity provider may speak for it/],
      [() => (standIn.user = { sub: '0', preferred_username: 'a b' }), /user name that cannot be used here/],
    ];
    for (const [prepare, reason] of refused) {
      standIn.misbehaviour = {};
      standIn.user = { sub: '1', preferred_username: 'ada' };
      prepare();
      const end = await browse(newSecret().challenge);
      expect(end.origin).to.equal(publicUrl);
      expect(end.searchParams.get('error')).to.equal('unauthorized_error');
      expect(end.searchParams.get('error_description'))
        .to.match(/^User unauthorized: /)
        .and.match(reason);
      expect(end.searchParams.has('code')).to.equal(false);
    }
    await rest.services.audit.flush();
    const { items } = (await rest.call('GET', '/audit?order_by=id&desc=true&size=50')).json<{
      items: { ref_table: string; ref_id: number; ref_identifier: { id: string } }[];
    }>();
    const noted = items.filter(({ ref_identifier: what }) => what?.id === 'GET /api/v3.1/oidc/callback');
    expect(noted.filter(({ ref_id: status }) => status === 401)).to.have.length.at.least(4);
  });

  it('are refused to whoever was deactivated, with the words of every other login', async () => {
    standIn.user = { sub: '2', preferred_username: 'asleep' };
    const first = newSecret();
    await exchange((await browse(first.challenge)).searchParams.get('code'), first.verifier);
    await rest.call('POST', '/users/active/asleep', { body: { action: 'deactivate' } });
    const second = newSecret();
    const answer = await exchange((await browse(second.challenge)).searchParams.get('code'), second.verifier);
    expect([answer.status, messageOf(answer)]).to.deep.equal([
      401,
      'User unauthorized: Authentication failed for <User username=`asleep`>. Wrong credentials or locked account',
    ]);
  });

  it('leave the password here to the first administrator only', async () => {
    await rest.database.query(
      `insert into users (username, role_id, password_hash) select 'local', role_id, password_hash from users where id = 0`,
    );
    expect((await rest.call('GET', '/version', { user: 'local' })).status).to.equal(401);
    expect((await rest.call('GET', '/version')).status).to.equal(200);
    expect((await rest.call('PUT', '/users', { body: { username: 'new', password: 'new-password' } })).status).to.equal(
      400,
    );
  });

  it('are an outage while the provider is away', async () => {
    const { url, cookie } = await begin(newSecret().challenge);
    const callback = locationOf(await step(url));
    const [ending] = await Promise.all([step(callback, cookie), standIn.hangUpOn('/token')]);
    const end = locationOf(ending);
    expect(end.searchParams.get('error')).to.equal('manager_unavailable');
    expect(end.searchParams.get('error_description')).not.to.contain(standIn.clientSecret);
  });

  const post = (path: string, body: object, headers = from()): Promise<Answer> =>
    rest.call('POST', path, { user: '', tenant: null, headers, body });

  it('on another device end with a token for the client that began them', async () => {
    standIn.deviceAnswer = 'pending';
    const { verifier, challenge } = newSecret();
    const begun = await post('/oidc/device', { challenge });
    expect(begun.status, begun.text).to.equal(200);
    const { device, ...shown } = begun.json<{ device: string }>();
    expect(shown).to.deep.equal({
      user_code: 'ABCD-EFGH',
      verification_uri: `${standIn.issuer}/activate`,
      verification_uri_complete: `${standIn.issuer}/activate?user_code=ABCD-EFGH`,
      expires_in: 600,
    });
    const waiting = post('/oidc/device/code', { device });
    standIn.deviceAnswer = 'yes';
    const ended = await waiting;
    expect(ended.status, ended.text).to.equal(200);
    const { code } = ended.json<{ code: string }>();
    expect((await exchange(code, newSecret().verifier)).status).to.equal(401);
    expect((await exchange(code, verifier)).json<{ username: string }>().username).to.equal('ada');
  });

  it('on another device are refused when the user says no there, or nobody began them', async () => {
    const { device } = (await post('/oidc/device', { challenge: newSecret().challenge })).json<{ device: string }>();
    standIn.deviceAnswer = 'no';
    const no = await post('/oidc/device/code', { device });
    expect([no.status, messageOf(no)]).to.deep.equal([
      401,
      'User unauthorized: The login by OpenID Connect is refused: the provider says access_denied',
    ]);
    expect((await post('/oidc/device/code', { device: 'forged' })).status).to.equal(401);
  });

  it('on other devices are begun ten times a minute from one address', async () => {
    const headers = from();
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 11; attempt += 1) {
      statuses.push((await post('/oidc/device', { challenge: newSecret().challenge }, headers)).status);
    }
    expect(statuses).to.deep.equal([...Array<number>(10).fill(200), 429]);
  });
});
