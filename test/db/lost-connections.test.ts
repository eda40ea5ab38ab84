import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { EventInput } from '../../src/domain/entities.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { Database } from '../../src/store/database.ts';
import { isConnectionError } from '../../src/store/database-errors.ts';
import { insertEvents } from '../../src/store/events.ts';
import { createExecutions } from '../../src/store/executions.ts';
import { withoutStored } from '../../src/store/stored-events.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { seedTenant } from '../kit/engine.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';
import { until } from '../kit/until.ts';

describe('a database whose network goes silent', function () {
  this.timeout(60_000);
  let server: PostgresServer;
  let proxy: TcpProxy;
  let database: Database;

  before(async () => {
    server = await PostgresServer.start();
    proxy = await TcpProxy.start(server.port);
  });
  after(async () => {
    await proxy.stop();
    await server.stop();
  });
  beforeEach(() => {
    const limits = { statementTimeout: 500, silenceLimit: 500 };
    database = new Database({ url: proxy.over(server.url()), poolSize: 2, log: silentLogger, ...limits });
  });
  afterEach(async () => {
    proxy.become('pass');
    await database.close();
  });

  const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );

  it('fails statements as a lost connection does, and works again', async () => {
    await database.query('select 1');
    proxy.become('stall');
    expect(isConnectionError(await failureOf(database.query('select 1')))).to.equal(true);
    proxy.become('pass');
    expect(await database.query('select 1 as one')).to.deep.equal([{ one: 1 }]);
  });

  it('fails a transaction in the middle', async () => {
    const cut = database.transaction(async (transaction) => {
      await transaction.query('select 1');
      proxy.become('stall');
      await transaction.query('select 2');
    });
    expect(isConnectionError(await failureOf(cut))).to.equal(true);
  });

  it('tells listeners to look for themselves once it is back', async () => {
    const heard: (string | undefined)[] = [];
    await database.listen('sample', (payload) => heard.push(payload));
    proxy.become('stall');
    const { connections } = proxy;
    await until('the connection to be given up for another', () => proxy.connections > connections);
    proxy.become('pass');
    await until('the listener', () => heard.includes(undefined));
    await database.query(`notify sample, 'hello'`);
    await until('a notification', () => heard.includes('hello'));
  });
});

describe('events whose commit nobody heard of', () => {
  let test: TestDatabase;

  before(async function () {
    this.timeout(60_000);
    test = await createTestDatabase();
  });
  after(() => test.close());

  it('are told from those that are not stored', async () => {
    const { tenantId, userId } = await seedTenant(test.database);
    const common = { tenantId, creatorId: userId, visibility: 'tenant' as const };
    const id = randomUUID();
    await createExecutions(test.database, [
      { ...common, id, workflowId: 'install', status: 'started', parameters: {} },
    ]);
    const event = (more: Partial<EventInput>): EventInput => ({
      ...common,
      kind: 'event',
      executionId: id,
      timestamp: new Date(1_700_000_000_123),
      eventType: 'sending_task',
      message: 'Sending \0 task',
      ...more,
    });
    const stored = [event({}), event({ nodeInstanceId: 'a', operation: 'create' })];
    await insertEvents(test.database, stored);
    const others = [
      event({ nodeInstanceId: 'b', operation: 'create' }),
      event({ eventType: 'task_started' }),
      event({ timestamp: new Date(1_700_000_000_124) }),
      event({ message: 'Sending another task' }),
      event({ executionId: randomUUID() }),
    ];
    expect(await withoutStored(test.database, [...stored, ...others])).to.deep.equal(others);
  });
});
