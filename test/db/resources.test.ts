import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Deployment } from '../../src/domain/entities.ts';
import { createAgent, getAgent, listAgents, updateAgent } from '../../src/store/agents.ts';
import { createArchive, deleteArchive, getArchive, listArchives, setArchiveStatus } from '../../src/store/archives.ts';
import {
  addAuditRecords,
  auditLogEnd,
  deleteAuditRecords,
  listAuditRecords,
  tailAuditLog,
} from '../../src/store/audit-log.ts';
import {
  createBroker,
  deleteBroker,
  deleteManager,
  findCertificate,
  listBrokers,
  listDatabaseNodes,
  listManagers,
  putCertificate,
  putManager,
  replaceDatabaseNodes,
  updateBroker,
} from '../../src/store/cluster.ts';
import type { Database } from '../../src/store/database.ts';
import { deleteDeployment, getDeployment } from '../../src/store/deployments.ts';
import { createFilter, deleteFilter, getFilter, listFilters, updateFilter } from '../../src/store/filters.ts';
import {
  createPlugin,
  deletePlugin,
  findPluginVersions,
  getPlugin,
  listPlugins,
  setPluginState,
  updatePlugin,
} from '../../src/store/plugins.ts';
import { createPluginsUpdate, getPluginsUpdate, listPluginsUpdates } from '../../src/store/plugins-updates.ts';
import {
  createSecret,
  deleteSecret,
  getSecret,
  listSecrets,
  readSecretContents,
  updateSecret,
} from '../../src/store/secrets.ts';
import {
  createSecretsProvider,
  deleteSecretsProvider,
  getSecretsProvider,
  listSecretsProviders,
  readConnectionParameters,
  updateSecretsProvider,
} from '../../src/store/secrets-providers.ts';
import { createSite, deleteSite, getSite, listSites, updateSite } from '../../src/store/sites.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addBlueprint, addDeployment, addInstances, codeOf, everything, owner } from './samples.ts';

