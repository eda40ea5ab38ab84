import { expect } from 'chai';
import type { Execution } from '../../src/domain/entities.ts';
import { ExecutionTakenOverError } from '../../src/executor/progress-writer.ts';
import { StatusWriter } from '../../src/executor/status-writer.ts';
import type { ExecutionOutcome } from '../../src/executor/status-writer.ts';
import { silentLogger } from '../../src/log/logger.ts';
import type { Database } from '../../src/store/database.ts';
import { findDeployment } from '../../src/store/deployments.ts';
import { listEvents } from '../../src/store/events.ts';
import {
  changeExecutionStatus,
  claimExecution,
  findExecution,
  findExecutionByToken,
} from '../../src/store/executions.ts';
import { createDeploymentGroup } from '../../src/store/deployment-groups.ts';
import { createExecutionGroup, updateExecutionGroup } from '../../src/store/execution-groups.ts';
import { beat } from '../../src/store/processes.ts';
import type { TestDatabase } from '../kit/database.ts';
import { createTestDatabase } from '../kit/database.ts';
import { addDeployment, addExecution, everything, owner } from './samples.ts';

const success: ExecutionOutcome = { status: 'succeeded', result: undefined };

describe('starts and ends of executions', () => {
  let test: TestDatabase;
  let database: Database;
  let statuses: StatusWriter;
  let transactions = 0;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    await beat(database, { name: 'me', roles: ['executor'] });
    await beat(database, { name: 'you', roles: ['executor'] });
    const counting = Object.create(database) as Database;
    counting.prepared = (text, values) => database.prepared(text, values);
    counting.transaction = (work) => {
      transactions += 1;
      return database.transaction(work);
    };
    statuses = new StatusWriter({
      database: counting,
      executorName: 'me',
      managerName: 'manager',
      clock: { now: () => Date.now() },
      reveal: async () => '',
      log: silentLogger,
      stopping: new AbortController().signal,
    });
  });
  after(() => test.close());
  beforeEach(() => (transactions = 0));

  const addClaimed = async (deploymentStorageId: number, executor = 'me'): Promise<Execution> => {
    const { id } = await addExecution(database, { deploymentStorageId });
    const claimed = await claimExecution(database, id, executor, 60);
    if (!claimed) {
      throw new Error('Not claimed');
    }
    return claimed;
  };
  const messages = async ({ id }: Execution): Promise<(string | undefined)[]> =>
    (await listEvents(database, everything, { executionIds: [id] })).items.map(({ message }) => message);

  it('share a transaction when they occur together, also for one deployment', async () => {
    const { storageId } = await addDeployment(database);
    const other = await addDeployment(database);
    const executions = [await addClaimed(storageId), await addClaimed(storageId), await addClaimed(other.storageId)];
    const started = await Promise.all(
      executions.map((execution, index) => statuses.begin(execution, { isResume: index === 1 })),
    );
    expect(started.map((execution) => execution?.status)).to.deep.equal(['started', 'started', 'started']);
    expect(transactions).to.equal(1);
    const outcomes: ExecutionOutcome[] = [success, { status: 'failed', message: 'broken' }, { status: 'cancelled' }];
    const ended = await Promise.all(
      executions.map((execution, index) => statuses.end(execution, outcomes[index] ?? success)),
    );
    expect(transactions).to.equal(2);
    expect(ended.map(({ status, error }) => [status, error])).to.deep.equal([
      ['terminated', ''],
      ['failed', 'broken'],
      ['cancelled', ''],
    ]);
    const [first, second, third] = await Promise.all(executions.map((execution) => messages(execution)));
    expect(first).to.deep.equal(["Starting 'install' workflow execution", "'install' workflow execution succeeded"]);
    expect(second).to.deep.equal([
      "Resuming 'install' workflow execution",
      "'install' workflow execution failed: broken",
    ]);
    expect(third?.[1]).to.equal("'install' workflow execution cancelled");
    const latest = (await findDeployment(database, storageId))?.latestExecutionId;
    expect(executions.slice(0, 2).map(({ id }) => id)).to.include(latest);
    expect((await findDeployment(database, other.storageId))?.latestExecutionId).to.equal(executions[2]?.id);
  });

  it('are one statement, also for members of groups, and a transaction where ancestors are told', async () => {
    const [alone, child, parent, member] = await Promise.all(
      Array.from({ length: 4 }, async () => addDeployment(database)),
    );
    const deployments = [alone, child, member].map((deployment) => deployment?.storageId ?? 0);
    await database.query('insert into deployment_labels_dependencies values ($1, $2)', [
      child?.storageId,
      parent?.storageId,
    ]);
    const group = await createExecutionGroup(database, {
      id: 'group',
      ...owner,
      workflowId: 'install',
      concurrency: 5,
    });
    const successes = await createDeploymentGroup(database, { id: 'successes', ...owner });
    await updateExecutionGroup(database, group.storageId, { successGroupStorageId: successes.storageId });
    const tried: [Execution, number][] = [];
    for (const storageId of deployments) {
      const execution = await addClaimed(storageId);
      if (storageId === member?.storageId) {
        await database.query(
          `insert into execution_groups_executions (execution_group_id, execution_id)
            select storage_id, $2 from execution_groups where id = $1`,
          [group.id, execution.storageId],
        );
      }
      transactions = 0;
      await statuses.begin(execution, { isResume: false });
      const { latestExecutionId, deploymentStatus } = (await findDeployment(database, storageId)) ?? {};
      expect({ latestExecutionId, deploymentStatus }).to.deep.equal({
        latestExecutionId: execution.id,
        deploymentStatus: 'in_progress',
      });
      const ended = await statuses.end(execution, success);
      expect(ended).to.include({ status: 'terminated', error: '', executor: undefined });
      expect(ended.endedAt).to.be.instanceOf(Date);
      tried.push([execution, transactions]);
    }
    expect(tried.map(([, count]) => count)).to.deep.equal([0, 2, 0]);
    expect((await findDeployment(database, parent?.storageId ?? 0))?.subServicesCount).to.equal(1);
    const told = await listEvents(database, everything, { executionGroupIds: [group.id] });
    const { id = '' } = (tried[2] as [Execution, number])[0];
    expect(told.items.map(({ message }) => message)).to.deep.equal([
      `execution '${id}' changed state to 'started'`,
      `execution '${id}' changed state to 'terminated'`,
    ]);
    const succeeded = await database.query('select deployment_id from deployment_groups_deployments');
    expect(succeeded).to.deep.equal([{ deployment_id: member?.storageId }]);
    expect(await messages((tried[0] as [Execution, number])[0])).to.deep.equal([
      "Starting 'install' workflow execution",
      "'install' workflow execution succeeded",
    ]);
  });

  it('are seen together with their event: nobody sees a status without it, or the event before the status', async () => {
    const { storageId } = await addDeployment(database);
    const outcomes: [ExecutionOutcome, string][] = [
      [success, 'workflow_succeeded'],
      [{ status: 'failed', message: 'broken' }, 'workflow_failed'],
      [{ status: 'cancelled' }, 'workflow_cancelled'],
    ];
    /** Whether the last event of an execution was stored by the transaction that gave it its status. */
    const last = async ({ id }: Execution): Promise<object | undefined> => {
      const [row] = await database.query<{ type: string; is_together: boolean }>(
        `select events.event_type as type, events.xmin::text = executions.xmin::text as is_together
          from events join executions on executions.storage_id = events.execution_id
          where executions.id = $1 order by events.storage_id desc limit 1`,
        [id],
      );
      return row;
    };
    for (const [outcome, type] of outcomes) {
      const execution = await addClaimed(storageId);
      await statuses.begin(execution, { isResume: false });
      expect(await last(execution)).to.deep.equal({ type: 'workflow_started', is_together: true });
      await statuses.end(execution, outcome);
      expect(await last(execution)).to.deep.equal({ type, is_together: true });
    }
  });

  it('leave alone what another process drives, and what was cancelled before it began', async () => {
    const { storageId } = await addDeployment(database);
    const [lost, cancelled, mine] = [
      await addClaimed(storageId, 'you'),
      await addClaimed(storageId),
      await addClaimed(storageId),
    ];
    await changeExecutionStatus(database, cancelled.id, { event: 'cancel' });
    const [first, second, third] = await Promise.allSettled([
      statuses.begin(lost, { isResume: false }),
      statuses.begin(cancelled, { isResume: false }),
      statuses.begin(mine, { isResume: false, tokenHash: 'hash of mine' }),
    ]);
    expect(first).to.include({ status: 'rejected' });
    expect((first as PromiseRejectedResult).reason).to.be.instanceOf(ExecutionTakenOverError);
    expect(second).to.deep.equal({ status: 'fulfilled', value: undefined });
    expect(third).to.include({ status: 'fulfilled' });
    expect(await findExecutionByToken(database, 'hash of mine')).to.include({ id: mine.id, status: 'started' });
    expect(await findExecution(database, lost.id)).to.include({ status: 'pending' });
    // it succeeded while it was being cancelled
    expect(await statuses.end(cancelled, success)).to.include({ status: 'cancelled' });
  });

  it('fail independently of each other', async () => {
    const { storageId } = await addDeployment(database);
    const [bad, good] = [await addClaimed(storageId), await addClaimed(storageId)];
    await Promise.all([bad, good].map((execution) => statuses.begin(execution, { isResume: false })));
    const refused = {
      status: 'succeeded',
      result: {
        atEnd: async () => {
          throw new Error('refused');
        },
      },
    } as const;
    const [first, second] = await Promise.allSettled([statuses.end(bad, refused), statuses.end(good, success)]);
    expect((first as PromiseRejectedResult).reason).to.include({ message: 'refused' });
    expect(second).to.include({ status: 'fulfilled' });
    expect(await findExecution(database, bad.id)).to.include({ status: 'started' });
    expect(await findExecution(database, good.id)).to.include({ status: 'terminated' });
    expect(await messages(bad)).to.deep.equal(["Starting 'install' workflow execution"]);
  });
});
