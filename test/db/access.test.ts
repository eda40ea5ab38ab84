import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { permissions, roles } from '../../src/domain/permissions.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { verifyPassword } from '../../src/security/passwords.ts';
import { createApiToken } from '../../src/security/tokens.ts';
import { createAccounts } from '../../src/store/accounts.ts';
import { bootstrap } from '../../src/store/bootstrap.ts';
import type { Database } from '../../src/store/database.ts';
import { connectDatabase } from '../../src/store/database.ts';
import { addGrant, changeGrant, loadTenantMembers, removeGrant } from '../../src/store/grants.ts';
import {
  activateMaintenance,
  endMaintenance,
  readMaintenance,
  requestMaintenance,
} from '../../src/store/maintenance.ts';
import { migrate } from '../../src/store/migrate.ts';
import { markOperationsSent } from '../../src/store/operations.ts';
import { addPermission, loadPermissions, removePermission } from '../../src/store/permissions.ts';
import {
  createProviderContext,
  readProviderContext,
  replaceProviderContext,
} from '../../src/store/provider-context.ts';
import { findSettings, listSettings, readSettings, setSetting } from '../../src/store/settings.ts';
import { storeTasksGraph } from '../../src/store/tasks-graphs.ts';
import {
  createTenant,
  deleteTenant,
  findTenantContents,
  getTenant,
  loadTenants,
  readTenantBrokerPassword,
  updateTenantBroker,
} from '../../src/store/tenants.ts';
import { createToken, deleteToken, findToken, listTokens } from '../../src/store/tokens.ts';
import {
  addUserToGroup,
  createUserGroup,
  deleteUserGroup,
  getUserGroup,
  listUserGroups,
  removeUserFromGroup,
  setUserGroupRole,
} from '../../src/store/user-groups.ts';
import {
  countActiveUsers,
  createUser,
  deleteUser,
  findAccountByName,
  getAccount,
  listAccounts,
  updateUser,
} from '../../src/store/users.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createEmptyDatabase, createTestDatabase, dropDatabase } from '../kit/database.ts';
import { addBlueprint, addExecution, codeOf, sampleOperations } from './samples.ts';

describe('first start', () => {
  let url: string;
  let database: Database;
  let directory: string;

  beforeEach(async () => {
    url = await createEmptyDatabase();
    await migrate({ url, log: silentLogger });
    database = await connectDatabase({ url, poolSize: 4, log: silentLogger });
    directory = await mkdtemp(join(tmpdir(), 'gantry-first-'));
  });
  afterEach(async () => {
    await database.close();
    await dropDatabase(url);
    await rm(directory, { recursive: true, force: true });
  });

  it('makes administrator and password once, however many processes start', async () => {
    const adminPasswordFile = join(directory, 'secrets', 'admin-password');
    const options = { adminPasswordFile, log: silentLogger };
    const results = await Promise.all([1, 2, 3].map(() => bootstrap(database, options)));
    expect(results.filter(Boolean)).to.have.length(1);
    const password = (await readFile(adminPasswordFile, 'utf8')).trim();
    expect(password).to.have.length(20);
    expect((await stat(adminPasswordFile)).mode & 0o777).to.equal(0o600);
    const account = await getAccount(database, 'ADMIN');
    expect(account.user).to.include({ id: 0, username: 'admin', role: 'sys_admin', isActive: true });
    expect(await verifyPassword(password, account.passwordHash ?? '')).to.equal(true);
    expect(await getTenant(database, 'default_tenant')).to.include({ id: 0 });
  });

  it('takes the password it is given', async () => {
    const adminPasswordFile = join(directory, 'given');
    await writeFile(adminPasswordFile, 'chosen password\n');
    await bootstrap(database, { adminPasswordFile, log: silentLogger });
    const { passwordHash } = await getAccount(database, 'admin');
    expect(await verifyPassword('chosen password', passwordHash ?? '')).to.equal(true);
  });

  it('brings roles, permissions, settings, filters and the provider context, and keeps what was changed', async () => {
    const options = { adminPasswordFile: join(directory, 'password'), log: silentLogger };
    await bootstrap(database, options);
    const names = await database.query<{ name: string }>('select name from roles order by id');
    expect(names.map(({ name }) => name)).to.deep.equal(roles.map(({ name }) => name));
    const stored = await loadPermissions(database);
    expect(stored.get('blueprint_upload')).to.have.members([...permissions.blueprint_upload]);
    expect(stored.size).to.equal(Object.values(permissions).filter((holders) => holders.length > 0).length);
    const workflow = await readSettings(database, 'workflow');
    expect(Object.fromEntries(workflow)).to.deep.equal({
      subgraph_retries: 0,
      task_retries: 60,
      task_retry_interval: 15,
    });
    expect((await readSettings(database, 'rest')).get('default_page_size')).to.equal(1000);
    expect(await readProviderContext(database)).to.deep.equal({ name: 'provider', context: {} });
    const [filters] = await database.query('select count(*) as count from filters where is_system_filter');
    expect(filters).to.deep.equal({ count: 22 });
    await setSetting(database, { scope: 'workflow', name: 'task_retries', value: 3, updaterId: 0 });
    await removePermission(database, 'viewer', 'blueprint_list');
    await database.query(`delete from config where name = 'max_workers'`);
    expect(await bootstrap(database, options)).to.equal(false);
    expect((await readSettings(database, 'workflow')).get('task_retries')).to.equal(3);
    expect((await readSettings(database, 'agent')).get('max_workers')).to.equal(6);
    expect((await loadPermissions(database)).get('blueprint_list')).not.to.include('viewer');
  });
});

