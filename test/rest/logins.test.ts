import { expect } from 'chai';
import { RestService } from './kit.ts';

describe('logins', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
  });

  after(() => rest?.stop());

  async function addUser(username: string): Promise<void> {
    const body = { username, password: `${username}-password` };
    expect((await rest.call('PUT', '/users', { body })).status).to.equal(201);
  }

  async function login(
    user: string,
    password: string,
    headers: Record<string, string> = {},
  ): Promise<[number, string]> {
    const answer = await rest.call('GET', '/version', { user, password, headers });
    return [answer.status, answer.json<{ message?: string }>().message ?? ''];
  }

  it('lock an account after wrong passwords, for the right one, too', async () => {
    await addUser('locked');
    const settings: [string, number][] = [
      ['account_lock_period', 10],
      ['failed_logins_before_account_lock', 2],
    ];
    for (const [name, value] of settings) {
      expect((await rest.call('PUT', `/config/rest.${name}`, { body: { value } })).status).to.equal(200);
    }
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await login('locked', 'wrong'))[0]).to.equal(401);
    }
    expect((await login('locked', 'locked-password'))[0], 'the right password changes nothing').to.equal(401);
    expect((await login('locked', 'locked-password'))[0], 'nor does it unlock').to.equal(401);
    expect((await rest.call('POST', '/users/unlock/locked')).status).to.equal(200);
    expect((await login('locked', 'locked-password'))[0]).to.equal(200);
    expect((await rest.call('POST', '/users/unlock/locked')).status).to.equal(409);
  });

  it('give every user who cannot log in the same answer', async () => {
    await addUser('asleep');
    await addUser('awake');
    await rest.call('POST', '/users/active/asleep', { body: { action: 'deactivate' } });
    const answers = await Promise.all([
      login('awake', 'wrong'),
      login('asleep', 'asleep-password'),
      login('nobody', 'any-password'),
    ]);
    const texts = answers.map(([status, message]) => `${status} ${message.replaceAll(/awake|asleep|nobody/g, 'X')}`);
    expect(new Set(texts).size, texts.join('\n')).to.equal(1);
  });

  it('allow no extra guesses with an invalid token', async () => {
    await addUser('guessed');
    const headers = { 'execution-token': 'f'.repeat(32) };
    expect((await login('guessed', 'guessed-password', headers))[0], 'the token decides').to.equal(401);
    for (let attempt = 0; attempt < 10; attempt += 1) {
      await login('guessed', `guess ${attempt}`);
    }
    expect((await login('guessed', 'one more'))[0]).to.equal(429);
    const withToken = await login('guessed', 'guessed-password', headers);
    expect(withToken[0]).to.be.oneOf([401, 429]);
  });

  it('count as bypassing maintenance mode only with the permission for it', async () => {
    await addUser('plain');
    const bypass = { 'x-bypass-maintenance': 'true' };
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'plain', role: 'user' },
    });
    const activated = await rest.call('POST', '/maintenance/activate');
    expect(activated.json()).to.include({ status: 'activated' });
    expect(activated.json<{ remaining_executions: unknown[] }>().remaining_executions).to.deep.equal([]);
    const again = await rest.call('POST', '/maintenance/activate');
    expect([again.status, again.text]).to.deep.equal([304, '']);
    const list = { user: 'plain', password: 'plain-password', headers: bypass };
    expect((await rest.call('GET', '/deployments', list)).status).to.equal(503);
    expect((await rest.call('GET', '/deployments')).status).to.equal(503);
    expect((await rest.call('GET', '/deployments', { headers: bypass })).status).to.equal(200);
    expect((await rest.call('POST', '/maintenance/deactivate')).status).to.equal(200);
  });
});
