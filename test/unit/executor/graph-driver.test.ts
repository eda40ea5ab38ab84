import { expect } from 'chai';
import type { Delivery } from '../../../src/amqp/consumer.ts';
import type { Execution } from '../../../src/domain/entities.ts';
import { operationError } from '../../../src/domain/operation-error.ts';
import type { OperationReply } from '../../../src/domain/operation-error.ts';
import { GraphDriver } from '../../../src/executor/graph-driver.ts';
import type { ProgressPart } from '../../../src/executor/progress-writer.ts';
import { buildGraph } from '../../../src/graph/build.ts';
import type { Completion } from '../../../src/graph/graph-run.ts';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import type { TaskOutcome } from '../../../src/graph/handlers.ts';
import type { RemoteCall, Task } from '../../../src/graph/task.ts';
import type { TasksGraph } from '../../../src/graph/tasks-graph.ts';
import { callOf } from '../graph/kit.ts';

const execution = { id: 'e1', tenantId: 1, creatorId: 1, visibility: 'tenant', isDryRun: false } as Execution;
const environment = { common: { execution_id: 'e1' }, plugin: () => ({}) };

function call(name: string): RemoteCall {
  return callOf(name, { instanceId: 'web_1', nodeId: 'web' });
}

/** A driver whose store and broker are lists, with a journal of what happened in which order. */
function setUp(
  build: (graph: TasksGraph) => void,
  answer: (task: Task) => TaskOutcome | 'later' | 'unsent',
  clock = { now: () => Date.now() },
) {
  let ids = 0;
  const graph = buildGraph(
    { newId: () => `t${(ids += 1)}`, taskRetries: 1, taskRetryInterval: 0, subgraphRetries: 0, isDryRun: false },
    build,
  );
  const journal: string[] = [];
  const parts: ProgressPart[] = [];
  const run = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 600 });
  let failure: Error | undefined;
  const driver = new GraphDriver({
    run,
    target: { execution, managerName: 'm1', tasksGraphId: 'g1', storedEnvironment: environment },
    clock,
    write: async (part) => {
      if (failure) {
        throw failure;
      }
      parts.push(part);
      part.operations.forEach(({ id, state }) => journal.push(`store ${id} ${state}`));
    },
    dispatcher: {
      send: async (tasks) => {
        const unsent: Completion[] = [];
        for (const task of tasks) {
          journal.push(`send ${task.id}`);
          const outcome = answer(task);
          if (outcome === 'unsent') {
            const error = operationError({ kind: 'RecoverableError', message: 'nobody there' });
            unsent.push({ taskId: task.id, outcome: { isSuccess: false, error } });
          } else if (outcome !== 'later') {
            setImmediate(() => driver.reply(task.id, outcome, undefined));
          }
        }
        return unsent;
      },
      resend: async () => [],
    },
    runLocal: async () => ({ isSuccess: true }),
  });
  return {
    driver,
    journal,
    parts,
    failWrites: (error: Error) => {
      failure = error;
    },
  };
}

const success: TaskOutcome = { isSuccess: true, result: null };

function delivery(log: string[]): Delivery<OperationReply> {
  return {
    body: { ok: true, result: null },
    exchange: '',
    routingKey: '',
    correlationId: undefined,
    replyTo: undefined,
    isRedelivered: false,
    ack: () => log.push('ack'),
    requeue: () => log.push('requeue'),
  };
}

