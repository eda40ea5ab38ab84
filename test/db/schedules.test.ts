import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Deployment } from '../../src/domain/entities.ts';
import type { ExecutionSchedule } from '../../src/domain/resources.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { runDueSchedules } from '../../src/scheduler/schedules.ts';
import type { Database } from '../../src/store/database.ts';
import { createExecutionSchedule, getExecutionSchedule } from '../../src/store/execution-schedules.ts';
import type { NewExecutionSchedule } from '../../src/store/execution-schedules.ts';
import { changeExecutionStatus, listExecutions } from '../../src/store/executions.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { addDeployment, everything, installWorkflow, owner } from './samples.ts';

const minute = 60_000;

describe('schedules that are due', () => {
  let test: TestDatabase;
  let database: Database;
  let deployment: Deployment;

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    const workflows = { install: installWorkflow({ size: 1, colour: 'red' }) };
    deployment = await addDeployment(database, 'd', { workflows });
  });
  after(() => test.close());
  beforeEach(async () => {
    await database.query('delete from execution_schedules');
    await database.query('delete from executions');
  });

  /** A schedule for every hour, whose last occurrence was some minutes ago. */
  const add = async (minutesLate: number, more: Partial<NewExecutionSchedule> = {}): Promise<ExecutionSchedule> => {
    const nextOccurrence = new Date(Date.now() - minutesLate * minute);
    return createExecutionSchedule(database, {
      ...owner,
      id: `s-${randomUUID()}`,
      deploymentStorageId: deployment.storageId,
      workflowId: 'install',
      rule: { recurrence: '1 hour' },
      since: new Date(nextOccurrence.getTime() - 3 * 60 * minute),
      nextOccurrence,
      slip: 0,
      parameters: {},
      executionArguments: {},
      stopOnFail: false,
      isEnabled: true,
      ...more,
    });
  };
  const run = (): Promise<number | undefined> =>
    runDueSchedules({ database, clock: { now: () => Date.now() }, newId: randomUUID, log: silentLogger });
  const executions = async () =>
    (await listExecutions(database, everything, { sort: [{ field: 'storageId', descending: false }] })).items;
  const read = ({ id }: ExecutionSchedule): Promise<ExecutionSchedule> =>
    getExecutionSchedule(database, everything, deployment.storageId, id);
  /** Makes the next occurrence be one of a second ago. */
  const makeDue = ({ storageId }: ExecutionSchedule): Promise<unknown> =>
    database.query(`update execution_schedules set next_occurrence = now() - interval '1 s' where storage_id = $1`, [
      storageId,
    ]);
  const end = async (event: string): Promise<void> => {
    const [{ id } = { id: '' }] = (await executions()).slice(-1);
    expect(await changeExecutionStatus(database, id, { event, error: '' })).to.not.equal(undefined);
  };

  it('queue one execution per occurrence, however many occurrences were missed', async () => {
    const schedule = await add(0.5, { parameters: { size: 7 }, since: new Date(Date.now() - 100.5 * 60 * minute) });
    const wait = await run();
    await run();
    const [execution, ...more] = await executions();
    expect(more).to.deep.equal([]);
    expect(execution).to.deep.include({
      status: 'queued',
      workflowId: 'install',
      deploymentId: 'd',
      creatorId: owner.creatorId,
      parameters: { size: 7, colour: 'red' },
    });
    const next = (await read(schedule)).nextOccurrence?.getTime() ?? 0;
    expect(next)
      .to.be.greaterThan(Date.now())
      .and.at.most(Date.now() + 60 * minute);
    expect(wait).to.be.within(1, 60 * minute);
  });

  it('fire up to a minute late, later by as many minutes as they may slip, and not at all after that', async () => {
    const cases: [number, number, boolean][] = [
      [0.9, 0, true],
      [1.5, 0, false],
      [5.5, 5, true],
      [6.5, 5, false],
    ];
    for (const [late, slip, isFired] of cases) {
      await database.query('delete from executions');
      const schedule = await add(late, { slip });
      await run();
      expect(await executions(), `${late} minutes late, slip ${slip}`).to.have.length(isFired ? 1 : 0);
      expect((await read(schedule)).nextOccurrence?.getTime()).to.be.greaterThan(Date.now());
    }
  });

  it('leave out an occurrence while their previous execution has not ended', async () => {
    const schedule = await add(0);
    await run();
    await makeDue(schedule);
    await run();
    expect(await executions()).to.have.length(1);
    await end('stopped');
    await makeDue(schedule);
    await run();
    expect((await executions()).map(({ status }) => status)).to.deep.equal(['cancelled', 'queued']);
  });

  it('end with the first failure when they are to stop on one, and go on otherwise', async () => {
    for (const stopOnFail of [true, false]) {
      await database.query('delete from executions');
      const schedule = await add(0, { stopOnFail });
      await run();
      await end('fail');
      await makeDue(schedule);
      await run();
      expect(await executions(), `stop_on_fail ${stopOnFail}`).to.have.length(stopOnFail ? 1 : 2);
      expect((await read(schedule)).isEnabled).to.equal(!stopOnFail);
    }
  });

  it('fire neither while they are switched off nor after their last occurrence', async () => {
    await add(0, { isEnabled: false });
    const last = await add(0, { rule: { count: 1 }, since: new Date(Date.now() - 1000) });
    await run();
    await run();
    expect(await executions()).to.have.length(1);
    expect((await read(last)).nextOccurrence).to.equal(undefined);
  });
});
