import { expect } from 'chai';
import type { Database } from '../../src/store/database.ts';
import { getDeployment } from '../../src/store/deployments.ts';
import {
  changeInstanceStates,
  createNodeInstances,
  deleteNodeInstances,
  getNodeInstance,
  listNodeInstances,
  loadNodeInstances,
  updateNodeInstance,
} from '../../src/store/node-instances.ts';
import { createNodes, deleteNodes, listNodes, loadNodes, updateNode } from '../../src/store/nodes.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addDeployment, addInstances, everything, sampleNode } from './samples.ts';

describe('nodes and node instances in the store', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  const only = async (): Promise<string> => {
    const { ids } = await addInstances(database, 1);
    return ids[0] ?? '';
  };

  describe('optimistic lock', () => {
    it('refuses an older version, accepts the same and a newer one', async () => {
      const id = await only();
      const first = await updateNodeInstance(database, everything, id, { version: 1, runtimeProperties: { a: 1 } });
      expect(first).to.deep.include({ version: 2, runtimeProperties: { a: 1 } });
      const stale = updateNodeInstance(database, everything, id, { version: 1, state: 'started' });
      expect(await stale.catch((error: unknown) => error)).to.include({
        code: 'conflict_error',
        message: 'Node instance update conflict [current version=2, update version=1]',
      });
      const newer = await updateNodeInstance(database, everything, id, { version: 9, state: 'started' });
      expect(newer).to.include({ version: 3, state: 'started' });
      const forced = await updateNodeInstance(database, everything, id, { version: 1, state: 'x' }, { force: true });
      expect(forced).to.include({ version: 4, state: 'x' });
    });

    it('leaves the version when nothing differs', async () => {
      const id = await only();
      const update = { version: 1, runtimeProperties: { b: [1, { c: 2 }] }, state: 'creating' };
      expect(await updateNodeInstance(database, everything, id, update)).to.include({ version: 2 });
      expect(await updateNodeInstance(database, everything, id, { ...update, version: 2 })).to.include({ version: 2 });
    });

    it('lets one of many writers of the same version win', async () => {
      const id = await only();
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, index) =>
          updateNodeInstance(database, everything, id, { version: 1, runtimeProperties: { index } }),
        ),
      );
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(winners).to.have.length(1);
      const stored = await getNodeInstance(database, everything, id);
      expect(stored).to.deep.include({ version: 2, runtimeProperties: winners[0]?.runtimeProperties });
    });

    it('knows missing instances, and those of another tenant', async () => {
      const id = await only();
      for (const [scope, missing] of [
        [everything, 'nobody'],
        [{ tenantId: 77 }, id],
      ] as const) {
        const update = updateNodeInstance(database, scope, missing, { version: 1, state: 'x' });
        expect(await update.catch((error: unknown) => error)).to.include({ code: 'not_found_error' });
      }
      expect(await getNodeInstance(database, everything, id)).to.include({ state: 'uninitialized' });
    });
  });

  describe('states of the engine', () => {
    it('change in one batch, each instance once with all its steps', async () => {
      const { ids, deployment } = await addInstances(database, 3);
      const [first = '', second = ''] = ids;
      const versions = await changeInstanceStates(database, [
        { id: first, state: 'creating' },
        { id: second, state: 'creating' },
        { id: first, state: 'created' },
        { id: first, state: 'configured' },
        { id: 'nobody', state: 'creating' },
      ]);
      expect([...versions]).to.have.deep.members([
        [first, 4],
        [second, 2],
      ]);
      const stored = await loadNodeInstances(database, deployment.storageId);
      expect(stored.map(({ state }) => state)).to.deep.equal(['configured', 'creating', 'uninitialized']);
      expect(stored[0]?.systemProperties).to.have.nested.property('configuration_drift.ok', true);
    });

    it('make the status fine at started and clear drift at configured, unless a relationship has drifted', async () => {
      const { ids } = await addInstances(database, 2);
      const [first = '', second = ''] = ids;
      const failed = { ok: false, result: 'x' };
      await updateNodeInstance(database, everything, first, {
        version: 1,
        systemProperties: { status: failed, configuration_drift: failed },
      });
      await updateNodeInstance(database, everything, second, {
        version: 1,
        systemProperties: { configuration_drift: failed, target_relationships_configuration_drift: { r: failed } },
      });
      expect(await getNodeInstance(database, everything, first)).to.include({
        isStatusCheckOk: false,
        hasConfigurationDrift: true,
      });
      await changeInstanceStates(
        database,
        ids.flatMap((id) => ['configured', 'started'].map((state) => ({ id, state }))),
      );
      const stored = await getNodeInstance(database, everything, first);
      expect(stored).to.include({ isStatusCheckOk: true, hasConfigurationDrift: false });
      expect(stored.systemProperties).to.have.nested.property('previous_status', null);
      expect(stored.systemProperties).to.have.nested.property('status.ok', true);
      expect(await getNodeInstance(database, everything, second)).to.include({ hasConfigurationDrift: true });
    });
  });

  describe('counters of drifted and unavailable instances', () => {
    const counts = async (id: string): Promise<number[]> => {
      const { driftedInstances, unavailableInstances } = await getDeployment(database, everything, id);
      return [driftedInstances, unavailableInstances];
    };

    it('follow inserts, changes and deletions of node and deployment', async () => {
      const { deployment, ids } = await addInstances(database, 5);
      expect(await counts(deployment.id)).to.deep.equal([0, 5]);
      await changeInstanceStates(
        database,
        ids.slice(0, 3).map((id) => ({ id, state: 'started' })),
      );
      expect(await counts(deployment.id)).to.deep.equal([0, 2]);
      await updateNodeInstance(database, everything, ids[0] ?? '', {
        version: 2,
        systemProperties: { status: { ok: false }, configuration_drift: { ok: true, result: { changed: 1 } } },
      });
      expect(await counts(deployment.id)).to.deep.equal([1, 3]);
      const { items } = await listNodes(database, everything, { filters: { deploymentId: [deployment.id] } });
      expect(items[0]).to.include({ driftedInstances: 1, unavailableInstances: 3, actualNumberOfInstances: 5 });
      expect(await deleteNodeInstances(database, deployment.storageId, [...ids.slice(0, 1), 'nobody'])).to.equal(1);
      expect(await counts(deployment.id)).to.deep.equal([0, 2]);
      expect(await deleteNodes(database, deployment.storageId, [items[0]?.id ?? ''])).to.equal(1);
      expect(await counts(deployment.id)).to.deep.equal([0, 0]);
    });
  });

  describe('creation', () => {
    it('renames instances whose id is taken, also where others refer to them', async () => {
      const { ids } = await addInstances(database, 1, 'vm');
      const other = await addDeployment(database);
      await createNodes(database, other.storageId, [sampleNode('vm'), sampleNode('app')]);
      const renamed = await createNodeInstances(database, other.storageId, [
        { id: 'vm_0', nodeId: 'vm', hostId: 'vm_0' },
        {
          id: 'app_1',
          nodeId: 'app',
          hostId: 'vm_0',
          relationships: [{ type: 't', target_name: 'vm', target_id: 'vm_0' }],
        },
      ]);
      const newId = renamed.get(ids[0] ?? '');
      expect(newId).to.match(/^vm_[a-z0-9]{10}$/);
      expect(renamed.size).to.equal(1);
      const stored = await loadNodeInstances(database, other.storageId);
      expect(stored.map(({ id, hostId }) => [id, hostId])).to.deep.equal([
        [newId, newId],
        ['app_1', newId],
      ]);
      expect(stored[1]?.relationships).to.deep.equal([{ type: 't', targetName: 'vm', targetId: newId }]);
    });

    it('numbers instances on from those the node has', async () => {
      const { deployment, ids } = await addInstances(database, 2);
      const nodeId = ids[0]?.replace(/_0$/, '') ?? '';
      await createNodeInstances(database, deployment.storageId, [
        { id: `${nodeId}_x`, nodeId },
        { id: `${nodeId}_y`, nodeId, index: 9 },
      ]);
      const stored = await loadNodeInstances(database, deployment.storageId);
      expect(stored.map(({ index }) => index)).to.deep.equal([1, 2, 3, 9]);
    });

    it('refuses instances of unknown nodes and nodes that are there', async () => {
      const { deployment, ids } = await addInstances(database, 1);
      const orphan = createNodeInstances(database, deployment.storageId, [{ id: 'orphan', nodeId: 'nowhere' }]);
      expect(await orphan.catch((error: unknown) => error)).to.include({ code: 'not_found_error' });
      const again = createNodes(database, deployment.storageId, [sampleNode(ids[0]?.replace(/_0$/, '') ?? '')]);
      expect(await again.catch((error: unknown) => error)).to.include({ code: 'conflict_error' });
    });
  });

  it('give the engine nodes in its own shape and take updates', async () => {
    const deployment = await addDeployment(database);
    const relationship = {
      target_id: 'b',
      type: 'cloudify.relationships.depends_on',
      type_hierarchy: ['cloudify.relationships.depends_on'],
      properties: { connection_type: 'all_to_all' },
      source_operations: {},
      target_operations: {},
    };
    await createNodes(database, deployment.storageId, [
      sampleNode('a', { relationships: [relationship], properties: { x: 1 }, hostId: 'b' }),
      sampleNode('b', { maxNumberOfInstances: 4 }),
    ]);
    await updateNode(database, deployment.storageId, 'b', { properties: { y: 2 }, numberOfInstances: 3 });
    const [a, b] = await loadNodes(database, deployment.storageId);
    expect(a).to.deep.include({ id: 'a', hostId: 'b', properties: { x: 1 }, pluginsToInstall: undefined });
    expect(a?.relationships[0]).to.include({ targetId: 'b', type: relationship.type });
    expect(b).to.deep.include({
      properties: { y: 2 },
      numberOfInstances: 3,
      maxNumberOfInstances: 4,
      hostId: undefined,
    });
    const missing = updateNode(database, deployment.storageId, 'z', {});
    expect(await missing.catch((error: unknown) => error)).to.include({ code: 'not_found_error' });
  });

  it('leave documents out of lists that do not ask for them', async () => {
    const { deployment } = await addInstances(database, 2);
    const { items, total } = await listNodeInstances(database, everything, {
      filters: { deploymentId: [deployment.id] },
      fields: ['id', 'state'],
      size: 1,
      sort: [{ field: 'index', descending: true }],
    });
    expect(total).to.equal(2);
    expect(items[0]).to.deep.include({ index: 2, runtimeProperties: {}, deploymentId: deployment.id });
  });
});
