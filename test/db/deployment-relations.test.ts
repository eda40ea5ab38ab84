import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Deployment } from '../../src/domain/entities.ts';
import type { Database } from '../../src/store/database.ts';
import {
  addGroupMembers,
  advanceCreationCounter,
  createDeploymentGroup,
  deleteDeploymentGroup,
  getDeploymentGroup,
  listDeploymentGroups,
  loadGroupMembers,
  removeGroupMembers,
  replaceGroupMembers,
  updateDeploymentGroup,
} from '../../src/store/deployment-groups.ts';
import { addParents, findChildren, removeParents } from '../../src/store/deployment-hierarchy.ts';
import {
  createModification,
  endModification,
  getModification,
  listModifications,
} from '../../src/store/deployment-modifications.ts';
import {
  addDeploymentUpdateSteps,
  changeDeploymentUpdate,
  failUpdatesOfExecutions,
  getDeploymentUpdate,
  listDeploymentUpdates,
  putDeploymentUpdate,
} from '../../src/store/deployment-updates.ts';
import { deleteDeployment, getDeployment, listDeployments } from '../../src/store/deployments.ts';
import {
  addGroupExecutions,
  collectEndedDeployments,
  createExecutionGroup,
  getExecutionGroup,
  listExecutionGroups,
  updateExecutionGroup,
} from '../../src/store/execution-groups.ts';
import {
  createExecutionSchedule,
  deleteExecutionSchedule,
  executionScheduleResource,
  getExecutionSchedule,
  listExecutionSchedules,
  nextScheduleTime,
  takeDueSchedules,
  updateExecutionSchedule,
} from '../../src/store/execution-schedules.ts';
import { listExecutions } from '../../src/store/executions.ts';
import {
  createInterDeploymentDependencies,
  deleteInterDeploymentDependencies,
  findByKey,
  findBySource,
  findCircularTargets,
  getInterDeploymentDependency,
  listInterDeploymentDependencies,
  setDependencyTargets,
} from '../../src/store/inter-deployment-dependencies.ts';
import { summarize } from '../../src/store/list-query.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addBlueprint, addDeployment, addExecution, codeOf, everything, owner } from './samples.ts';

