import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { operationError } from '../../src/domain/operation-error.ts';
import type { OperationDecision } from '../../src/domain/control.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { changeExecutionStatus } from '../../src/store/executions.ts';
import { announceControl, decide, replaceBreakpoints } from '../../src/store/operation-control.ts';
import { startScheduler } from '../../src/scheduler/scheduler.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow } from '../kit/engine.ts';
import type { OperationFunction } from '../kit/engine.ts';
import { until } from '../kit/until.ts';

describe('decisions about an execution whose executor dies', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  const processes: EngineProcess[] = [];
  let count = 0;

  before(async () => {
    test = await createTestDatabase();
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.stop(0)));
  });
  after(async () => {
    await test.close();
  });

  const start = async (run: OperationFunction): Promise<EngineProcess> => {
    count += 1;
    const amqpUrl = `memory:control-${count}`;
    const process = await EngineProcess.start({ databaseUrl: test.url, amqpUrl, name: `manager-${count}`, run });
    processes.push(process);
    return process;
  };
  /** Another process with a scheduler that finds out what the first one has left. */
  const takeOver = async (run: OperationFunction): Promise<{ stop: () => Promise<void> }> => {
    const process = await start(run);
    const { config, database, connection } = process;
    return startScheduler({
      config,
      database,
      broker: connection,
      clock: { now: () => Date.now() },
      log: silentLogger,
      newId: randomUUID,
      staleAfter: () => 2,
    });
  };
  const operationsOf = (executionId: string): Promise<{ id: string; name: string; state: string; held: boolean }[]> =>
    test.database.query(
      `select operations.id, operations.name, operations.state, held_at is not null as held from operations
        join tasks_graphs on tasks_graphs.storage_id = tasks_graph_id
        join executions on executions.storage_id = execution_id
        where executions.id = $1 and type = 'RemoteWorkflowTask' order by operations.storage_id`,
      [executionId],
    );
  const isHeld = async (executionId: string, name: string): Promise<boolean> =>
    (await operationsOf(executionId)).some((operation) => operation.name === `noop.${name}` && operation.held);
  const by: Omit<OperationDecision, 'action'> = { by: 'admin', at: '2030-01-01T00:00:00.000Z' };

  it('stays paused in the next executor, and continues when it is unpaused', async () => {
    const ran: string[] = [];
    const run: OperationFunction = async ({ context }) => {
      ran.push(context.task_name);
      return { ok: true, result: null };
    };
    const first = await start(run);
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(first, deployment, 'install', {
      breakpoints: [{ operation: 'configure' }],
    });
    await until('the breakpoint', () => isHeld(execution.id, 'configure'));
    await changeExecutionStatus(test.database, execution.id, { event: 'pause' });
    await test.database.transaction((transaction) => replaceBreakpoints(transaction, execution.id, []));
    await first.vanish();
    const scheduler = await takeOver(run);
    try {
      await until('the next executor', async () => {
        const [row] = await test.database.query<{ executor: string | null }>(
          'select executor from executions where id = $1',
          [execution.id],
        );
        return row?.executor?.startsWith('manager-2') ?? false;
      });
      await until('the event', async () => {
        const rows = await test.database.query<{ message: string }>(
          `select message from events join executions on executions.storage_id = execution_id
            where executions.id = $1 and message like 'Resuming%'`,
          [execution.id],
        );
        return rows.length > 0;
      });
      const [row] = await test.database.query<{ status: string }>('select status from executions where id = $1', [
        execution.id,
      ]);
      expect(row?.status).to.equal('paused');
      expect(ran).to.deep.equal(['noop.create']);
      await changeExecutionStatus(test.database, execution.id, { event: 'unpause' });
      expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
      expect(ran).to.deep.equal(['noop.create', 'noop.configure', 'noop.start']);
    } finally {
      await scheduler.stop();
    }
  });

  it('are kept when the executor dies before it has read them', async () => {
    const ran: string[] = [];
    const run: OperationFunction = async ({ context }) => {
      ran.push(context.task_name);
      return context.task_name === 'noop.configure'
        ? { ok: false, error: operationError({ kind: 'NonRecoverableError', message: 'must not run' }) }
        : { ok: true, result: null };
    };
    const first = await start(run);
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(first, deployment, 'install', { breakpoints: [{ operation: 'configure' }] });
    await until('the breakpoint', () => isHeld(execution.id, 'configure'));
    await first.vanish();
    const held = (await operationsOf(execution.id)).find(({ name }) => name === 'noop.configure');
    await test.database.transaction(async (transaction) => {
      await decide(transaction, held?.id ?? '', { ...by, action: 'skip' });
      await announceControl(transaction, execution.id);
    });
    const scheduler = await takeOver(run);
    try {
      expect(await ended(test.database, execution.id)).to.include({ status: 'terminated' });
      expect(ran).to.include('noop.start').and.to.not.include('noop.configure');
    } finally {
      await scheduler.stop();
    }
  });
});
