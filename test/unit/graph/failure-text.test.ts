import { expect } from 'chai';
import { operationError } from '../../../src/domain/operation-error.ts';
import { taskEvent } from '../../../src/graph/task-events.ts';
import type { TaskEventInput } from '../../../src/graph/task-events.ts';
import { Bench, failure, nonRecoverable } from './kit.ts';

describe('failure text', () => {
  it('names one failed task, its causes and its traceback', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    const traceback = 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: boom\n';
    bench.end(
      failure(operationError({ kind: 'NonRecoverableError', message: 'boom', type: 'ValueError', traceback })),
      'a',
    );
    expect(bench.ended).to.have.property(
      'message',
      'Task failed: plugin.a (node_abc123:interface.a): ValueError `boom`\n' +
        'Traceback of plugin.a (node_abc123:interface.a) (most recent call last):\n' +
        '  File "x.py", line 1\nValueError: boom',
    );
  });

  it('lists several failed tasks', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
      graph.add(task('b'));
    }).start();
    bench.end(nonRecoverable('one'), 'a').end(nonRecoverable('two'), 'b');
    expect(bench.ended).to.have.property(
      'message',
      '2 operation errors:\n' +
        'plugin.a (node_abc123:interface.a): NonRecoverableError `one`\n' +
        'plugin.b (node_abc123:interface.b): NonRecoverableError `two`',
    );
  });

  it('shows the error itself when it has no causes', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    const error = operationError({ kind: 'NonRecoverableError', message: 'bare' });
    bench.end(failure({ ...error, known_exception_type_kwargs: { causes: [] } }), 'a');
    expect(bench.ended).to.have.property('message').that.contains('NonRecoverableError `bare`');
  });
});

describe('task events', () => {
  const base: TaskEventInput = {
    name: 'p.f',
    isSubgraph: false,
    state: 'sending',
    currentRetries: 0,
    totalRetries: 60,
  };
  const cases: readonly [Partial<TaskEventInput>, string | undefined, string?][] = [
    [{}, "Sending task 'p.f'", 'sending_task'],
    [{ state: 'started' }, "Task started 'p.f'", 'task_started'],
    [{ state: 'started', isSubgraph: true }, "Subgraph started 'p.f'", 'task_started'],
    [{ state: 'succeeded' }, "Task succeeded 'p.f'", 'task_succeeded'],
    [{ state: 'succeeded', result: null }, "Task succeeded 'p.f'"],
    [{ state: 'succeeded', result: 'yes' }, "Task succeeded 'p.f' - yes"],
    [{ state: 'succeeded', result: { a: [1, true, "it's"] } }, `Task succeeded 'p.f' - {'a': [1, True, "it's"]}`],
    [{ state: 'failed', error: 'bad' }, "Task failed 'p.f' -> bad", 'task_failed'],
    [{ state: 'failed', isSubgraph: true, error: 'bad' }, "Subgraph failed 'p.f'"],
    [{ state: 'rescheduled', error: 'wait' }, "Task rescheduled 'p.f' -> wait", 'task_rescheduled'],
    [{ state: 'started', currentRetries: 2 }, "Task started 'p.f' [retry 2/60]"],
    [{ state: 'started', currentRetries: 2, totalRetries: -1 }, "Task started 'p.f' [retry 2]"],
    [{ state: 'succeeded', isDryRun: true, currentRetries: 1 }, "Task succeeded 'p.f' (dry run) [retry 1/60]"],
    [{ state: 'sent' }, undefined],
    [{ state: 'response-sent' }, undefined],
    [{ state: 'pending' }, undefined],
  ];
  for (const [input, message, eventType] of cases) {
    it(`reads ${message ?? `nothing for ${input.state ?? ''}`}`, () => {
      const event = taskEvent({ ...base, ...input });
      expect(event?.message).to.equal(message);
      if (eventType) {
        expect(event?.eventType).to.equal(eventType);
      }
    });
  }
});
