import { expect } from 'chai';
import type { SystemWorkflow } from '../../src/executor/system-workflow.ts';
import { Waits } from '../../src/runtime/waits.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { EngineProcess, ended, seedDeployment, startWorkflow } from '../kit/engine.ts';
import type { ProcessOptions } from '../kit/engine.ts';

describe('operations that only wait', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let process: EngineProcess | undefined;

  const start = async (options: Partial<ProcessOptions>): Promise<EngineProcess> => {
    const amqpUrl = 'memory:';
    process = await EngineProcess.start({ databaseUrl: test.url, amqpUrl, name: 'in-process', ...options });
    return process;
  };

  before(async () => {
    test = await createTestDatabase();
  });
  afterEach(() => process?.stop(0));
  after(() => test?.close());

  it('leave their place to others, which they may be waiting for', async () => {
    const waits = new Waits();
    const instances = 20;
    let started = 0;
    let openAll: () => void = () => undefined;
    const all = new Promise<void>((resolve) => (openAll = resolve));
    const engine = await start({
      environment: { GANTRY_MAX_OPERATIONS: '4' },
      waits,
      run: async () => {
        started += 1;
        if (started === instances) {
          openAll();
        }
        await waits.during(() => all);
        return { ok: true, result: null };
      },
    });
    const deployment = await seedDeployment(test.database, { instances });
    const execution = await startWorkflow(engine, deployment, 'install');
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(waits.count).to.equal(0);
  });
});

describe('executions that only wait', function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let process: EngineProcess | undefined;

  const start = async (options: Partial<ProcessOptions>): Promise<EngineProcess> => {
    const environment = { GANTRY_MAX_EXECUTIONS: '1' };
    process = await EngineProcess.start({
      ...{ databaseUrl: test.url, amqpUrl: 'memory:', name: 'in-process', environment },
      ...options,
    });
    return process;
  };

  before(async () => {
    test = await createTestDatabase();
  });
  afterEach(() => process?.stop(0));
  after(() => test?.close());

  it('leave their place to the executions that they have started', async () => {
    const parts: string[] = [];
    const whole: SystemWorkflow = async (context) => {
      const { id, tenantId, creatorId, visibility, deploymentStorageId, blueprintId } = context.execution;
      const common = { tenantId, creatorId, visibility, deploymentStorageId, blueprintId, parameters: {} };
      const part = { ...common, id: `${id}-part`, workflowId: 'part', status: 'pending' as const };
      await context.runExecutions([part]);
      return undefined;
    };
    const part: SystemWorkflow = async ({ execution }) => void parts.push(execution.id);
    const engine = await start({
      systemWorkflows: new Map([
        ['whole', whole],
        ['part', part],
      ]),
    });
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const execution = await startWorkflow(engine, deployment, 'whole');
    expect(await ended(test.database, execution.id)).to.include({ status: 'terminated', error: '' });
    expect(parts).to.deep.equal([`${execution.id}-part`]);
  });

  it('leave their place to the executions that their operations wait for', async () => {
    let finish: () => void = () => undefined;
    const other = new Promise<void>((resolve) => (finish = resolve));
    const component = await seedDeployment(test.database, { instances: 1, pluginName: 'cfy_extensions' });
    const waitedFor = await seedDeployment(test.database, { instances: 1 });
    const engine = await start({
      run: async ({ context }) => {
        if (context.deployment_id === waitedFor.id) {
          finish();
        } else {
          await other;
        }
        return { ok: true, result: null };
      },
    });
    const first = await startWorkflow(engine, component, 'install');
    const second = await startWorkflow(engine, waitedFor, 'install');
    for (const { id } of [second, first]) {
      expect(await ended(test.database, id)).to.include({ status: 'terminated', error: '' });
    }
  });

  it('leave their place to others while somebody has paused them', async () => {
    const engine = await start({});
    const deployment = await seedDeployment(test.database, { instances: 1 });
    const breakpoints = [{ operation: 'cloudify.interfaces.lifecycle.start' }];
    const held = await startWorkflow(engine, deployment, 'install', { breakpoints });
    const free = await startWorkflow(engine, await seedDeployment(test.database, { instances: 1 }), 'install');
    expect(await ended(test.database, free.id)).to.include({ status: 'terminated', error: '' });
    const [row] = await test.database.query<{ status: string }>('select status from executions where id = $1', [
      held.id,
    ]);
    expect(row?.status).to.equal('started');
  });
});
