import { expect } from 'chai';
import type { Execution, User } from '../../../src/domain/entities.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import { createApiToken, createExecutionToken } from '../../../src/security/tokens.ts';
import { createAuthentication } from '../../../src/services/authentication.ts';
import type { AuthenticationService, Credentials, ExternalLogin } from '../../../src/services/authentication.ts';
import type { Accounts } from '../../../src/store/accounts.ts';

const user: User = {
  id: 7,
  username: 'Ada',
  role: 'default',
  isActive: true,
  createdAt: new Date(0),
  firstLoginAt: undefined,
  lastLoginAt: undefined,
  lastFailedLoginAt: undefined,
  failedLoginsCounter: 0,
  showGettingStarted: true,
  tenantRoles: new Map(),
  directTenantRoles: new Map(),
  groupTenantRoles: new Map(),
  groups: [],
  groupSystemRoles: new Map(),
};

const nothing: Credentials = { executionToken: undefined, token: undefined, basic: undefined, address: 'here' };

describe('authentication', () => {
  let now: number;
  let compared: string;
  let verifications: number;
  let logins: number;
  let failures: number;
  let accounts: Accounts;
  let authentication: AuthenticationService;
  let account: { user: User; passwordHash: string | undefined };

  beforeEach(() => {
    now = 1_000_000_000;
    [verifications, logins, failures] = [0, 0, 0];
    account = { user: { ...user }, passwordHash: 'hash of right' };
    accounts = {
      findByName: async (name) => (name.toLowerCase() === 'ada' ? account : undefined),
      findById: async (id) => (id === user.id ? account : undefined),
      findToken: async () => undefined,
      findExecutionByToken: async () => undefined,
      hasOpenOperations: async () => false,
      recordLogin: async () => {
        logins += 1;
        account.user = { ...account.user, lastLoginAt: new Date(now), failedLoginsCounter: 0 };
      },
      recordFailure: async () => {
        failures += 1;
        const { failedLoginsCounter } = account.user;
        account.user = {
          ...account.user,
          failedLoginsCounter: failedLoginsCounter + 1,
          lastFailedLoginAt: new Date(now),
        };
      },
      recordTokenUse: async () => undefined,
      lockRule: async () => ({ failures: 4, period: -1 }),
    };
    authentication = createAuthentication({
      accounts,
      now: () => now,
      verifyPassword: async (password, stored) => {
        verifications += 1;
        compared = stored;
        return stored === `hash of ${password}`;
      },
    });
  });

  const basic = (password: string, username = 'ada'): Credentials => ({ ...nothing, basic: { username, password } });

  async function refusal(credentials: Credentials): Promise<string> {
    let thrown: unknown;
    await authentication.authenticate(credentials).catch((error: unknown) => (thrown = error));
    expect(thrown).to.be.instanceOf(GantryError);
    return `${(thrown as GantryError).status} ${(thrown as GantryError).message}`;
  }

  it('verifies a password once, and again when the stored one changes', async () => {
    for (let call = 0; call < 5; call += 1) {
      expect((await authentication.authenticate(basic('right'))).user.username).to.equal('Ada');
    }
    expect(verifications).to.equal(1);
    account.passwordHash = 'hash of another';
    expect(await refusal(basic('right'))).to.match(/^401 .*Wrong credentials or locked account/);
    expect(verifications).to.equal(2);
  });

  it('writes a login at most once a minute', async () => {
    await authentication.authenticate(basic('right'));
    await authentication.authenticate(basic('right'));
    expect(logins).to.equal(1);
    now += 61_000;
    await authentication.authenticate(basic('right'));
    expect(logins).to.equal(2);
  });

  it('answers unknown users, wrong passwords and inactive users alike', async () => {
    const wrong = (await refusal(basic('wrong'))).replace('ada', 'x');
    expect((await refusal(basic('right', 'x'))).replace('x', 'x')).to.equal(wrong);
    account.user = { ...account.user, isActive: false };
    expect((await refusal(basic('right'))).replace('ada', 'x')).to.equal(wrong);
  });

  it('compares as many passwords for users who are not there as for those who are', async () => {
    const attempts: [string, () => void][] = [
      ['nobody', () => undefined],
      ['ada', () => (account.user = { ...account.user, isActive: false })],
      ['ada', () => (account.user = { ...account.user, isActive: true })],
      ['ada', () => (account.passwordHash = undefined)],
    ];
    for (const [username, prepare] of attempts) {
      prepare();
      verifications = 0;
      await refusal(basic('wrong', username));
      expect(verifications, username).to.equal(1);
    }
  });

  it('slows down guesses at users who are not there as well', async () => {
    const answers: string[] = [];
    for (let attempt = 0; attempt < 11; attempt += 1) {
      answers.push((await refusal(basic('wrong', 'nobody'))).slice(0, 3));
    }
    expect(answers).to.deep.equal([...Array<string>(10).fill('401'), '429']);
  });

  it('locks an account before it looks at the password', async () => {
    accounts.lockRule = async () => ({ failures: 2, period: 10 });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await refusal(basic('wrong'));
    }
    expect(failures).to.equal(3);
    await refusal(basic('right'));
    expect(compared).not.to.equal(account.passwordHash);
    now += 11 * 60_000;
    expect((await authentication.authenticate(basic('right'))).user.id).to.equal(7);
  });

  it('refuses to be asked many passwords from one place', async () => {
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await refusal(basic('wrong'));
    }
    expect(await refusal(basic('right'))).to.match(/^429/);
    expect((await authentication.authenticate({ ...basic('right'), address: 'elsewhere' })).user.id).to.equal(7);
  });

  it('counts guesses that are made at once, and lets any number of right ones through', async () => {
    const together = await Promise.all(Array.from({ length: 30 }, (_, index) => refusal(basic(`wrong ${index}`))));
    expect(together.filter((text) => text.startsWith('401'))).to.have.length(10);
    expect(together.filter((text) => text.startsWith('429'))).to.have.length(20);
    expect(verifications).to.equal(10);
    const elsewhere = { ...basic('right'), address: 'there' };
    const right = await Promise.all(Array.from({ length: 30 }, () => authentication.authenticate(elsewhere)));
    expect(right.map((identity) => identity.user.username)).to.deep.equal(Array<string>(30).fill('Ada'));
  });

  it('refuses to be asked many secrets of one token from one place', async () => {
    const texts: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      texts.push(await refusal({ ...nothing, token: `ctok-${'a'.repeat(10)}-${String(round).padStart(40, 'b')}` }));
    }
    expect(texts.map((text) => text.slice(0, 3))).to.deep.equal([...Array<string>(10).fill('401'), '429', '429']);
  });

  it('counts wrong passwords of a directory against the account, and does not ask it about a locked one', async () => {
    let asked = 0;
    const external: ExternalLogin = {
      kinds: async () => ['ldap'],
      takesPasswords: async () => true,
      prove: () => Promise.reject(new Error('Nobody brings a proof')),
      login: async (_name: string, password: string) => {
        asked += 1;
        return password === 'right' ? account.user : undefined;
      },
    };
    accounts.lockRule = async () => ({ failures: 2, period: 10 });
    authentication = createAuthentication({
      accounts,
      now: () => now,
      verifyPassword: async () => false,
      external,
    });
    for (let round = 0; round < 3; round += 1) {
      await refusal(basic(`wrong ${round}`));
    }
    expect([failures, asked]).to.deep.equal([3, 3]);
    expect(await refusal(basic('right'))).to.contain('401');
    expect(asked).to.equal(3);
    now += 11 * 60_000;
    expect((await authentication.authenticate(basic('right'))).user.username).to.equal('Ada');
  });

  it('takes API tokens until they expire', async () => {
    const made = createApiToken();
    const expirationDate = new Date(now + 1000);
    accounts.findToken = async (id) =>
      id === made.id
        ? {
            id,
            userId: 7,
            username: 'Ada',
            role: 'default',
            description: undefined,
            createdAt: new Date(0),
            lastUsed: undefined,
            expirationDate,
            secretHash: made.secretHash,
            executionId: undefined,
          }
        : undefined;
    expect((await authentication.authenticate({ ...nothing, token: made.value })).method).to.equal('token');
    expect(await refusal({ ...nothing, token: made.value.replace(/.$/, '_') })).to.match(/Invalid token structure/);
    const other = createApiToken().secret;
    expect(await refusal({ ...nothing, token: `ctok-${made.id}-${other}` })).to.equal(
      '401 User unauthorized: Unauthorized',
    );
    now += 2000;
    expect(await refusal({ ...nothing, token: made.value })).to.match(/Token is expired/);
  });

  const statuses: [Partial<Execution>, boolean][] = [
    [{ status: 'started' }, true],
    [{ status: 'pending' }, true],
    [{ status: 'kill_cancelling' }, true],
    [{ status: 'queued' }, false],
    [{ status: 'terminated' }, false],
    [{ status: 'cancelled' }, false],
    [{ status: 'scheduled', scheduledFor: new Date(1_000_030_000) }, true],
    [{ status: 'scheduled', scheduledFor: new Date(1_000_090_000) }, false],
  ];
  for (const [members, isUsable] of statuses) {
    const { status, scheduledFor } = members;
    it(`${isUsable ? 'takes' : 'refuses'} the token of an execution that is ${status} ${scheduledFor?.getTime() ?? ''}`, async () => {
      const { token, tokenHash } = createExecutionToken();
      const execution = { id: 'e', creatorId: 7, ...members } as Execution;
      accounts.findExecutionByToken = async (hash) => (hash === tokenHash ? execution : undefined);
      for (const credentials of [
        { ...nothing, executionToken: token },
        { ...nothing, token },
      ]) {
        if (isUsable) {
          const identity = await authentication.authenticate(credentials);
          expect([identity.method, identity.execution?.id]).to.deep.equal(['execution_token', 'e']);
        } else {
          expect(await refusal(credentials)).to.match(/^401/);
        }
      }
    });
  }

  it('lets workers of a cancelled execution report the end of its operations', async () => {
    const { token } = createExecutionToken();
    accounts.findExecutionByToken = async () => ({ id: 'e', creatorId: 7, status: 'cancelled' }) as Execution;
    accounts.hasOpenOperations = async () => true;
    const identity = await authentication.authenticate({ ...nothing, executionToken: token });
    expect(identity.execution?.id).to.equal('e');
  });
});