describe('links between deployments in the store', () => {
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

  it('deployment groups: members, counters, labels and filters by group', async () => {
    const [first, second, third] = await deployments(3);
    const storageIds = [first, second, third].map((deployment) => deployment?.storageId ?? 0);
    const [one = 0, two = 0, three = 0] = storageIds;
    const group = await createDeploymentGroup(database, { ...owner, id: 'all', defaultInputs: { a: 1 } });
    expect(await addGroupMembers(database, group.storageId, [one, two])).to.have.members([one, two]);
    expect(await addGroupMembers(database, group.storageId, [two])).to.deep.equal([]);
    expect(await replaceGroupMembers(database, group.storageId, [two, three])).to.deep.equal({
      added: [three],
      removed: [one],
    });
    expect(await removeGroupMembers(database, group.storageId, [one, three])).to.deep.equal([three]);
    expect(await loadGroupMembers(database, group.storageId)).to.deep.equal([two]);
    const stored = await getDeploymentGroup(database, everything, 'all');
    expect(stored).to.deep.include({ deploymentIds: [second?.id], labels: [], defaultInputs: { a: 1 } });
    expect(ids((await listDeployments(database, everything, {}, { groupId: 'all' })).items)).to.deep.equal([
      second?.id,
    ]);
    expect((await getDeployment(database, everything, second?.id ?? '')).deploymentGroups).to.deep.equal(['all']);
    expect(await advanceCreationCounter(database, group.storageId, 3)).to.equal(1);
    expect(await advanceCreationCounter(database, group.storageId, 1)).to.equal(4);
    const blueprint = await addBlueprint(database);
    await updateDeploymentGroup(database, group.storageId, { defaultBlueprintStorageId: blueprint.storageId });
    const { items } = await listDeploymentGroups(database, everything, { fields: ['id'] });
    expect(items[0]).to.deep.include({ defaultBlueprintId: blueprint.id, deploymentIds: [] });
    expect(await deleteDeploymentGroup(database, group.storageId)).to.equal(true);
  });

  it('execution groups: executions with statuses, and groups for those that ended', async () => {
    const [good, bad, running] = await deployments(3);
    const success = await createDeploymentGroup(database, { ...owner, id: 'good' });
    const failed = await createDeploymentGroup(database, { ...owner, id: 'bad' });
    const executions = [
      await addExecution(database, { status: 'terminated', deploymentStorageId: good?.storageId }),
      await addExecution(database, { status: 'failed', deploymentStorageId: bad?.storageId }),
      await addExecution(database, { status: 'started', deploymentStorageId: running?.storageId }),
    ];
    const group = await createExecutionGroup(database, {
      ...owner,
      id: randomUUID(),
      workflowId: 'install',
      concurrency: 2,
    });
    await addGroupExecutions(
      database,
      group.storageId,
      executions.map(({ storageId }) => storageId),
    );
    const stored = await getExecutionGroup(database, everything, group.id);
    expect(stored).to.deep.include({
      executionIds: ids(executions),
      executionStatuses: ['terminated', 'failed', 'started'],
    });
    const page = await listExecutions(database, everything, {}, { groupId: group.id });
    expect(ids(page.items)).to.deep.equal(ids(executions));
    const updated = await updateExecutionGroup(database, group.storageId, {
      concurrency: 0,
      successGroupStorageId: success.storageId,
      failedGroupStorageId: failed.storageId,
    });
    expect(updated).to.include({ concurrency: 0, successGroupId: 'good', failedGroupId: 'bad' });
    await collectEndedDeployments(database, group.storageId);
    expect(await loadGroupMembers(database, success.storageId)).to.deep.equal([good?.storageId]);
    expect(await loadGroupMembers(database, failed.storageId)).to.deep.equal([bad?.storageId]);
    expect((await listExecutionGroups(database, everything, { fields: [] })).items[0]?.executionIds).to.deep.equal([]);
  });

  it('execution schedules: an id once per deployment, due ones to one taker', async () => {
    const [first, second] = await deployments(2);
    const due = new Date(Date.now() - 1000);
    const schedule = {
      ...owner,
      id: 'nightly',
      deploymentStorageId: first?.storageId ?? 0,
      workflowId: 'install',
      rule: { recurrence: '1 day', count: null },
      nextOccurrence: due,
    };
    const stored = await createExecutionSchedule(database, schedule);
    expect(await codeOf(createExecutionSchedule(database, schedule))).to.equal('conflict_error');
    await createExecutionSchedule(database, {
      ...schedule,
      deploymentStorageId: second?.storageId ?? 0,
      rule: { count: 1 },
      isEnabled: false,
    });
    expect(await nextScheduleTime(database)).to.deep.equal(due);
    await database.transaction(async (transaction) => {
      expect(await takeDueSchedules(transaction, 10)).to.have.length(1);
      expect(await takeDueSchedules(database, 10)).to.deep.equal([]);
    });
    const execution = await addExecution(database, { status: 'failed' });
    const advanced = await updateExecutionSchedule(database, stored.storageId, {
      nextOccurrence: null,
      latestExecutionStorageId: execution.storageId,
    });
    expect(advanced).to.include({ nextOccurrence: undefined, latestExecutionStatus: 'failed' });
    expect(await nextScheduleTime(database)).to.equal(undefined);
    const summary = await summarize(database, executionScheduleResource, everything, {}, { field: 'recurrence' });
    expect(summary.items.map(({ value, count }) => [value, count])).to.deep.equal([
      ['recurring', 1],
      ['single', 1],
    ]);
    expect((await getExecutionSchedule(database, everything, second?.storageId ?? 0, 'nightly')).isEnabled).to.equal(
      false,
    );
    expect((await listExecutionSchedules(database, everything, {})).total).to.equal(2);
    expect(await deleteExecutionSchedule(database, stored.storageId)).to.equal(true);
    await deleteDeployment(database, second?.storageId ?? 0);
    expect((await listExecutionSchedules(database, everything, {})).total).to.equal(0);
  });

  it('dependencies between deployments: found by key and source, circles are seen', async () => {
    const [a, b, c] = (await deployments(3)).map(({ storageId }) => storageId);
    const base = { ...owner, dependencyCreator: 'nodes.x.get_capability' };
    const stored = await createInterDeploymentDependencies(database, [
      { ...base, id: randomUUID(), sourceDeploymentStorageId: a, targetDeploymentStorageId: b },
      { ...base, id: randomUUID(), sourceDeploymentStorageId: b, targetDeploymentStorageId: c },
      { ...base, id: randomUUID(), sourceDeploymentStorageId: c, targetDeploymentFunction: { get_input: 'x' } },
    ]);
    expect(stored).to.have.length(3);
    expect(await findCircularTargets(database, c ?? 0, [a ?? 0])).to.deep.equal([a]);
    expect(await findCircularTargets(database, a ?? 0, [c ?? 0])).to.deep.equal([]);
    expect(await findCircularTargets(database, a ?? 0, [a ?? 0])).to.deep.equal([a]);
    const key = { dependencyCreator: base.dependencyCreator, sourceDeploymentStorageId: a };
    expect(ids(await findByKey(database, key))).to.deep.equal([stored[0]?.id]);
    expect(
      await findByKey(database, { ...key, targetDeploymentStorageId: c, externalSource: {}, externalTarget: {} }),
    ).to.deep.equal([]);
    const [open] = await findBySource(database, c ?? 0);
    await setDependencyTargets(database, [{ storageId: open?.storageId ?? 0, targetDeploymentStorageId: b ?? 0 }]);
    const resolved = await getInterDeploymentDependency(database, everything, open?.id ?? '');
    expect(resolved.targetDeploymentStorageId).to.equal(b);
    const needed = await listDeployments(database, everything, {}, { dependenciesOf: a ?? 0 });
    expect(needed.items.map(({ storageId }) => storageId)).to.have.members([b, c]);
    expect(await deleteInterDeploymentDependencies(database, [open?.storageId ?? 0])).to.equal(1);
    expect((await listInterDeploymentDependencies(database, everything, {})).total).to.equal(2);
  });

  it('hierarchy: the children of a deployment', async () => {
    const [top = 0, middle = 0, low = 0, side = 0] = (await deployments(4)).map(({ storageId }) => storageId);
    const edges = [
      { childId: low, parentId: middle },
      { childId: middle, parentId: top },
      { childId: side, parentId: top },
    ];
    await addParents(database, edges);
    await addParents(database, edges);
    expect(await findChildren(database, top)).to.have.members([middle, side]);
    expect(await findChildren(database, middle)).to.deep.equal([low]);
    await removeParents(database, edges.slice(0, 1));
    expect(await findChildren(database, middle)).to.deep.equal([]);
  });

  it('modifications: one at a time, ended once', async () => {
    const [deployment] = await deployments(1);
    const modification = {
      id: randomUUID(),
      deploymentStorageId: deployment?.storageId ?? 0,
      creatorId: 0,
      context: null,
      modifiedNodes: { a: { instances: 2 } },
      nodeInstances: { added_and_related: [] },
    };
    const stored = await createModification(database, modification);
    expect(stored).to.deep.include({
      status: 'started',
      modifiedNodes: { a: { instances: 2 } },
      deploymentId: deployment?.id,
    });
    expect(await codeOf(createModification(database, { ...modification, id: randomUUID() }))).to.equal(
      'existing_started_deployment_modification_error',
    );
    const ended = await endModification(database, stored, 'finished', { x: [] });
    expect(ended).to.deep.include({ status: 'finished', nodeInstances: { x: [] } });
    const again = await endModification(database, stored, 'rolledback').catch((error: unknown) => error);
    expect(again).to.include({
      code: 'deployment_modification_already_ended_error',
      message: `Cannot rollback deployment modification: ${stored.id}. It is already in finished status.`,
    });
    await createModification(database, { ...modification, id: randomUUID() });
    expect((await getModification(database, everything, stored.id)).endedAt).to.be.instanceOf(Date);
    const { total, items } = await listModifications(database, everything, { fields: [] });
    expect([total, items[0]?.nodeInstances]).to.deep.equal([2, {}]);
  });

  it('updates: stored again under the same id, with steps', async () => {
    const [deployment] = await deployments(1);
    const execution = await addExecution(database);
    const update = {
      id: `update-${randomUUID()}`,
      deploymentStorageId: deployment?.storageId ?? 0,
      creatorId: 0,
      visibility: 'tenant' as const,
      state: 'updating' as const,
      executionStorageId: execution.storageId,
      newInputs: { a: 1 },
    };
    const stored = await putDeploymentUpdate(database, update);
    expect(stored).to.deep.include({ state: 'updating', newInputs: { a: 1 }, steps: [], executionId: execution.id });
    await addDeploymentUpdateSteps(database, stored.storageId, [
      { id: 's1', action: 'add', entityType: 'node', entityId: ['nodes', 'a'], topologyOrder: 2 },
    ]);
    const again = await putDeploymentUpdate(database, { ...update, state: 'finalizing' });
    expect(again).to.deep.include({ state: 'finalizing', storageId: stored.storageId });
    expect(again.steps[0]).to.deep.include({ entityId: ['nodes', 'a'], topologyOrder: 2 });
    await failUpdatesOfExecutions(database, [execution.storageId]);
    expect((await getDeploymentUpdate(database, everything, update.id)).state).to.equal('failed');
    const changed = await changeDeploymentUpdate(database, stored.storageId, { state: 'successful', nodes: [] });
    expect(changed).to.deep.include({ state: 'successful', nodes: [] });
    expect((await listDeploymentUpdates(database, everything, {})).total).to.equal(1);
  });
});
