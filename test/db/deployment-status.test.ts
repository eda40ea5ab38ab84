import { expect } from 'chai';
import type { DeploymentStatus, ExecutionStatus } from '../../src/domain/states.ts';
import type { Database } from '../../src/store/database.ts';
import { addParents } from '../../src/store/deployment-hierarchy.ts';
import { refreshDeploymentStatuses, setLatestExecutions } from '../../src/store/deployment-status.ts';
import { findDeployment } from '../../src/store/deployments.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { addDeployment, addExecution, addInstances } from './samples.ts';

const statuses: readonly DeploymentStatus[] = ['good', 'in_progress', 'requires_attention'];
const worst = (...given: readonly DeploymentStatus[]): DeploymentStatus =>
  statuses.findLast((status) => given.includes(status)) ?? 'good';

describe('the status of a deployment', () => {
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });
  after(() => test.close());

  const setLatest = async (deploymentStorageId: number, status: ExecutionStatus): Promise<void> => {
    const { storageId: executionStorageId } = await addExecution(database, { deploymentStorageId, status });
    await setLatestExecutions(database, [{ deploymentStorageId, executionStorageId }]);
  };
  const read = async (storageId: number) => {
    const found = await findDeployment(database, storageId);
    return [found?.installationStatus, found?.deploymentStatus];
  };

  it('is good exactly when all node instances are started and the latest execution did not fail', async () => {
    const { deployment, ids } = await addInstances(database, 2);
    const { storageId } = deployment;
    const cases: readonly [string[], ExecutionStatus, DeploymentStatus][] = [
      [['started', 'started'], 'terminated', 'good'],
      [['started', 'started'], 'cancelled', 'good'],
      [['started', 'started'], 'failed', 'requires_attention'],
      [['started', 'started'], 'started', 'in_progress'],
      [['started', 'started'], 'cancelling', 'in_progress'],
      [['started', 'stopped'], 'terminated', 'requires_attention'],
      [['started', 'stopped'], 'cancelled', 'requires_attention'],
      [['started', 'stopped'], 'pending', 'in_progress'],
    ];
    for (const [states, latest, expected] of cases) {
      await database.query(
        `update node_instances set state = given.state from unnest($1::text[], $2::text[]) as given (id, state)
          where node_instances.id = given.id`,
        [ids, states],
      );
      await setLatest(storageId, latest);
      const isActive = states.every((state) => state === 'started');
      expect(await read(storageId), `${states.join()} ${latest}`).to.deep.equal([
        isActive ? 'active' : 'inactive',
        expected,
      ]);
    }
  });

  it('is the worst of its own and those of its services and environments, at every level', async () => {
    const [top, middle, low] = [
      (await addDeployment(database)).storageId,
      (await addDeployment(database)).storageId,
      (await addDeployment(database)).storageId,
    ];
    await addParents(database, [
      { childId: low, parentId: middle },
      { childId: middle, parentId: top },
    ]);
    await refreshDeploymentStatuses(database, [low, middle, top]);
    const latest = { good: 'terminated', in_progress: 'started', requires_attention: 'failed' } as const;
    for (const ofTop of statuses) {
      for (const ofMiddle of statuses) {
        for (const ofLow of statuses) {
          await setLatest(top, latest[ofTop]);
          await setLatest(middle, latest[ofMiddle]);
          await setLatest(low, latest[ofLow]);
          const shown = (await Promise.all([low, middle, top].map(read))).map(([, status]) => status);
          expect(shown, `${ofLow} below ${ofMiddle} below ${ofTop}`).to.deep.equal([
            ofLow,
            worst(ofLow, ofMiddle),
            worst(ofLow, ofMiddle, ofTop),
          ]);
        }
      }
    }
  });

  it('counts environments apart from services, and both for the status', async () => {
    const [parent, environment] = [
      (await addDeployment(database)).storageId,
      (await addDeployment(database)).storageId,
    ];
    await database.query(
      `insert into deployments_labels (resource_id, key, value, creator_id) values ($1, 'csys-obj-type', 'environment', 0)`,
      [environment],
    );
    await addParents(database, [{ childId: environment, parentId: parent }]);
    await setLatest(parent, 'terminated');
    await setLatest(environment, 'failed');
    expect(await findDeployment(database, parent)).to.include({
      subEnvironmentsCount: 1,
      subServicesCount: 0,
      subEnvironmentsStatus: 'requires_attention',
      deploymentStatus: 'requires_attention',
    });
  });
});
