import { expect } from 'chai';
import { createExecutionToken } from '../../src/security/tokens.ts';
import { addFamilies } from './families.ts';
import { RestService } from './kit.ts';

describe('the token of an execution that an administrator started', function () {
  this.timeout(60_000);
  const { token, tokenHash } = createExecutionToken();
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({
      hasEngine: false,
      environment: { GANTRY_TRUSTED_PROXIES: '10.0.0.0/8' },
    });
    expect((await rest.call('POST', '/tenants/away')).status).to.equal(201);
    await addFamilies(rest.database, { tenantId: 0, creatorId: 0 }, [{ name: 'mine', visibility: 'tenant' }]);
    await rest.database.query(`update executions set status = 'started', token_hash = $1 where id = 'mine'`, [
      tokenHash,
    ]);
  });

  after(() => rest?.stop());

  const allowed: [string, string, unknown?, (string | null)?][] = [
    ['GET', '/version'],
    ['GET', '/deployments'],
    ['GET', '/secrets'],
    ['PUT', '/secrets/made-by-a-workflow', { value: 'x' }],
    ['PATCH', '/node-instances/mine', { version: 1, runtime_properties: { a: 1 } }],
    ['PATCH', '/operations/mine', { state: 'started' }, null],
    ['POST', '/events', { events: [], logs: [], execution_id: 'mine' }, null],
    ['GET', '/tenants/default_tenant', undefined, null],
    ['GET', '/managers', undefined, null],
    ['GET', '/brokers', undefined, null],
    ['GET', '/config', undefined, null],
  ];
  for (const [method, path, body, tenant = 'default_tenant'] of allowed) {
    it(`is good for ${method} ${path}${tenant === null ? ' without a tenant' : ''}`, async () => {
      const answer = await rest.call(method, path, { executionToken: token, tenant, body });
      expect(answer.status, answer.text).to.be.within(200, 204);
    });
  }

  const refused: [string, string, unknown?, (string | null)?][] = [
    ['GET', '/deployments', undefined, 'away'],
    ['PUT', '/secrets/elsewhere', { value: 'x' }, 'away'],
    ['GET', '/deployments?_all_tenants=true'],
    ['GET', '/deployments', undefined, null],
    ['POST', '/tokens', {}],
    ['GET', '/tokens'],
    ['GET', '/users?_include_hash=true'],
    ['PUT', '/users', { username: 'intruder', password: 'intruder-password', role: 'sys_admin' }],
    ['POST', '/users/admin', { password: 'other-password' }],
    ['POST', '/tenants/mine'],
    ['PUT', '/tenants/users', { tenant_name: 'away', username: 'admin', role: 'manager' }],
    ['POST', '/user-groups', { group_name: 'intruders' }],
    ['PUT', '/config/rest.account_lock_period', { value: 1 }],
    ['PUT', '/permissions/viewer/user_create'],
    ['POST', '/maintenance/activate'],
    ['GET', '/audit'],
  ];
  for (const [method, path, body, tenant = 'default_tenant'] of refused) {
    it(`is no good for ${method} ${path}${tenant === 'default_tenant' ? '' : ` in ${tenant ?? 'no tenant'}`}`, async () => {
      const answer = await rest.call(method, path, { executionToken: token, tenant, body });
      expect(answer.status, answer.text).to.equal(403);
      expect((await rest.call(method, path, { token, tenant, body })).status).to.equal(403);
    });
  }

  it('starts nothing and creates nothing while the execution is being cancelled', async () => {
    const begin: [string, string, object][] = [
      ['POST', '/executions', { deployment_id: 'mine', workflow_id: 'install' }],
      ['POST', '/execution-groups', { deployment_group_id: 'mine', workflow_id: 'install' }],
      ['PUT', '/deployments/another', { blueprint_id: 'mine' }],
      ['PUT', '/deployment-groups/another', { blueprint_id: 'mine' }],
    ];
    for (const status of ['cancelling', 'force_cancelling', 'kill_cancelling']) {
      await rest.database.query(`update executions set status = $1 where id = 'mine'`, [status]);
      for (const [method, path, body] of begin) {
        const answer = await rest.call(method, path, { executionToken: token, body });
        expect([answer.status, answer.json<{ error_code: string }>().error_code], path).to.deep.equal([
          403,
          'forbidden_while_cancelling',
        ]);
      }
      expect((await rest.call('GET', '/deployments', { executionToken: token })).status).to.equal(200);
    }
  });

  it('is valid after a cancellation until the operations have ended', async () => {
    const setState = (state: string): Promise<unknown> =>
      rest.database.query(`update operations set state = $1 where id = 'mine'`, [state]);
    await rest.database.query(`update executions set status = 'cancelled' where id = 'mine'`);
    await setState('started');
    expect((await rest.call('GET', '/deployments', { executionToken: token })).status).to.equal(200);
    await setState('succeeded');
    expect((await rest.call('GET', '/deployments', { executionToken: token })).status).to.equal(401);
  });

  it('is invalid when the execution has ended', async () => {
    await rest.database.query(`update executions set status = 'terminated' where id = 'mine'`);
    expect((await rest.call('GET', '/version', { executionToken: token })).status).to.equal(401);
  });

  it('comes, like every login, from the address of the connection unless a known proxy says otherwise', async () => {
    const statuses: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const options = { user: 'guesser', password: `guess ${round}`, headers: { 'x-forwarded-for': `8.8.8.${round}` } };
      statuses.push((await rest.call('GET', '/version', options)).status);
    }
    expect(statuses).to.deep.equal([...Array<number>(10).fill(401), 429, 429]);
  });
});
