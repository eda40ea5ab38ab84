import { expect } from 'chai';
import { createBlueprint } from '../../src/store/blueprints.ts';
import { until } from '../kit/until.ts';
import { RestService, simpleBlueprint } from './kit.ts';
import type { CallOptions } from './kit.ts';

interface List {
  items: { id: string; name?: string; key?: string; tenant_name?: string }[];
  metadata: { pagination: { total: number; size: number; offset: number }; filtered: number | null };
}

describe('tenants, roles and visibility', function () {
  this.timeout(60_000);
  let rest: RestService;
  const user: CallOptions = { user: 'usr', password: 'usr-password' };
  const viewer: CallOptions = { user: 'vwr', password: 'vwr-password' };
  const stranger: CallOptions = { user: 'str', password: 'str-password', tenant: 'other' };

  before(async () => {
    rest = await RestService.start();
    expect((await rest.call('POST', '/tenants/other')).status).to.equal(201);
    for (const [name, tenant, role] of [
      ['usr', 'default_tenant', 'user'],
      ['vwr', 'default_tenant', 'viewer'],
      ['str', 'other', 'user'],
    ]) {
      const created = await rest.call('PUT', '/users', { body: { username: name, password: `${name}-password` } });
      expect(created.status).to.equal(201);
      const added = await rest.call('PUT', '/tenants/users', { body: { tenant_name: tenant, username: name, role } });
      expect(added.status).to.equal(200);
    }
  });

  after(() => rest?.stop());

  async function ids(path: string, options?: CallOptions): Promise<string[]> {
    const answer = await rest.call('GET', path, options);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<List>().items.map(({ id, name, key }) => id ?? name ?? key ?? '');
  }

  async function code(method: string, path: string, options?: CallOptions): Promise<[number, string]> {
    const answer = await rest.call(method, path, options);
    return [answer.status, answer.json<{ error_code: string }>().error_code];
  }

  it('lets users do what their role in the tenant permits', async () => {
    const upload = await rest.call('PUT', '/secrets/mine', { ...user, body: { value: 'x' } });
    expect(upload.status).to.equal(200);
    expect(await code('PUT', '/secrets/theirs', { ...viewer, body: { value: 'x' } })).to.deep.equal([
      403,
      'forbidden_error',
    ]);
    const refusal = await rest.call('PUT', '/secrets/theirs', { ...viewer, body: { value: 'x' } });
    expect(refusal.json<{ message: string }>().message).to.equal(
      'User `vwr` is not permitted to perform the action secret_create in the tenant `default_tenant`',
    );
    expect(await ids('/secrets', viewer)).to.include('mine');
  });

  it('keeps tenants apart', async () => {
    expect(await code('GET', '/secrets', { ...user, tenant: 'other' })).to.deep.equal([403, 'forbidden_error']);
    expect(await code('GET', '/secrets/mine', stranger)).to.deep.equal([404, 'not_found_error']);
    expect(await ids('/secrets', stranger)).to.deep.equal([]);
    expect((await rest.call('PUT', '/secrets/mine', { ...stranger, body: { value: 'other' } })).status).to.equal(200);
    expect((await rest.call('GET', '/secrets/mine', user)).json<{ value: string }>().value).to.equal('x');
  });

  it('lists all tenants of the caller only', async () => {
    expect(await ids('/secrets?_all_tenants=true', { ...user, tenant: null })).to.deep.equal(['mine']);
    expect(await ids('/secrets?_all_tenants=true', { tenant: null })).to.deep.equal(['mine', 'mine']);
    expect(await ids('/tenants', { ...user, tenant: null })).to.deep.equal(['default_tenant']);
    expect(await ids('/tenants', { tenant: null })).to.have.members(['default_tenant', 'other']);
  });

  it('shows private resources to their creator and to administrators', async () => {
    await rest.call('PUT', '/secrets/private', { ...user, body: { value: 'x', visibility: 'private' } });
    expect(await ids('/secrets', user)).to.include('private');
    expect(await ids('/secrets', viewer)).to.not.include('private');
    expect(await ids('/secrets')).to.include('private');
    expect(await code('GET', '/secrets/private', viewer)).to.deep.equal([404, 'not_found_error']);
  });

  it('shows hidden values to their creator and to administrators only', async () => {
    await rest.call('PUT', '/secrets/hidden', { ...user, body: { value: 'deep', is_hidden_value: true } });
    const value = async (options?: CallOptions): Promise<string> =>
      (await rest.call('GET', '/secrets/hidden', options)).json<{ value: string }>().value;
    expect(await value(user)).to.equal('deep');
    expect(await value()).to.equal('deep');
    expect(await value(viewer)).to.equal('');
  });

  it('never gives a secret back where it was not asked for', async () => {
    const created = await rest.call('PUT', '/secrets/quiet', { body: { value: 'loud' } });
    const updated = await rest.call('PATCH', '/secrets/quiet', { body: { value: 'louder' } });
    const list = await rest.call('GET', '/secrets');
    for (const { text } of [created, updated, list]) {
      expect(text).to.not.contain('loud');
    }
    const [row] = await rest.database.query<{ value: string }>(`select value from secrets where id = 'quiet'`);
    expect(row?.value).to.not.contain('loud');
  });

  it('makes global resources visible everywhere, but changeable only in their own tenant', async () => {
    expect(await code('PUT', '/secrets/global', { ...user, body: { value: 'x', visibility: 'global' } })).to.deep.equal(
      [403, 'forbidden_error'],
    );
    expect((await rest.call('PUT', '/secrets/global', { body: { value: 'x', visibility: 'global' } })).status).to.equal(
      200,
    );
    expect(await ids('/secrets', stranger)).to.include('global');
    expect(await code('DELETE', '/secrets/global', { ...stranger })).to.deep.equal([400, 'illegal_action_error']);
    expect(await code('PUT', '/secrets/global', { ...stranger, body: { value: 'y' } })).to.deep.equal([
      409,
      'conflict_error',
    ]);
  });

  it('does not make a resource global whose id another tenant uses, and changes nothing', async () => {
    expect(await code('PATCH', '/secrets/mine/set-visibility', { body: { visibility: 'global' } })).to.deep.equal([
      409,
      'conflict_error',
    ]);
    expect(await code('PATCH', '/secrets/mine', { body: { visibility: 'global' } })).to.deep.equal([
      409,
      'conflict_error',
    ]);
    expect((await rest.call('GET', '/secrets/mine', user)).json<{ value: string }>().value).to.equal('x');
    for (const tenant of ['default_tenant', 'other']) {
      expect((await rest.call('PUT', '/sites/common', { tenant, body: { location: '1,2' } })).status).to.equal(200);
    }
    const widening = { body: { visibility: 'global' } };
    expect(await code('POST', '/sites/common', widening)).to.deep.equal([409, 'conflict_error']);
    const site = (await rest.call('GET', '/sites/common')).json<{ visibility: string; location: string }>();
    expect(site).to.include({ visibility: 'tenant', location: '1, 2' });
    expect((await rest.call('DELETE', '/sites/common', { tenant: 'other' })).status).to.equal(204);
  });

  it('lets workflows run on a global deployment by permission only', async () => {
    await rest.upload('shown', { 'blueprint.yaml': simpleBlueprint }, 'visibility=global');
    const body = { blueprint_id: 'shown', visibility: 'global' };
    expect((await rest.call('PUT', '/deployments/shown', { body })).status).to.equal(201);
    expect((await rest.call('GET', '/deployments/shown', stranger)).status, 'it can be seen').to.equal(200);
    const start = { body: { deployment_id: 'shown', workflow_id: 'install' } };
    const answer = await rest.call('POST', '/executions', { ...stranger, ...start });
    expect(answer.status, answer.text).to.equal(403);
    expect(answer.text).to.contain('execute_global_workflow');
    const executions = await rest.call('GET', '/executions?deployment_id=shown&workflow_id=install');
    expect(executions.json<{ items: unknown[] }>().items).to.deep.equal([]);
  });

  it('only widens visibility', async () => {
    expect(await code('PATCH', '/secrets/mine/set-visibility', { body: { visibility: 'private' } })).to.deep.equal([
      400,
      'bad_parameters_error',
    ]);
    expect(await code('PATCH', '/secrets/global/set-visibility', { body: { visibility: 'tenant' } })).to.deep.equal([
      400,
      'illegal_action_error',
    ]);
  });

  it('lets users change their own password and nobody else', async () => {
    const changed = await rest.call('POST', '/users/vwr', { ...viewer, body: { password: 'another-one' } });
    expect(changed.status).to.equal(200);
    expect((await rest.call('GET', '/user', viewer)).status).to.equal(401);
    const again = { ...viewer, password: 'another-one' };
    expect((await rest.call('GET', '/user', again)).status).to.equal(200);
    expect(await code('POST', '/users/admin', { ...again, body: { password: 'hacked' } })).to.deep.equal([
      403,
      'forbidden_error',
    ]);
    expect(await code('POST', '/users/vwr', { ...again, body: { role: 'sys_admin' } })).to.deep.equal([
      403,
      'forbidden_error',
    ]);
  });

  it('ends the access of users who are deactivated', async () => {
    expect((await rest.call('POST', '/users/active/str', { body: { action: 'deactivate' } })).status).to.equal(200);
    expect((await rest.call('GET', '/user', stranger)).status).to.equal(401);
    expect(await code('POST', '/users/active/str', { body: { action: 'deactivate' } })).to.deep.equal([
      409,
      'conflict_error',
    ]);
    expect((await rest.call('POST', '/users/active/str', { body: { action: 'activate' } })).status).to.equal(200);
    expect((await rest.call('GET', '/user', stranger)).status).to.equal(200);
  });

  it('keeps the last administrator', async () => {
    expect(await code('POST', '/users/active/admin', { body: { action: 'deactivate' } })).to.deep.equal([
      400,
      'illegal_action_error',
    ]);
    expect(await code('POST', '/users/admin', { body: { role: 'default' } })).to.deep.equal([
      400,
      'illegal_action_error',
    ]);
    expect(await code('DELETE', '/users/usr')).to.deep.equal([400, 'illegal_action_error']);
  });

  it('deletes a tenant only when it is empty', async () => {
    expect(await code('DELETE', '/tenants/other')).to.deep.equal([400, 'illegal_action_error']);
    expect(await code('DELETE', '/tenants/default_tenant')).to.deep.equal([400, 'illegal_action_error']);
    expect((await rest.call('DELETE', '/secrets/mine', { tenant: 'other' })).status).to.equal(204);
    expect((await rest.call('DELETE', '/tenants/other')).status).to.equal(204);
    expect(await code('GET', '/secrets', { tenant: 'other' })).to.deep.equal([403, 'forbidden_error']);
  });

  it('keeps a tenant that gets a resource while it is deleted', async () => {
    expect((await rest.call('POST', '/tenants/racing')).status).to.equal(201);
    const deletion = await rest.database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ id: number }>(`select id from tenants where name = 'racing'`);
      await createBlueprint(transaction, {
        ...{ tenantId: row?.id ?? 0, creatorId: 0, visibility: 'tenant', state: 'uploaded' },
        id: 'just-uploaded',
      });
      const answer = code('DELETE', '/tenants/racing');
      await until('the deletion to wait for the upload', async () => {
        const waiting = await rest.database.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        return waiting.length > 0;
      });
      // handed out in an array: awaiting it here would wait for this transaction itself
      return [answer];
    });
    expect(await deletion[0]).to.deep.equal([400, 'illegal_action_error']);
    expect((await rest.call('GET', '/blueprints/just-uploaded', { tenant: 'racing' })).status).to.equal(200);
  });

  it('answers 409 and 404 where clients expect them for members of tenants', async () => {
    const link = { tenant_name: 'default_tenant', username: 'usr', role: 'viewer' };
    expect(await code('PUT', '/tenants/users', { body: link })).to.deep.equal([409, 'conflict_error']);
    expect((await rest.call('PATCH', '/tenants/users', { body: link })).status).to.equal(200);
    expect((await rest.call('DELETE', '/tenants/users', { body: link })).status).to.equal(204);
    expect(await code('DELETE', '/tenants/users', { body: link })).to.deep.equal([404, 'not_found_error']);
    expect(await code('PATCH', '/tenants/users', { body: link })).to.deep.equal([404, 'not_found_error']);
  });

  it('checks files by the tenant in their path, however it is written', async () => {
    expect((await rest.upload('files', { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
    const path = '/resources/blueprints/default_tenant/files/blueprint.yaml';
    expect((await rest.call('GET', path)).text).to.equal(simpleBlueprint);
    const outsider = { user: 'str', password: 'str-password', tenant: null };
    for (const hostile of [
      path,
      path.replace('blueprints', '%62lueprints'),
      path.replace('/blueprints', '//blueprints'),
      path.replace('/blueprints', '/plugins/%2e%2e/blueprints'),
      '/resources/plugins/..%2fblueprints/default_tenant/files/blueprint.yaml',
      '/resources/.incoming/',
      '/resources/permissions.json',
    ]) {
      const { status } = await rest.call('GET', hostile, outsider);
      expect(status, hostile).to.be.oneOf([403, 404]);
    }
    expect((await rest.call('GET', path, { user: '' })).status).to.equal(401);
    expect((await rest.call('GET', '/resources/cloudify/types/types.yaml', outsider)).status).to.equal(200);
  });
});
