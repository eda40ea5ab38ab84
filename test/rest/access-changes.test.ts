import { expect } from 'chai';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

/** A change made through one process, and what the other one answers before and right after it. */
interface Change {
  name: string;
  /** How the other process is asked. */
  asked: () => CallOptions;
  path?: string;
  change: () => Promise<unknown>;
  before: number;
  after: number;
  undo?: () => Promise<unknown>;
}

describe('changes of access', function () {
  this.timeout(120_000);
  let one: RestService;
  let other: RestService;
  let token: { id: string; value: string };
  const vera: CallOptions = { user: 'vera', password: 'vera-password' };

  const member = (role: string): object => ({ tenant_name: 'default_tenant', username: 'vera', role });
  const set = (name: string, value: number): Promise<unknown> =>
    one.database.query('update config set value = $2 where name = $1', [name, String(value)]);

  before(async () => {
    one = await RestService.start({ hasEngine: false });
    other = await one.startBeside();
    await one.call('PUT', '/users', { body: { username: 'vera', password: 'vera-password' } });
    await one.call('PUT', '/tenants/users', { body: member('viewer') });
    token = (await one.call('POST', '/tokens', { ...vera, body: {} })).json<typeof token>();
  });

  after(async () => {
    await other?.stop();
    await one?.stop();
  });

  const changes: Change[] = [
    {
      name: 'a new password',
      asked: () => vera,
      change: () => one.call('POST', '/users/vera', { body: { password: 'another-password' } }),
      before: 200,
      after: 401,
      undo: () => one.call('POST', '/users/vera', { body: { password: 'vera-password' } }),
    },
    {
      name: 'a user who is deactivated',
      asked: () => ({ token: token.value }),
      change: () => one.call('POST', '/users/active/vera', { body: { action: 'deactivate' } }),
      before: 200,
      after: 401,
      undo: () => one.call('POST', '/users/active/vera', { body: { action: 'activate' } }),
    },
    {
      name: 'a role that is taken away in a tenant',
      asked: () => vera,
      change: () => one.call('DELETE', '/tenants/users', { body: { tenant_name: 'default_tenant', username: 'vera' } }),
      before: 200,
      after: 403,
      undo: () => one.call('PUT', '/tenants/users', { body: member('viewer') }),
    },
    {
      name: 'a role that is given',
      asked: () => vera,
      path: '/users',
      change: () => one.call('POST', '/users/vera', { body: { role: 'sys_admin' } }),
      before: 403,
      after: 200,
      undo: () => one.call('POST', '/users/vera', { body: { role: 'default' } }),
    },
    {
      name: 'a permission that a role loses',
      asked: () => vera,
      change: () => one.call('DELETE', '/permissions/viewer/site_list'),
      before: 200,
      after: 403,
      undo: () => one.call('PUT', '/permissions/viewer/site_list'),
    },
    {
      name: 'a tenant that is made',
      asked: () => ({ tenant: 'new_tenant' }),
      change: () => one.call('POST', '/tenants/new_tenant', { body: {} }),
      before: 403,
      after: 200,
    },
    {
      name: 'a tenant that is removed',
      asked: () => ({ tenant: 'new_tenant' }),
      change: () => one.call('DELETE', '/tenants/new_tenant'),
      before: 200,
      after: 403,
    },
    {
      name: 'maintenance mode',
      asked: () => vera,
      change: () => one.call('POST', '/maintenance/activate'),
      before: 200,
      after: 503,
      undo: () => one.call('POST', '/maintenance/deactivate'),
    },
    {
      name: 'an account that wrong passwords lock',
      asked: () => vera,
      change: async () => {
        await set('account_lock_period', 10);
        await set('failed_logins_before_account_lock', 1);
        for (let attempt = 0; attempt < 2; attempt += 1) {
          await one.call('GET', '/sites', { ...vera, password: 'wrong' });
        }
      },
      before: 200,
      after: 401,
      undo: () => set('account_lock_period', -1),
    },
    {
      name: 'a token that is removed',
      asked: () => ({ token: token.value }),
      change: () => one.call('DELETE', `/tokens/${token.id}`, vera),
      before: 200,
      after: 401,
    },
  ];

  for (const { name, asked, path = '/sites', change, before: first, after: second, undo } of changes) {
    it(`take effect in every process at once: ${name}`, async () => {
      const ask = async (): Promise<number> => (await other.call('GET', path, asked())).status;
      // a second time, so that what is remembered counts
      expect([await ask(), await ask()]).to.deep.equal([first, first]);
      await change();
      expect(await ask()).to.equal(second);
      await undo?.();
      if (undo) {
        expect(await ask()).to.equal(first);
      }
    });
  }
});
