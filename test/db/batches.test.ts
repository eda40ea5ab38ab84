import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { findComponentDeployments, findComponentExecutions } from '../../src/store/component-executions.ts';
import type { Database } from '../../src/store/database.ts';
import { createDeployments, removeFailedCreations, setCreateExecutions } from '../../src/store/deployment-batch.ts';
import { addConsumers, removeConsumers } from '../../src/store/consumers.ts';
import { addParents, findInCycle, removeParents } from '../../src/store/deployment-hierarchy.ts';
import { findDeployments } from '../../src/store/deployments.ts';
import { findDependentsOf } from '../../src/store/dependents.ts';
import { applyExecutionStatuses } from '../../src/store/execution-effects.ts';
import { changeExecutionStatuses, findExecutions } from '../../src/store/executions.ts';
import { createInterDeploymentDependencies } from '../../src/store/inter-deployment-dependencies.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { addBlueprint, addDeployment, addExecution, owner } from './samples.ts';

describe('many at once', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let database: Database;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
  });

  after(() => test.close());

  const batched = (id: string): Parameters<typeof createDeployments>[2][number] => ({
    id,
    displayName: id,
    siteStorageId: undefined,
    runtimeOnlyEvaluation: false,
  });

  async function refusal(work: Promise<unknown>): Promise<string> {
    return work.then(
      () => '',
      (error: Error) => error.message,
    );
  }

  it('deployments are stored in the order given, all or none', async () => {
    const blueprint = await addBlueprint(database);
    const batch = { ...owner, blueprintStorageId: blueprint.storageId };
    const names = Array.from({ length: 50 }, () => `d-${randomUUID()}`);
    const storageIds = await createDeployments(database, batch, names.map(batched));
    const stored = new Map((await findDeployments(database, storageIds)).map((one) => [one.storageId, one.id]));
    expect(storageIds.map((id) => stored.get(id))).to.deep.equal(names);
    const [taken = ''] = names;
    expect(await refusal(createDeployments(database, batch, [batched('fresh-one'), batched(taken)]))).to.contain(taken);
    expect(await refusal(createDeployments(database, batch, [batched('twice'), batched('twice')]))).to.contain('twice');
    const global = { ...batch, visibility: 'global' as const };
    expect(await refusal(createDeployments(database, global, [batched(taken)]))).to.contain('already exists');
  });

  it('failed creations make way, and nothing else', async () => {
    const [failed, installed] = [await addDeployment(database), await addDeployment(database)];
    const creation = { workflowId: 'create_deployment_environment', status: 'failed' as const };
    for (const { storageId } of [failed, installed]) {
      const execution = await addExecution(database, { ...creation, deploymentStorageId: storageId });
      await setCreateExecutions(database, [execution.id]);
    }
    await addExecution(database, { deploymentStorageId: installed.storageId });
    await removeFailedCreations(database, 0, [failed.id, installed.id]);
    const left = await findDeployments(database, [failed.storageId, installed.storageId]);
    expect(left.map(({ id }) => id)).to.deep.equal([installed.id]);
  });

  it('executions change where their status allows it, and their deployments follow', async () => {
    const deployments = [await addDeployment(database), await addDeployment(database)];
    const statuses = ['started', 'terminated'] as const;
    const executions = await Promise.all(
      deployments.map(({ storageId }, index) =>
        addExecution(database, { status: statuses[index] ?? 'started', deploymentStorageId: storageId }),
      ),
    );
    const changed = await changeExecutionStatuses(
      database,
      executions.map(({ id }) => id),
      { event: 'fail', error: 'x' },
    );
    expect(changed.map(({ id }) => id)).to.deep.equal([executions[0]?.id]);
    await applyExecutionStatuses(database, changed);
    const [first] = await findDeployments(database, [deployments[0]?.storageId ?? 0]);
    expect(first).to.include({ latestExecutionId: executions[0]?.id, deploymentStatus: 'requires_attention' });
    const stored = await findExecutions(database, [executions[1]?.id ?? '']);
    expect(stored.map(({ status }) => status)).to.deep.equal(['terminated']);
  });

  it('circles of parents are found, and parents know their children', async () => {
    const [a, b, c] = [await addDeployment(database), await addDeployment(database), await addDeployment(database)];
    const edges = [
      { childId: a.storageId, parentId: b.storageId },
      { childId: c.storageId, parentId: a.storageId },
    ];
    await addParents(database, edges);
    const all = [a, b, c].map(({ storageId }) => storageId);
    expect(await findInCycle(database, all)).to.deep.equal([]);
    await addParents(database, [{ childId: b.storageId, parentId: a.storageId }]);
    expect(await findInCycle(database, all)).to.deep.equal([a.storageId, b.storageId].sort((x, y) => x - y));
    await addConsumers(database, edges);
    await addConsumers(database, edges);
    const labels = async (): Promise<string[]> =>
      (await findDeployments(database, [b.storageId])).flatMap((one) => one.labels.map(({ value }) => value));
    expect(await labels()).to.deep.equal([a.id]);
    await removeConsumers(database, edges);
    expect(await labels(), 'still a part').to.deep.equal([a.id]);
    await removeParents(database, edges);
    await removeConsumers(database, edges);
    expect(await labels()).to.deep.equal([]);
  });

  it('components and what runs on them are found to any depth', async () => {
    const [top, middle, low, other] = [
      await addDeployment(database),
      await addDeployment(database),
      await addDeployment(database),
      await addDeployment(database),
    ];
    const uses = (source: number, target: number, creator: string): object => ({
      ...owner,
      id: randomUUID(),
      dependencyCreator: creator,
      sourceDeploymentStorageId: source,
      targetDeploymentStorageId: target,
    });
    await createInterDeploymentDependencies(database, [
      uses(top.storageId, middle.storageId, 'component.m_1'),
      uses(middle.storageId, low.storageId, 'component.l_1'),
      uses(top.storageId, other.storageId, 'sharedresource.o_1'),
    ] as Parameters<typeof createInterDeploymentDependencies>[1]);
    expect(await findComponentDeployments(database, top.storageId)).to.deep.equal([middle.id]);
    const parent = await addExecution(database, { status: 'started', deploymentStorageId: top.storageId });
    const running = await addExecution(database, { status: 'started', deploymentStorageId: low.storageId });
    const waiting = await addExecution(database, { status: 'queued', deploymentStorageId: middle.storageId });
    await addExecution(database, { status: 'terminated', deploymentStorageId: middle.storageId });
    await addExecution(database, { status: 'started', deploymentStorageId: other.storageId });
    expect(await findComponentExecutions(database, [parent.id])).to.have.members([running.id, waiting.id]);

    const needed = async (): Promise<[string, boolean][]> =>
      ((await findDependentsOf(database, [other.storageId])).get(other.storageId) ?? []).map(
        ({ deploymentId, isLeaving }) => [deploymentId, isLeaving],
      );
    expect(await needed()).to.deep.equal([[top.id, false]]);
    await addExecution(database, { workflowId: 'uninstall', deploymentStorageId: top.storageId });
    expect(await needed()).to.deep.equal([[top.id, true]]);
  });
});