describe('access in the store', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  it('unites the roles a user has himself and through groups', async () => {
    const { id: tenantId } = await createTenant(database, 'united');
    const { id } = await createUser(database, { username: 'Ada', role: 'default', passwordHash: 'hash' });
    const group = await createUserGroup(database, { name: 'team', ldapDn: 'cn=team', role: 'default' });
    expect(await addUserToGroup(database, id, group.id)).to.equal(true);
    expect(await addUserToGroup(database, id, group.id)).to.equal(false);
    await addGrant(database, { tenantId, holder: { kind: 'user', id, name: 'Ada' }, role: 'viewer' });
    await addGrant(database, { tenantId, holder: { kind: 'group', id: group.id, name: 'team' }, role: 'user' });
    await addGrant(database, { tenantId: 0, holder: { kind: 'group', id: group.id, name: 'team' }, role: 'user' });
    const account = await findAccountByName(database, 'aDA');
    expect(account?.passwordHash).to.equal('hash');
    expect([...(account?.user.tenantRoles ?? [])]).to.have.deep.members([
      ['default_tenant', ['user']],
      ['united', ['viewer', 'user']],
    ]);
    expect([...(account?.user.directTenantRoles ?? [])]).to.deep.equal([['united', 'viewer']]);
    expect(account?.user.groupTenantRoles.get('united')?.get('user')).to.deep.equal(['team']);
    expect(account?.user.groups).to.deep.equal(['team']);
    expect(account?.user.groupSystemRoles.get('team')).to.equal('default');
    expect(await getUserGroup(database, 'TEAM')).to.deep.include({
      users: ['Ada'],
      tenants: { default_tenant: 'user', united: 'user' },
      ldapDn: 'cn=team',
    });
    const members = (await loadTenantMembers(database, [tenantId])).get(tenantId) ?? [];
    expect(members.map(({ kind, name, role, users }) => [kind, name, role, users])).to.deep.equal([
      ['group', 'team', 'user', ['Ada']],
      ['user', 'Ada', 'viewer', []],
    ]);
    expect(await removeUserFromGroup(database, id, group.id)).to.equal(true);
    expect(await removeUserFromGroup(database, id, group.id)).to.equal(false);
    await setUserGroupRole(database, group.id, 'sys_admin');
    expect((await listUserGroups(database, { search: 'TEA' })).items[0]).to.include({ role: 'sys_admin' });
    await deleteUserGroup(database, group.id);
    expect(await codeOf(getUserGroup(database, 'team'))).to.equal('not_found_error');
  });

  it('grants a role once, changes and takes it', async () => {
    const { id, username } = await createUser(database, { username: 'grantee', role: 'default' });
    const grant = { tenantId: 0, holder: { kind: 'user', id, name: username }, role: 'viewer' } as const;
    expect(await codeOf(changeGrant(database, grant))).to.equal('not_found_error');
    await addGrant(database, grant);
    expect(await codeOf(addGrant(database, grant))).to.equal('conflict_error');
    expect(await codeOf(changeGrant(database, { ...grant, role: 'sys_admin' }))).to.equal('bad_parameters_error');
    await changeGrant(database, { ...grant, role: 'operations' });
    expect((await getAccount(database, 'grantee')).user.tenantRoles.get('default_tenant')).to.deep.equal([
      'operations',
    ]);
    await removeGrant(database, grant);
    expect(await codeOf(removeGrant(database, grant))).to.equal('not_found_error');
  });

  it('keeps users apart by name whatever the case, and lists them', async () => {
    await createUser(database, { username: 'Case', role: 'default' });
    expect(await codeOf(createUser(database, { username: 'cASE', role: 'default' }))).to.equal('conflict_error');
    expect(await codeOf(createUser(database, { username: 'x', role: 'nope' }))).to.equal('bad_parameters_error');
    expect(await codeOf(createUserGroup(database, { name: 'g', role: 'viewer' }))).to.equal('bad_parameters_error');
    const { items, total } = await listAccounts(database, { search: 'CAS', size: 1 });
    expect([items[0]?.user.username, total]).to.deep.equal(['Case', 1]);
  });

  it('changes users, and does not remove those who own something', async () => {
    const { id } = await createUser(database, { username: 'owner', role: 'default' });
    const active = await countActiveUsers(database, 'sys_admin');
    await updateUser(database, id, { role: 'sys_admin', showGettingStarted: false });
    expect(await countActiveUsers(database, 'sys_admin')).to.equal(active + 1);
    await updateUser(database, id, { isActive: false });
    expect(await countActiveUsers(database, 'sys_admin')).to.equal(active);
    expect((await getAccount(database, 'owner')).user).to.include({ role: 'sys_admin', showGettingStarted: false });
    const { storageId } = await addBlueprint(database);
    await database.query('update blueprints set creator_id = $1 where storage_id = $2', [id, storageId]);
    expect(await codeOf(deleteUser(database, id))).to.equal('illegal_action_error');
    await database.query('delete from blueprints where storage_id = $1', [storageId]);
    expect([await deleteUser(database, id), await deleteUser(database, id)]).to.deep.equal([true, false]);
  });

  it('counts failed logins until a login', async () => {
    const accounts = createAccounts(database);
    const { id } = await createUser(database, { username: 'forgetful', role: 'default' });
    await accounts.recordFailure(id);
    await accounts.recordFailure(id);
    const failed = await accounts.findById(id);
    expect(failed?.user.failedLoginsCounter).to.equal(2);
    expect(failed?.user.lastFailedLoginAt).to.be.instanceOf(Date);
    await accounts.recordLogin(id);
    const { user } = (await accounts.findByName('forgetful')) ?? {};
    expect(user?.failedLoginsCounter).to.equal(0);
    expect(user?.firstLoginAt).to.be.instanceOf(Date);
    expect(await accounts.lockRule()).to.deep.equal({ failures: 4, period: -1 });
    expect(await accounts.findByName('nobody')).to.equal(undefined);
  });

  it('knows whether an execution has open operations', async () => {
    const accounts = createAccounts(database);
    const execution = await addExecution(database, { tokenHash: 'hash of a token' });
    expect((await accounts.findExecutionByToken('hash of a token'))?.id).to.equal(execution.id);
    expect(await accounts.hasOpenOperations(execution)).to.equal(false);
    const operations = sampleOperations(1);
    await storeTasksGraph(database, execution.id, { id: 'open', name: 'g', operations });
    await markOperationsSent(
      database,
      operations.map(({ id }) => id),
    );
    expect(await accounts.hasOpenOperations(execution)).to.equal(true);
    await database.query(`update operations set state = 'failed'`);
    expect(await accounts.hasOpenOperations(execution)).to.equal(false);
  });

  it('stores tokens by hash and drops expired ones of the same user', async () => {
    const { id, secretHash } = createApiToken();
    await createToken(database, { id, secretHash, userId: 0, expirationDate: new Date(Date.now() - 1000) });
    const later = createApiToken();
    await createToken(database, { id: later.id, secretHash: later.secretHash, userId: 0, description: 'later' });
    expect(await findToken(database, id)).to.equal(undefined);
    expect(await findToken(database, later.id)).to.deep.include({
      username: 'admin',
      role: 'sys_admin',
      secretHash: later.secretHash,
      description: 'later',
      expirationDate: undefined,
    });
    await createAccounts(database).recordTokenUse(later.id);
    expect((await listTokens(database, 0))[0]?.lastUsed).to.be.instanceOf(Date);
    expect(await listTokens(database, 99)).to.deep.equal([]);
    expect([await deleteToken(database, later.id), await deleteToken(database, later.id)]).to.deep.equal([true, false]);
  });

  it('drops the tokens of an execution with it', async () => {
    const execution = await addExecution(database);
    const { id, secretHash } = createApiToken();
    await createToken(database, { id, secretHash, userId: 0, executionStorageId: execution.storageId });
    expect((await findToken(database, id))?.executionId).to.equal(execution.id);
    await database.query('delete from executions where id = $1', [execution.id]);
    expect(await findToken(database, id)).to.equal(undefined);
  });

  it('keeps tenants with their broker accounts, and tells what is in them', async () => {
    const broker = { rabbitmqUsername: 'u', rabbitmqVhost: 'v', rabbitmqPassword: 'encrypted' };
    const tenant = await createTenant(database, 'one-more', broker);
    expect(tenant).to.include({ rabbitmqUsername: 'u', rabbitmqVhost: 'v' });
    expect(tenant).not.to.have.property('rabbitmqPassword');
    expect(await readTenantBrokerPassword(database, tenant.id)).to.equal('encrypted');
    await updateTenantBroker(database, tenant.id, { rabbitmqPassword: 'other' });
    expect(await readTenantBrokerPassword(database, tenant.id)).to.equal('other');
    expect(await codeOf(createTenant(database, 'one-more'))).to.equal('conflict_error');
    expect((await loadTenants(database)).get('one-more')?.id).to.equal(tenant.id);
    expect(await findTenantContents(database, tenant.id)).to.deep.equal([]);
    const { storageId } = await addBlueprint(database);
    await database.query('update blueprints set tenant_id = $1 where storage_id = $2', [tenant.id, storageId]);
    expect(await findTenantContents(database, tenant.id)).to.deep.equal(['blueprints']);
    expect([await deleteTenant(database, tenant.id), await deleteTenant(database, tenant.id)]).to.deep.equal([
      true,
      false,
    ]);
  });

  it('changes permissions, and refuses unknown ones', async () => {
    const holders = async (): Promise<string[]> =>
      (await loadPermissions(database, 'site_list')).get('site_list') ?? [];
    await removePermission(database, 'viewer', 'site_list');
    expect(await holders()).not.to.include('viewer');
    await addPermission(database, 'viewer', 'site_list');
    expect(await holders()).to.include('viewer');
    expect(await codeOf(addPermission(database, 'viewer', 'site_list'))).to.equal('conflict_error');
    expect(await codeOf(removePermission(database, 'viewer', 'nothing'))).to.equal('not_found_error');
    expect(await codeOf(addPermission(database, 'nobody', 'site_list'))).to.equal('not_found_error');
  });

  it('keeps settings by scope and name, with who changed them', async () => {
    expect((await findSettings(database, 'max_workers')).map(({ scope }) => scope)).to.deep.equal([
      'agent',
      'mgmtworker',
    ]);
    const changed = await setSetting(database, { scope: 'agent', name: 'max_workers', value: 9, updaterId: 0 });
    expect(changed).to.include({ value: 9, updaterName: 'admin', isEditable: true, adminOnly: false });
    const rest = await listSettings(database, 'rest');
    expect(rest.find(({ name }) => name === 'ldap_server')).to.include({ value: null });
    expect(rest.find(({ name }) => name === 'ldap_password')).to.include({ adminOnly: true });
    expect((await listSettings(database)).length).to.be.greaterThan(rest.length);
  });

  it('goes into maintenance mode once and out again', async () => {
    expect(await readMaintenance(database)).to.equal(undefined);
    expect([await requestMaintenance(database, 0), await requestMaintenance(database, 0)]).to.deep.equal([true, false]);
    expect(await readMaintenance(database)).to.include({
      status: 'activating',
      requestedBy: 'admin',
      activatedAt: undefined,
    });
    expect([await activateMaintenance(database), await activateMaintenance(database)]).to.deep.equal([true, false]);
    expect((await readMaintenance(database))?.activatedAt).to.be.instanceOf(Date);
    expect([await endMaintenance(database), await endMaintenance(database)]).to.deep.equal([true, false]);
  });

  it('keeps one provider context', async () => {
    expect(await codeOf(createProviderContext(database, { name: 'x', context: {} }))).to.equal('conflict_error');
    await replaceProviderContext(database, { name: 'x', context: { a: 1 } });
    expect(await readProviderContext(database)).to.deep.equal({ name: 'x', context: { a: 1 } });
  });
});