describe('graph driver', () => {
  it('stores that an operation is sent before it sends it, one after the other', async () => {
    const { driver, journal } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')), graph.remote(call('start')));
      },
      () => success,
    );
    expect(await driver.drive()).to.deep.equal({ status: 'succeeded' });
    expect(journal).to.deep.equal([
      'store t1 sent',
      'send t1',
      'store t1 succeeded',
      'store t2 sent',
      'send t2',
      'store t2 succeeded',
    ]);
  });

  it('stores states and events of one step together', async () => {
    const { driver, parts } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')), graph.setState('web_1', 'created'));
      },
      () => success,
    );
    await driver.drive();
    expect(parts.map((part) => part.events.map((event) => event.message))).to.deep.equal([
      ["Sending task 'plugin.create'"],
      ["Task succeeded 'plugin.create'"],
    ]);
    expect(parts[1]?.instances).to.deep.equal([{ id: 'web_1', state: 'created' }]);
  });

  it('tries an operation again that could not be sent, with a row of its own', async () => {
    let attempts = 0;
    const { driver, journal, parts } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => ((attempts += 1) === 1 ? 'unsent' : success),
    );
    expect(await driver.drive()).to.deep.equal({ status: 'succeeded' });
    expect(journal).to.deep.equal([
      'store t1 sent',
      'send t1',
      'store t1 failed',
      'store t2 sent',
      'send t2',
      'store t2 succeeded',
    ]);
    expect(parts.flatMap((part) => part.newOperations.map(({ operation }) => operation.id))).to.deep.equal(['t2']);
  });

  it('starts the next attempt no earlier than its interval after the last one, also when a timer fires early', async () => {
    const began = performance.now();
    // all timers are early for a clock that goes at half the speed
    const slow = { now: () => (performance.now() - began) / 2 };
    const sentAt: number[] = [];
    const { driver } = setUp(
      (graph) => graph.add(graph.remote(call('create'), { policy: { totalRetries: 1, retryInterval: 0.02 } })),
      () => {
        sentAt.push(slow.now());
        return { isSuccess: false, error: operationError({ kind: 'RecoverableError', message: 'not yet' }) };
      },
      slow,
    );
    expect(await driver.drive()).to.include({ status: 'failed' });
    expect(sentAt).to.have.length(2);
    expect((sentAt[1] ?? 0) - (sentAt[0] ?? 0)).to.be.at.least(20);
  });

  it('acknowledges a reply after its effect is stored', async () => {
    const log: string[] = [];
    const { driver, journal } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      (task) => {
        setImmediate(() => {
          expect(driver.reply(task.id, success, { ...delivery(log), ack: () => journal.push('ack') })).to.equal(true);
        });
        return 'later';
      },
    );
    await driver.drive();
    expect(journal).to.deep.equal(['store t1 sent', 'send t1', 'store t1 succeeded', 'ack']);
  });

  it('does not take replies that belong to nothing it waits for', async () => {
    const log: string[] = [];
    const { driver } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => success,
    );
    expect(driver.reply('other', success, delivery(log))).to.equal(false);
    await driver.drive();
    expect(driver.reply('t1', success, delivery(log))).to.equal(false);
    expect(log).to.deep.equal([]);
  });

  it('ends at a cancel without waiting for what runs', async () => {
    const { driver, journal } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')), graph.remote(call('start')));
      },
      () => {
        setImmediate(() => driver.cancel());
        return 'later';
      },
    );
    expect(await driver.drive()).to.deep.equal({ status: 'cancelled' });
    expect(journal).to.deep.equal(['store t1 sent', 'send t1']);
  });

  it('sends nothing when storing failed, and fails with the reason', async () => {
    const { driver, journal, failWrites } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => success,
    );
    failWrites(new Error('taken over'));
    const outcome = await driver.drive().catch((error: Error) => error.message);
    expect(outcome).to.equal('taken over');
    expect(journal).to.deep.equal([]);
  });

  it('gives a reply back that could not be stored, so that it does not stay with this process for ever', async () => {
    const log: string[] = [];
    const { driver, failWrites } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => {
        setImmediate(() => {
          failWrites(new Error('taken over'));
          driver.reply('t1', success, delivery(log));
        });
        return 'later';
      },
    );
    const outcome = await driver.drive().catch((error: Error) => error.message);
    expect(outcome).to.equal('taken over');
    expect(log).to.deep.equal(['requeue']);
  });

  it('lets go without an end when told to', async () => {
    const { driver } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => {
        setImmediate(() => driver.abandon(new Error('stopping')));
        return 'later';
      },
    );
    const outcome = await driver.drive().catch((error: Error) => error.message);
    expect(outcome).to.equal('stopping');
  });

  it('sends a large graph in parts, each after it is stored', async () => {
    const { driver, parts } = setUp(
      (graph) => {
        for (let index = 0; index < 1200; index += 1) {
          graph.add(graph.remote(call('create')));
        }
      },
      () => success,
    );
    expect(await driver.drive()).to.deep.equal({ status: 'succeeded' });
    const sent = parts.filter((part) => part.operations[0]?.state === 'sent');
    expect(sent.map((part) => part.operations.length)).to.deep.equal([500, 500, 200]);
  });

  it('records the causes of a failure with its event', async () => {
    const error = operationError({ kind: 'NonRecoverableError', message: 'boom', type: 'Boom' });
    const { driver, parts } = setUp(
      (graph) => {
        graph.sequence().add(graph.remote(call('create')));
      },
      () => ({ isSuccess: false, error }),
    );
    expect(await driver.drive()).to.deep.include({ status: 'failed' });
    const event = parts.flatMap((part) => part.events).find(({ eventType }) => eventType === 'task_failed');
    expect(event).to.deep.include({
      message: "Task failed 'plugin.create' -> boom",
      errorCauses: [{ type: 'Boom', message: 'boom', traceback: null }],
      nodeInstanceId: 'web_1',
      operation: 'interface.create',
    });
  });
});
