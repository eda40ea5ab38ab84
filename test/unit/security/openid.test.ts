import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { OpenIdConfig } from '../../../src/config/identity-providers.ts';
import type { ExternalUser } from '../../../src/security/external-user.ts';
import { OpenIdProvider, readClientSecret } from '../../../src/security/openid.ts';
import { OpenIdStandIn } from '../../kit/openid-provider.ts';
import type { Misbehaviour } from '../../kit/openid-provider.ts';

const callback = 'https://manager.example.com/api/v3.1/oidc/callback';
const secrets = { state: 's'.repeat(43), nonce: 'n'.repeat(43), verifier: 'v'.repeat(43) };
const now = Math.floor(Date.now() / 1000);

describe('an OpenID Connect provider', () => {
  let standIn: OpenIdStandIn;
  let folder: string;
  let config: OpenIdConfig;
  let provider: OpenIdProvider;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-openid-'));
  });

  after(() => rm(folder, { recursive: true, force: true }));

  beforeEach(async () => {
    standIn = await OpenIdStandIn.start();
    const clientSecretFile = join(folder, 'secret');
    await writeFile(clientSecretFile, `${standIn.clientSecret}\n`);
    config = {
      issuer: standIn.issuer,
      clientId: standIn.clientId,
      clientSecretFile,
      scope: 'openid profile email',
      usernameClaim: 'preferred_username',
      groupsClaim: 'groups',
      publicUrl: 'https://manager.example.com',
    };
    provider = new OpenIdProvider(config, () => Date.now());
  });

  afterEach(async () => {
    provider.stop();
    await standIn.stop();
  });

  /** Leads a browser there and back. @returns where it comes back to */
  async function visit(): Promise<URL> {
    const url = await provider.authorizationUrl(callback, secrets);
    const { headers } = await fetch(url, { redirect: 'manual' });
    return new URL(headers.get('location') ?? '');
  }

  const login = async (): Promise<ExternalUser> => provider.redeem(await visit(), secrets);

  async function refusal(attempt: Promise<unknown> = login()): Promise<string> {
    return attempt.then(
      () => 'let in',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  }

  it('says who it is, asking for what is not in its token', async () => {
    standIn.user = {
      sub: '1',
      preferred_username: 'ada',
      email: 'ada@example.com',
      given_name: 'Ada',
      family_name: 'Lovelace',
      groups: ['builders'],
    };
    const expected = {
      username: 'ada',
      email: 'ada@example.com',
      firstName: 'Ada',
      lastName: 'Lovelace',
      groups: ['builders'],
    };
    expect(await login()).to.deep.equal(expected);
    expect(standIn.asked).not.to.include('/userinfo');
    const { groups, ...others } = standIn.user;
    standIn.user = others;
    standIn.misbehaviour = { userinfo: { groups, preferred_username: 'somebody else' } };
    expect(await login(), 'the signed token counts').to.deep.equal(expected);
    expect(standIn.asked).to.include('/userinfo');
  });

  it('is asked to describe itself once, and for its keys each time, so that they may change', async () => {
    await login();
    standIn.rotateKeys();
    await login();
    expect(standIn.asked.filter((path) => path.startsWith('/.well-known'))).to.have.length(1);
    expect(standIn.asked.filter((path) => path === '/keys')).to.have.length(2);
  });

  it('is sent no secret of the browser, and only the hash of what proves that it comes back to who sent it', async () => {
    const url = await provider.authorizationUrl(callback, secrets);
    expect(Object.fromEntries(url.searchParams)).to.include({
      client_id: 'gantry',
      response_type: 'code',
      redirect_uri: callback,
      scope: 'openid profile email',
      code_challenge_method: 'S256',
    });
    expect(url.href).not.to.contain(secrets.verifier);
  });

  const wrongTokens: [string, Misbehaviour, RegExp][] = [
    ['one that is not signed', { header: { alg: 'none' }, signature: 'none' }, /OpenIdRefusal/],
    [
      'one signed with the secret of the client',
      { header: { alg: 'HS256' }, signature: 'client secret' },
      /OpenIdRefusal/,
    ],
    ['one signed with another key', { signature: 'other key' }, /OpenIdRefusal: .*signature/],
    ['one signed with a key that nobody knows', { header: { kid: 'unknown' } }, /OpenIdRefusal: .*key/],
    ['one whose signature is cut short', { signature: 'cut' }, /OpenIdRefusal: .*signature/],
    ['one for another client', { claims: (claims) => ({ ...claims, aud: 'other' }) }, /OpenIdRefusal: .*aud/],
    [
      'one for several clients of which another one may use it',
      { claims: (claims) => ({ ...claims, aud: ['gantry', 'other'], azp: 'other' }) },
      /OpenIdRefusal: .*azp/,
    ],
    ['one of another issuer', { claims: (claims) => ({ ...claims, iss: 'https://evil' }) }, /OpenIdRefusal: .*iss/],
    ['one that has ended', { claims: (claims) => ({ ...claims, exp: now - 3600 }) }, /OpenIdRefusal: .*exp|timestamp/],
    [
      'one that holds later',
      { claims: (claims) => ({ ...claims, nbf: now + 3600 }) },
      /OpenIdRefusal: .*nbf|timestamp/,
    ],
    ['one without an end', { claims: ({ exp: _exp, ...claims }) => claims }, /OpenIdRefusal: .*exp/],
    ['one of another login', { claims: (claims) => ({ ...claims, nonce: 'other' }) }, /OpenIdRefusal: .*nonce/],
    ['one without the login', { claims: ({ nonce: _nonce, ...claims }) => claims }, /OpenIdRefusal: .*nonce/],
    ['one of nobody', { claims: ({ sub: _sub, ...claims }) => claims }, /OpenIdRefusal: .*sub/],
    [
      'one whose user has no name',
      { claims: ({ preferred_username: _name, ...claims }) => claims, userinfo: { preferred_username: '' } },
      /OpenIdRefusal: there is no claim preferred_username.*GANTRY_OIDC_USERNAME_CLAIM/,
    ],
    ['what is said of somebody else', { userinfo: { sub: '2' } }, /OpenIdRefusal/],
    [
      'one whose groups are too many',
      { claims: (claims) => ({ ...claims, _claim_names: { groups: 'src1' } }) },
      /OpenIdRefusal: the user is in more groups/,
    ],
  ];
  for (const [what, misbehaviour, reason] of wrongTokens) {
    it(`is not believed: ${what}`, async () => {
      standIn.misbehaviour = misbehaviour;
      expect(await refusal()).to.match(reason);
    });
  }

  it('is not believed a mail address as a name unless it is verified', async () => {
    provider = new OpenIdProvider({ ...config, usernameClaim: 'email' }, () => Date.now());
    for (const [verified, expected] of [
      [undefined, /does not say that the address is verified/],
      [false, /does not say that the address is verified/],
      ['yes', /does not say that the address is verified/],
      [true, /^let in$/],
    ] as const) {
      standIn.user = { sub: '1', email: 'ada@example.com', email_verified: verified, groups: [] };
      expect(await refusal(), String(verified)).to.match(expected);
    }
  });

  it('is not believed what comes back to a browser with another state, or a second time', async () => {
    const url = await visit();
    const other = new URL(url);
    other.searchParams.set('state', 'other');
    expect(await refusal(provider.redeem(other, secrets))).to.match(/OpenIdRefusal: .*state/);
    expect(await refusal(provider.redeem(url, { ...secrets, verifier: 'w'.repeat(43) }))).to.match(/invalid_grant/);
    expect(await refusal(provider.redeem(url, secrets)), 'the code is used').to.match(/invalid_grant/);
  });

  it('says why it lets nobody in', async () => {
    standIn.user = {};
    expect(await refusal()).to.equal('OpenIdRefusal: the provider says access_denied, The user said no');
  });

  const outages: [string, () => void, RegExp][] = [
    [
      'is not there',
      () => (config = { ...config, issuer: `${standIn.issuer}/other` }),
      /unexpected HTTP response status/,
    ],
    [
      'calls itself otherwise',
      () => (standIn.misbehaviour = { issuer: 'https://other' }),
      /does not match the expected/,
    ],
    ['does not know this manager', () => (config = { ...config, clientId: 'other' }), /does not take the client/],
  ];
  for (const [what, prepare, reason] of outages) {
    it(`that ${what} is an outage, which names it and the settings`, async () => {
      prepare();
      provider = new OpenIdProvider(config, () => Date.now());
      expect(await refusal())
        .to.match(/^GantryError: The OpenID Connect provider http:.*did not answer as it should.*GANTRY_OIDC_/)
        .and.match(reason);
    });
  }

  it('that has gone is an outage, too', async () => {
    const gone = await OpenIdStandIn.start();
    const { issuer } = gone;
    await gone.stop();
    provider = new OpenIdProvider({ ...config, issuer }, () => Date.now());
    expect(await refusal()).to.match(/^GantryError: .*ECONNREFUSED/);
  });

  it('is asked again for its description after it could not give one', async () => {
    standIn.misbehaviour = { silentOn: '/.well-known/openid-configuration' };
    const attempt = refusal();
    provider.stop();
    expect(await attempt).to.match(/GantryError/);
    standIn.misbehaviour = {};
    provider = new OpenIdProvider(config, () => Date.now());
    expect((await login()).username).to.equal('ada');
  });

  it('keeps nobody waiting who has stopped', async () => {
    await login();
    standIn.misbehaviour = { silentOn: '/token' };
    const url = await visit();
    const attempt = refusal(provider.redeem(url, secrets));
    provider.stop();
    expect(await attempt).to.match(/GantryError: .*abort/);
  });

  it('lets users log in on another device', async () => {
    expect(await provider.takesDevices()).to.equal(true);
    const begun = await provider.beginDevice();
    expect(begun).to.deep.include({
      userCode: 'ABCD-EFGH',
      verificationUrl: `${standIn.issuer}/activate`,
      expiresIn: 600,
    });
    const waiting = provider.awaitDevice(begun, new AbortController().signal);
    standIn.deviceAnswer = 'yes';
    expect((await waiting).username).to.equal('ada');
    standIn.deviceAnswer = 'no';
    expect(await refusal(provider.awaitDevice(begun, new AbortController().signal))).to.match(/access_denied/);
    standIn.deviceAnswer = 'yes';
    standIn.misbehaviour = { signature: 'other key' };
    expect(await refusal(provider.awaitDevice(begun, new AbortController().signal))).to.match(/signature/);
  });

  it('is not asked about another device any more when nobody waits', async () => {
    const begun = await provider.beginDevice();
    const abort = new AbortController();
    const waiting = refusal(provider.awaitDevice(begun, abort.signal));
    abort.abort();
    expect(await waiting).to.match(/AbortError/);
  });

  it('is shown a secret that can be read, or the setting is named', async () => {
    const messageOf = (file: string): Promise<string> =>
      readClientSecret({ ...config, clientSecretFile: file }).then(
        () => 'read',
        (error: Error) => error.message,
      );
    await writeFile(join(folder, 'empty'), '\n');
    expect(await messageOf(join(folder, 'empty'))).to.match(/^GANTRY_OIDC_CLIENT_SECRET_FILE: .*is empty. Store/);
    expect(await messageOf(join(folder, 'nothing'))).to.match(/^GANTRY_OIDC_CLIENT_SECRET_FILE: ENOENT.*Store/);
    expect(await readClientSecret(config)).to.equal(standIn.clientSecret);
  });
});
