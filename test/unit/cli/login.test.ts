import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { CommandLine } from '../../kit/command-line.ts';
import { FakeManager } from '../../kit/fake-manager.ts';
import type { FakeAnswer, FakeHandler, SeenRequest } from '../../kit/fake-manager.ts';

const hash = (text: string): string => createHash('sha256').update(text).digest('base64url');

function refused(message: string): FakeAnswer {
  return { status: 401, body: { error_code: 'unauthorized_error', message, server_traceback: null } };
}

describe('logging in by the identity provider', () => {
  let line: CommandLine;
  let manager: FakeManager;
  let challenge: string;
  /** Answers that come before the usual ones. */
  let special: FakeHandler;

  const bodyOf = ({ body }: SeenRequest): Record<string, string> =>
    JSON.parse(body.toString()) as Record<string, string>;

  const answer = (request: SeenRequest): FakeAnswer | undefined => {
    const { method, path, query } = request;
    const own = special(request);
    if (own) {
      return own;
    }
    switch (`${method} ${path.replace('/api/v3.1', '')}`) {
      case 'GET /oidc':
        return { body: { enabled: true, login_url: `${manager.url}/api/v3.1/oidc/login` } };
      case 'GET /oidc/login':
        challenge = query.get('challenge') ?? '';
        return { status: 302, headers: { location: `${query.get('return_to')}?code=the-code` } };
      case 'POST /oidc/device':
        challenge = bodyOf(request)['challenge'] ?? '';
        return {
          body: {
            device: 'the-device',
            user_code: 'ABCD-EFGH',
            verification_uri: 'https://idp.example.com/activate',
            verification_uri_complete: 'https://idp.example.com/activate?user_code=ABCD-EFGH',
            expires_in: 600,
          },
        };
      case 'POST /oidc/device/code':
        return bodyOf(request)['device'] === 'the-device' ? { body: { code: 'the-code' } } : undefined;
      case 'POST /tokens': {
        const { login_code: code, login_verifier: verifier = '' } = bodyOf(request);
        return code === 'the-code' && hash(verifier) === challenge
          ? { body: { username: 'ada', value: 'ctok-the-token', expiration_date: '2030-01-01T10:00:00.000Z' } }
          : refused('User unauthorized: wrong code');
      }
      default:
        return undefined;
    }
  };

  beforeEach(async () => {
    special = () => undefined;
    challenge = '';
    line = await CommandLine.open();
    manager = await FakeManager.start(answer);
  });

  afterEach(async () => {
    await line.close();
    await manager.stop();
  });

  /** A person with a browser, who says yes to everything. */
  const browse = (url: string): void => {
    void fetch(url).then((response) => response.text());
  };

  async function profiles(): Promise<{ active?: string; profiles: Record<string, Record<string, string>> }> {
    const text = await readFile(join(line.folder, 'profiles.json'), 'utf8').catch(() => '{"profiles":{}}');
    return JSON.parse(text) as { profiles: Record<string, Record<string, string>> };
  }

  it('leads a browser there and back, and keeps the token in a profile', async () => {
    const words = ['profiles', 'login', manager.url, '--name', 'work', '--tenant', 'test', '--expiration', '+8h'];
    const outcome = await line.run(words, { isInteractive: true, browse });
    expect(outcome.code, outcome.errors).to.equal(0);
    expect(outcome.errors).to.contain(`Log in with a browser on this machine: ${manager.url}/api/v3.1/oidc/login?`);
    const token = bodyOf(manager.seen.at(-1) as SeenRequest);
    expect(token['expiration_date']).to.equal('+8h');
    expect(token['description']).to.match(/^gantry on /);
    expect(await profiles()).to.deep.equal({
      active: 'work',
      profiles: { work: { url: manager.url, tenant: 'test', username: 'ada', token: 'ctok-the-token' } },
    });
    expect(`${outcome.output}${outcome.errors}`).not.to.contain('ctok-the-token');
    expect(manager.seen.map(({ headers }) => headers.authorization)).to.deep.equal(manager.seen.map(() => undefined));
  });

  it('takes the place of a password in the profile in use', async () => {
    special = ({ path }) => (path === '/api/version' ? { body: {} } : undefined);
    await line.run(['profiles', 'use', manager.url, '--username', 'bob', '--name', 'here'], { secret: 'pw' });
    const outcome = await line.run(['profiles', 'login', '--json'], { isInteractive: true, browse });
    expect(JSON.parse(outcome.output)).to.deep.equal({
      active: 'here',
      url: manager.url,
      username: 'ada',
      expires: '2030-01-01T10:00:00.000Z',
    });
    const { here } = (await profiles()).profiles;
    expect(here).to.include({ username: 'ada', token: 'ctok-the-token' }).and.not.have.property('password');
  });

  it('works on a machine without browser, and asks again while nobody has logged in', async () => {
    let asked = 0;
    special = ({ path }) => {
      if (!path.endsWith('/oidc/device/code')) {
        return undefined;
      }
      asked += 1;
      return asked < 3 ? { status: 204 } : undefined;
    };
    const outcome = await line.run(['profiles', 'login', manager.url, '--device', '--quiet']);
    expect(outcome.code, outcome.errors).to.equal(0);
    expect(outcome.errors).to.contain(
      'Open https://idp.example.com/activate on any device and enter the code ABCD-EFGH',
    );
    expect(asked).to.equal(3);
    expect(Object.values((await profiles()).profiles)).to.have.length(1);
  });

  const failures: [string, FakeHandler, number, RegExp][] = [
    [
      'a provider that refuses',
      ({ path, query }) =>
        path.endsWith('/oidc/login')
          ? {
              status: 302,
              headers: {
                location: `${query.get('return_to')}?error=unauthorized_error&error_description=No+such+user`,
              },
            }
          : undefined,
      1,
      /error: No such user/,
    ],
    [
      'a manager without provider',
      ({ path }) => (path.endsWith('/oidc') ? { body: { enabled: false, login_url: null } } : undefined),
      1,
      /does not let anybody log in by an identity provider[^]*gantry profiles use/,
    ],
    [
      'a code that is refused',
      ({ path }) => (path.endsWith('/tokens') ? refused('User unauthorized: x') : undefined),
      4,
      /unauthorized/,
    ],
  ];
  for (const [what, handler, code, reason] of failures) {
    it(`tells of ${what}, and stores nothing`, async () => {
      special = handler;
      const outcome = await line.run(['profiles', 'login', manager.url], { isInteractive: true, browse });
      expect([outcome.code, outcome.errors]).to.satisfy(
        ([found, errors]: [number, string]) => found === code && reason.test(errors),
        outcome.errors,
      );
      expect(await profiles()).to.deep.equal({ profiles: {} });
    });
  }

  it('listens to nobody who does not know where, and ends with Ctrl-C', async () => {
    const abort = new AbortController();
    const strangers: number[] = [];
    const outcome = await line.run(['profiles', 'login', manager.url], {
      isInteractive: true,
      signal: abort.signal,
      browse: (url) => {
        const { origin } = new URL(new URL(url).searchParams.get('return_to') ?? '');
        void fetch(`${origin}/?code=forged`)
          .then(({ status }) => strangers.push(status))
          .finally(() => abort.abort());
      },
    });
    expect([outcome.code, strangers]).to.deep.equal([130, [404]]);
    expect(manager.seen.some(({ path }) => path.endsWith('/tokens'))).to.equal(false);
  });

  it('wants to know which manager', async () => {
    const outcome = await line.run(['profiles', 'login']);
    expect([outcome.code, outcome.errors]).to.satisfy(
      ([code, errors]: [number, string]) => code === 2 && errors.includes('No manager chosen'),
    );
    expect((await line.run(['profiles', 'login', 'nowhere'])).errors).to.contain('There is no profile nowhere');
  });
});
