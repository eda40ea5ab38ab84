import { expect } from 'chai';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import type { ExecutionStatus } from '../../src/domain/states.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { Dequeuer } from '../../src/scheduler/dequeue.ts';
import type { Database } from '../../src/store/database.ts';
import { addGroupExecutions, createExecutionGroup, updateExecutionGroup } from '../../src/store/execution-groups.ts';
import { findStatuses } from '../../src/store/driving.ts';
import { changeExecutionStatus } from '../../src/store/executions.ts';
import type { NewExecution } from '../../src/store/executions.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { addDeployment, addExecution, installWorkflow, owner } from './samples.ts';

const creation = 'create_deployment_environment';

describe('the queue of executions', () => {
  let test: TestDatabase;
  let database: Database;
  let broker: BrokerConnection;
  let dequeuer: Dequeuer;
  let names = new Map<string, string>();

  before(async () => {
    test = await createTestDatabase();
    database = test.database;
    broker = connectBroker({ url: 'memory:queue', log: silentLogger, name: 'queue' });
    await broker.whenConnected();
    dequeuer = new Dequeuer(database, broker, silentLogger);
  });
  after(async () => {
    await broker?.close();
    await test?.close();
  });
  beforeEach(async () => {
    names = new Map();
    await database.query('delete from executions');
  });

  const newDeployment = async (): Promise<number> =>
    (await addDeployment(database, undefined, { workflows: { install: installWorkflow() } })).storageId;
  /** Stores an execution that tests call by `name`. */
  const add = async (name: string, more: Partial<NewExecution> = {}): Promise<number> => {
    const { id, storageId } = await addExecution(database, { status: 'queued', ...more });
    names.set(id, name);
    return storageId;
  };
  /** Lets those begin that may. @returns the names of all that have begun so far */
  const begun = async (): Promise<string[]> => {
    await dequeuer.run();
    const statuses = await findStatuses(database, [...names.keys()]);
    return [...names].flatMap(([id, name]) => (statuses.get(id) === 'pending' ? [name] : []));
  };
  const end = async (name: string, status: ExecutionStatus = 'terminated'): Promise<void> => {
    const [id = ''] = [...names].find(([, each]) => each === name) ?? [];
    const event = status === 'terminated' ? 'succeed' : 'stopped';
    expect(await changeExecutionStatus(database, id, { event })).to.include({ status });
    names.delete(id);
  };

  it('lets one execution of a deployment begin at a time, the oldest first', async () => {
    const deploymentStorageId = await newDeployment();
    await add('first', { deploymentStorageId });
    await add('second', { deploymentStorageId });
    await add('third', { deploymentStorageId });
    for (const name of ['first', 'second', 'third']) {
      expect(await begun()).to.deep.equal([name]);
      expect(await begun(), 'asked again').to.deep.equal([name]);
      await end(name);
    }
  });

  it('lets executions of different deployments begin together', async () => {
    await add('one', { deploymentStorageId: await newDeployment() });
    await add('two', { deploymentStorageId: await newDeployment() });
    expect(await begun()).to.deep.equal(['one', 'two']);
  });

  it('lets the creation of an environment begin before what waits longer on the same deployment', async () => {
    const deploymentStorageId = await newDeployment();
    await add('earlier', { deploymentStorageId });
    await add('creation', { deploymentStorageId, workflowId: creation });
    await add('elsewhere', { deploymentStorageId: await newDeployment() });
    expect(await begun()).to.deep.equal(['creation', 'elsewhere']);
    await end('creation');
    expect(await begun()).to.deep.equal(['earlier', 'elsewhere']);
  });

  it('lets as many members of a group run as its concurrency allows, and none with 0', async () => {
    const group = await createExecutionGroup(database, { ...owner, id: 'g', workflowId: 'install', concurrency: 0 });
    const members: number[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      members.push(await add(name, { deploymentStorageId: await newDeployment() }));
    }
    await addGroupExecutions(database, group.storageId, members);
    await add('of nobody', { deploymentStorageId: await newDeployment() });
    expect(await begun()).to.deep.equal(['of nobody']);
    await updateExecutionGroup(database, group.storageId, { concurrency: 2 });
    expect(await begun()).to.deep.equal(['a', 'b', 'of nobody']);
    expect(await begun(), 'asked again').to.deep.equal(['a', 'b', 'of nobody']);
    await end('b');
    expect(await begun()).to.deep.equal(['a', 'c', 'of nobody']);
    await updateExecutionGroup(database, group.storageId, { concurrency: 0 });
    await end('a');
    expect(await begun()).to.deep.equal(['c', 'of nobody']);
  });

  it('lets a system workflow go before all that wait longer, alone, once nothing runs any more', async () => {
    await add('running', { status: 'pending', deploymentStorageId: await newDeployment() });
    await add('ordinary', { deploymentStorageId: await newDeployment() });
    await add('system', { workflowId: 'create_log_bundle', isSystemWorkflow: true });
    expect(await begun()).to.deep.equal(['running']);
    await end('running');
    expect(await begun()).to.deep.equal(['system']);
    expect(await begun(), 'while it runs').to.deep.equal(['system']);
    await end('system');
    expect(await begun()).to.deep.equal(['ordinary']);
  });

  it('runs no more executions at once than the manager is set to', async () => {
    await database.query(`update config set value = '2' where name = 'max_concurrent_workflows' and scope = 'rest'`);
    for (const name of ['a', 'b', 'c']) {
      await add(name, { deploymentStorageId: await newDeployment() });
    }
    expect(await begun()).to.deep.equal(['a', 'b']);
    await end('a');
    expect(await begun()).to.deep.equal(['b', 'c']);
  });
});
