import { expect } from 'chai';
import { OperationWaits } from '../../src/runtime/waits.ts';
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
    const waits = new OperationWaits();
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