describe('resources in the store', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  const deployments = async (count: number): Promise<Deployment[]> =>
    Promise.all(Array.from({ length: count }, () => addDeployment(database)));
  const ids = (items: readonly { id: string }[]): string[] => items.map(({ id }) => id);

  it('sites: a name once, a location that can be cleared, and deployments that lose it', async () => {
    const site = await createSite(database, { ...owner, id: 'lab', location: { latitude: 1.5, longitude: -2 } });
    expect(site).to.deep.include({ latitude: 1.5, longitude: -2, createdBy: 'admin', tenantName: 'default_tenant' });
    expect(await codeOf(createSite(database, { ...owner, id: 'lab' }))).to.equal('conflict_error');
    const [deployment] = await deployments(1);
    await database.query('update deployments set site_id = $1 where storage_id = $2', [
      site.storageId,
      deployment?.storageId,
    ]);
    const renamed = await updateSite(database, site.storageId, { id: 'lab-2', location: null });
    expect(renamed).to.include({ id: 'lab-2', latitude: undefined });
    expect((await getDeployment(database, everything, deployment?.id ?? '')).siteName).to.equal('lab-2');
    expect((await listSites(database, everything, { search: { id: 'LAB' } })).total).to.equal(1);
    await deleteSite(database, site.storageId);
    expect((await getDeployment(database, everything, deployment?.id ?? '')).siteName).to.equal(undefined);
    expect(await codeOf(getSite(database, everything, 'lab-2'))).to.equal('not_found_error');
  });

  it('filters: blueprints and deployments have their own names', async () => {
    const rules = [{ type: 'label', key: 'a', operator: 'any_of', values: ['b'] }] as const;
    const filter = await createFilter(database, { ...owner, kind: 'deployments', id: 'mine', rules });
    await createFilter(database, { ...owner, kind: 'blueprints', id: 'mine', rules: [] });
    expect(await codeOf(createFilter(database, { ...owner, kind: 'blueprints', id: 'mine', rules: [] }))).to.equal(
      'conflict_error',
    );
    expect((await getFilter(database, everything, 'deployments', 'mine')).rules).to.deep.equal(rules);
    expect((await listFilters(database, everything, 'blueprints', {})).total).to.equal(1);
    const updated = await updateFilter(database, filter.storageId, { rules: [] });
    expect(updated.rules).to.deep.equal([]);
    expect(updated.updatedAt).to.be.instanceOf(Date);
    expect(await deleteFilter(database, filter.storageId)).to.equal(true);
  });

  it('secrets: values stay apart from what is listed; providers are kept while they are used', async () => {
    const provider = await createSecretsProvider(database, {
      ...owner,
      id: 'vault',
      type: 'vault',
      connectionParameters: 'encrypted connection',
    });
    const secret = await createSecret(database, {
      ...owner,
      id: 'key',
      value: 'encrypted',
      schema: { type: 'integer' },
    });
    const remote = await createSecret(database, {
      ...owner,
      id: 'remote',
      providerStorageId: provider.storageId,
      providerOptions: 'encrypted options',
    });
    expect(JSON.stringify(await listSecrets(database, everything, {}))).not.to.contain('encrypted');
    const contents = await readSecretContents(database, [secret.storageId]);
    expect(contents.get(secret.storageId)?.value).to.equal('encrypted');
    expect((await readSecretContents(database, [remote.storageId])).get(remote.storageId)).to.deep.include({
      value: undefined,
      providerOptions: 'encrypted options',
      provider: { type: 'vault', connectionParameters: 'encrypted connection' },
    });
    expect((await getSecret(database, everything, 'remote')).providerName).to.equal('vault');
    const rules = [{ type: 'attribute', key: 'provider_name', operator: 'any_of', values: ['vault'] }] as const;
    expect(ids((await listSecrets(database, everything, { rules })).items)).to.deep.equal(['remote']);
    expect(await codeOf(deleteSecretsProvider(database, provider.storageId))).to.equal('conflict_error');
    const updated = await updateSecret(database, secret.storageId, { value: 'new', isHiddenValue: true });
    expect(updated).to.include({ isHiddenValue: true });
    expect(updated.updatedAt).to.be.instanceOf(Date);
    await deleteSecret(database, remote.storageId);
    await updateSecretsProvider(database, provider.storageId, { connectionParameters: null, type: 'local' });
    expect(await getSecretsProvider(database, everything, 'vault')).to.include({ type: 'local' });
    expect([...(await readConnectionParameters(database, [provider.storageId]))]).to.deep.equal([]);
    expect(await deleteSecretsProvider(database, provider.storageId)).to.equal(true);
    expect((await listSecretsProviders(database, everything, {})).total).to.equal(0);
  });

  describe('plugins', () => {
    const plugin = { ...owner, archiveName: 'a.wgn', packageName: 'pkg', packageVersion: '1.0' };

    it('are refused twice, and known by package', async () => {
      const first = await createPlugin(database, { ...plugin, id: randomUUID(), wheels: ['w'], title: 'T' });
      expect(first).to.deep.include({ wheels: ['w'], excludedWheels: [], title: 'T', states: [] });
      expect(await codeOf(createPlugin(database, { ...plugin, id: randomUUID() }))).to.equal('conflict_error');
      const renamed = { ...plugin, id: randomUUID(), archiveName: 'b.wgn' };
      expect(await codeOf(createPlugin(database, renamed))).to.equal('conflict_error');
      const newer = { ...renamed, packageVersion: '1.1', distribution: 'ubuntu' };
      const second = await createPlugin(database, newer);
      expect(ids(await findPluginVersions(database, 0, 'pkg'))).to.deep.equal([first.id, second.id]);
      expect(
        ids((await listPlugins(database, everything, { filters: { distribution: ['ubuntu'] } })).items),
      ).to.deep.equal([second.id]);
      const labels = { a: ['b'] };
      expect((await updatePlugin(database, first.storageId, { labels })).labels).to.deep.equal(labels);
      expect(await deletePlugin(database, second.storageId)).to.equal(true);
    });

    it('have a state on each manager and agent', async () => {
      const { id, storageId, tenantId } = await createPlugin(database, {
        ...plugin,
        id: randomUUID(),
        packageName: 'p2',
      });
      await putManager(database, {
        hostname: 'm1',
        privateIp: '10.0.0.1',
        publicIp: '10.0.0.1',
        version: '1',
        edition: 'e',
        distribution: 'd',
        distroRelease: 'r',
        networks: {},
      });
      const place = { managers: ['m1', 'unknown'], agents: ['nobody'] };
      const known = await setPluginState(database, { storageId, tenantId }, place, 'installing');
      expect(known).to.deep.equal({ managers: ['m1'], agents: [] });
      await setPluginState(database, { storageId, tenantId }, place, 'error', 'why');
      expect((await getPlugin(database, everything, id)).states).to.deep.equal([
        { state: 'error', error: 'why', manager: 'm1', agent: undefined },
      ]);
    });
  });

  it('plugin updates: outlive their temporary blueprint', async () => {
    const blueprint = await addBlueprint(database);
    const temporary = await addBlueprint(database);
    const stored = await createPluginsUpdate(database, {
      ...owner,
      id: randomUUID(),
      state: 'updating',
      blueprintStorageId: blueprint.storageId,
      temporaryBlueprintStorageId: temporary.storageId,
      isForced: false,
      isAllTenants: true,
      deploymentsToUpdate: ['d'],
    });
    expect(stored).to.deep.include({
      blueprintId: blueprint.id,
      temporaryBlueprintId: temporary.id,
      isAllTenants: true,
    });
    await database.query('delete from blueprints where storage_id = $1', [temporary.storageId]);
    const kept = await getPluginsUpdate(database, everything, stored.id);
    expect(kept).to.deep.include({ temporaryBlueprintId: undefined, deploymentsToUpdate: ['d'] });
    expect((await listPluginsUpdates(database, everything, {})).total).to.equal(1);
  });

  it('agents: a name once per tenant, gone with their node instance', async () => {
    const { deployment, ids: instances } = await addInstances(database, 1, 'host');
    const agent = {
      ...owner,
      id: randomUUID(),
      name: 'agent-1',
      nodeInstanceId: instances[0] ?? '',
      state: 'creating' as const,
      installMethod: 'remote',
      rabbitmqExchange: 'agent-1',
    };
    const stored = await createAgent(database, agent);
    expect(stored).to.include({ name: 'agent-1', nodeId: 'host', deploymentId: deployment.id, state: 'creating' });
    expect(await createAgent(database, { ...agent, id: randomUUID() })).to.equal(undefined);
    expect(await codeOf(createAgent(database, { ...agent, nodeInstanceId: 'nobody' }))).to.equal('not_found_error');
    const updated = await updateAgent(database, stored?.storageId ?? 0, { state: 'started', version: '7' });
    expect(updated).to.include({ state: 'started', version: '7', installMethod: 'remote' });
    expect((await getAgent(database, everything, 'agent-1')).updatedAt).to.be.instanceOf(Date);
    expect((await listAgents(database, everything, { filters: { deploymentId: [deployment.id] } })).total).to.equal(1);
    await deleteDeployment(database, deployment.storageId);
    expect((await listAgents(database, everything, {})).total).to.equal(0);
  });

  it('members of the cluster: managers, brokers, databases, certificates', async () => {
    const certificate = await putCertificate(database, 'ca', 'PEM 1');
    expect(await putCertificate(database, 'ca', 'PEM 2', 0)).to.equal(certificate);
    expect(await findCertificate(database, 'ca')).to.equal('PEM 2');
    const manager = {
      hostname: 'm2',
      privateIp: '10.0.0.2',
      publicIp: '10.0.0.2',
      version: '1',
      edition: 'e',
      distribution: 'd',
      distroRelease: 'r',
      networks: { default: '10.0.0.2' },
      caCertificateId: certificate,
    };
    await putManager(database, manager);
    await putManager(database, { ...manager, version: '2' });
    expect(await codeOf(putManager(database, { ...manager, hostname: 'm3' }))).to.equal('conflict_error');
    const [stored] = await listManagers(database, 'm2');
    expect(stored).to.deep.include({ version: '2', caCertificate: 'PEM 2', networks: { default: '10.0.0.2' } });
    expect(await deleteManager(database, 'm2')).to.equal(true);
    await createBroker(database, {
      name: 'b',
      host: 'h',
      port: 5671,
      password: 'encrypted',
      caCertificateId: certificate,
    });
    expect(await codeOf(createBroker(database, { name: 'b', host: 'h' }))).to.equal('conflict_error');
    expect(await updateBroker(database, 'b', { networks: { default: '1' } })).to.equal(true);
    expect([await updateBroker(database, 'b', {}), await updateBroker(database, 'c', {})]).to.deep.equal([true, false]);
    expect((await listBrokers(database))[0]).to.deep.include({
      name: 'b',
      port: 5671,
      networks: { default: '1' },
      caCertificate: 'PEM 2',
    });
    expect([await deleteBroker(database, 'b'), await deleteBroker(database, 'b')]).to.deep.equal([true, false]);
    await replaceDatabaseNodes(database, [{ name: 'd1', host: 'h1', isExternal: true }]);
    await replaceDatabaseNodes(database, [{ name: 'd2', host: 'h2', isExternal: false }]);
    expect(await listDatabaseNodes(database)).to.deep.equal([{ name: 'd2', host: 'h2', isExternal: false }]);
  });

  it('snapshots and log bundles: private, with a status', async () => {
    for (const kind of ['snapshots', 'log_bundles'] as const) {
      const stored = await createArchive(database, kind, { ...owner, id: 'one', status: 'creating' });
      expect(stored).to.include({ status: 'creating', visibility: 'private' });
      expect(await codeOf(createArchive(database, kind, { ...owner, id: 'one', status: 'creating' }))).to.equal(
        'conflict_error',
      );
      const failed = await setArchiveStatus(database, kind, stored.storageId, { status: 'failed', error: 'why' });
      expect(failed).to.include({ status: 'failed', error: 'why' });
      expect((await getArchive(database, kind, everything, 'one')).id).to.equal('one');
      expect((await listArchives(database, kind, everything, {})).total).to.equal(1);
      expect(await deleteArchive(database, kind, stored.storageId)).to.equal(true);
    }
  });

  it('the audit log: read in pages and followed live', async () => {
    const end = await auditLogEnd(database);
    const session = database.actingAs({ username: 'auditor' });
    const { storageId } = await createSite(session, { ...owner, id: 'audited' });
    await updateSite(session, storageId, { visibility: 'private' });
    const tail = await tailAuditLog(database, { creatorName: 'auditor' }, end, 10);
    expect(tail.items.map(({ refTable, operation }) => [refTable, operation])).to.deep.equal([
      ['sites', 'create'],
      ['sites', 'update'],
    ]);
    expect((await tailAuditLog(database, {}, tail.cursor, 10)).items).to.deep.equal([]);
    const query = { creatorName: 'auditor', orderBy: 'operation', descending: true } as const;
    const page = await listAuditRecords(database, { ...query, size: 1 });
    expect(page).to.deep.include({ total: 2 });
    expect(page.items[0]).to.deep.include({
      operation: 'update',
      refId: storageId,
      refIdentifier: { id: 'audited', storage_id: storageId, tenant_id: 0 },
      executionId: undefined,
    });
    const old = new Date('2020-01-01T00:00:00Z');
    const record = { refTable: 'logins', refId: 0, operation: 'create', creatorName: 'auditor' } as const;
    await addAuditRecords(database, [
      { ...record, createdAt: old, executionId: undefined, refIdentifier: { username: 'u' } },
    ]);
    expect((await listAuditRecords(database, { before: new Date('2020-01-02'), since: old, size: 0 })).total).to.equal(
      1,
    );
    expect(await deleteAuditRecords(database, { before: new Date('2021-01-01'), creatorName: 'auditor' })).to.equal(1);
    expect(await codeOf(listAuditRecords(database, { orderBy: 'toString' as 'refId' }))).to.equal(
      'bad_parameters_error',
    );
  });
});
