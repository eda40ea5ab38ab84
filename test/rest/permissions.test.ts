import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { openPermissionDirectory } from '../../src/services/permission-directory.ts';
import { until } from '../kit/until.ts';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

describe('the permissions of roles', function () {
  this.timeout(60_000);
  let rest: RestService;
  const vera: CallOptions = { user: 'vera', password: 'vera-password' };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    await rest.call('PUT', '/users', { body: { username: 'vera', password: 'vera-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'vera', role: 'viewer' },
    });
  });

  after(() => rest?.stop());

  it('take effect as soon as they are changed, in every process', async () => {
    const other = await openPermissionDirectory(rest.database, silentLogger);
    const mayCreate = async (name: string): Promise<number> =>
      (await rest.call('PUT', `/sites/${name}`, { ...vera, body: {} })).status;
    try {
      expect(await mayCreate('one')).to.equal(403);
      const added = await rest.call('PUT', '/permissions/viewer/site_create');
      expect([added.status, added.body]).to.deep.equal([200, { role: 'viewer', permission: 'site_create' }]);
      expect(await mayCreate('one')).to.equal(200);
      await until('the other process to know', () => other.matrix['site_create']?.includes('viewer'));
      expect((await rest.call('DELETE', '/permissions/viewer/site_create')).status).to.equal(204);
      expect(await mayCreate('two')).to.equal(403);
      await until('the other process to know', () => other.matrix['site_create']?.includes('viewer') === false);
    } finally {
      await other.stop();
    }
  });

  it('are shown with the settings, and stay removed', async () => {
    await rest.call('DELETE', '/permissions/viewer/site_list');
    const { authorization } = (await rest.call('GET', '/config?scope=authorization')).json<{
      authorization: { permissions: Record<string, string[]> };
    }>();
    expect(authorization.permissions['site_list']).not.to.include('viewer');
    expect((await rest.call('GET', '/sites', vera)).status).to.equal(403);
    expect((await rest.call('PUT', '/permissions/viewer/site_list')).status).to.equal(200);
  });

  it('lets nobody but the first administrator do what no role may do', async () => {
    await rest.call('PUT', '/users', { body: { username: 'adam', password: 'adam-password', role: 'sys_admin' } });
    const adam: CallOptions = { user: 'adam', password: 'adam-password' };
    for (const role of ['sys_admin', 'manager', 'user', 'operations', 'viewer']) {
      await rest.call('DELETE', `/permissions/${role}/site_get`);
    }
    await rest.call('PUT', '/sites/here', { body: {} });
    expect((await rest.call('GET', '/sites/here', adam)).status).to.equal(403);
    expect((await rest.call('GET', '/sites/here')).status).to.equal(200);
  });

  const refused: [string, string, string, CallOptions, number, RegExp][] = [
    ['a permission a role has', 'PUT', '/permissions/viewer/blueprint_list', {}, 409, /already has permission/],
    ['a permission a role does not have', 'DELETE', '/permissions/viewer/blueprint_upload', {}, 404, /does not have/],
    ['an unknown role', 'PUT', '/permissions/boss/blueprint_list', {}, 404, /boss/],
    ['the permissions of an unknown role', 'GET', '/permissions/boss', {}, 404, /boss/],
    ['a permission that is no name', 'PUT', '/permissions/viewer/a%20b', {}, 400, /illegal characters/],
    ['people who are no administrators', 'PUT', '/permissions/viewer/site_create', vera, 401, /Only admin users/],
  ];
  for (const [what, method, path, options, status, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call(method, path, options);
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
