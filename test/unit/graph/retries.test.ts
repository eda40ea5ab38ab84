import { expect } from 'chai';
import type { TaskHandler } from '../../../src/graph/handlers.ts';
import type { RetryPolicy } from '../../../src/graph/task.ts';
import type { TaskOutcome } from '../../../src/graph/handlers.ts';
import { operationError } from '../../../src/domain/operation-error.ts';
import { Bench, failure, nonRecoverable, ok, recoverable, retryAsked } from './kit.ts';

interface Case {
  name: string;
  policy: RetryPolicy;
  /** Outcomes of the attempts in order. */
  outcomes: readonly TaskOutcome[];
  attempts: number;
  end: 'succeeded' | 'failed';
  /** Seconds between attempts. */
  delays?: readonly number[];
}

const policy = (totalRetries: number, retryInterval = 10): RetryPolicy => ({ totalRetries, retryInterval });
const unknown = failure({
  ...operationError({ kind: 'RecoverableError', message: 'x' }),
  known_exception_type: 'StopAgent',
});
const http = failure(operationError({ kind: 'HttpException', message: 'gone' }));

const cases: readonly Case[] = [
  { name: 'one attempt without retries', policy: policy(0), outcomes: [recoverable()], attempts: 1, end: 'failed' },
  {
    name: 'at most n + 1 attempts with n retries, the interval apart',
    policy: policy(2),
    outcomes: [recoverable(), recoverable(), recoverable()],
    attempts: 3,
    end: 'failed',
    delays: [10, 10],
  },
  {
    name: 'a success ends the attempts',
    policy: policy(2),
    outcomes: [recoverable(), ok()],
    attempts: 2,
    end: 'succeeded',
    delays: [10],
  },
  {
    name: 'attempts without end with -1 retries',
    policy: policy(-1),
    outcomes: [...Array.from({ length: 50 }, () => recoverable()), ok()],
    attempts: 51,
    end: 'succeeded',
  },
  {
    name: 'a non-recoverable error is never retried',
    policy: policy(-1),
    outcomes: [nonRecoverable()],
    attempts: 1,
    end: 'failed',
  },
  { name: 'an HTTP error is never retried', policy: policy(-1), outcomes: [http], attempts: 1, end: 'failed' },
  {
    name: 'an unknown error is retried',
    policy: policy(1),
    outcomes: [unknown, ok()],
    attempts: 2,
    end: 'succeeded',
    delays: [10],
  },
  {
    name: 'retry_after overrides the interval for that retry',
    policy: policy(2),
    outcomes: [recoverable('x', 3), recoverable(), ok()],
    attempts: 3,
    end: 'succeeded',
    delays: [3, 10],
  },
  {
    name: 'an operation may ask for a retry itself',
    policy: policy(1),
    outcomes: [retryAsked(7), ok()],
    attempts: 2,
    end: 'succeeded',
    delays: [7],
  },
  {
    name: 'asked retries are bounded too',
    policy: policy(1),
    outcomes: [retryAsked(7), retryAsked(7)],
    attempts: 2,
    end: 'failed',
    delays: [7],
  },
];

describe('retries', () => {
  for (const { name, policy: used, outcomes, attempts, end, delays } of cases) {
    it(name, () => {
      const bench = new Bench((graph, task) => {
        graph.add(task('a', { policy: used }));
      }).start();
      const seen: number[] = [];
      for (const outcome of outcomes) {
        bench.end(outcome, 'a');
        const delayed = bench.last.delayed[0];
        if (delayed) {
          seen.push((delayed.dueAt - bench.now) / 1000);
          bench.wait((delayed.dueAt - bench.now) / 1000);
        }
      }
      expect(bench.started).to.have.length(attempts);
      expect(bench.ended?.status).to.equal(end);
      if (delays) {
        expect(seen).to.deep.equal(delays);
      }
    });
  }

  it('makes every attempt a new task that names the one it repeats', () => {
    const bench = new Bench((graph, task) => {
      graph.sequence().add(task('a'), task('b'));
    }).start();
    const first = bench.last.ready[0];
    bench.end(recoverable(), 'a').wait(10);
    const second = bench.last.ready[0];
    expect(second?.id).not.to.equal(first?.id);
    expect(second?.retriedTaskId).to.equal(first?.id);
    expect([first?.currentRetries, second?.currentRetries]).to.deep.equal([0, 1]);
    expect([first?.state, second?.state]).to.deep.equal(['failed', 'pending']);
    bench.end(ok(), 'a');
    expect(bench.running).to.deep.equal(['b']);
  });

  it('stores a new attempt before it starts', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    bench.end(recoverable(), 'a');
    expect(bench.last.changes.map(({ kind }) => kind)).to.deep.equal(['task-state', 'task-added']);
  });

  it('starts a retry without delay in the same step', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    bench.end(retryAsked(0), 'a');
    expect(bench.running).to.deep.equal(['a']);
  });

  it('gives an asked retry the state rescheduled and another failure the state failed', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    bench.end(retryAsked(0), 'a').end(recoverable(), 'a');
    expect(bench.states).to.deep.equal(['a rescheduled', 'a failed']);
  });

  describe('with handlers', () => {
    const run = (handler: TaskHandler, outcome: TaskOutcome, used = policy(0)): Bench =>
      new Bench(
        (graph, task) => {
          graph
            .sequence()
            .add(task('a', { onFailure: { path: 'h' }, onSuccess: { path: 'h' }, policy: used }), task('b'));
        },
        { handlers: new Map([['h', handler]]) },
      )
        .start()
        .end(outcome, 'a');

    it('goes on after a failure that is ignored', () => {
      expect(run(() => ({ action: 'ignore' }), nonRecoverable(), policy(5)).running).to.deep.equal(['b']);
    });

    it('retries although the attempts are used up when the handler says so', () => {
      const bench = run(() => ({ action: 'retry', ignoresTotalRetries: true }), ok(false));
      expect(bench.last.delayed).to.have.length(1);
    });

    it('does not ask the failure handler when the operation asks for a retry', () => {
      const bench = run(() => ({ action: 'ignore' }), retryAsked(0), policy(1));
      expect(bench.running).to.deep.equal(['a']);
    });

    it('asks the failure handler when the retries an operation asked for are used up', () => {
      expect(run(() => ({ action: 'ignore' }), retryAsked(0), policy(0)).running).to.deep.equal(['b']);
    });

    it('hands the effects of a handler on, after the state change', () => {
      const bench = run(
        () => ({ action: 'ignore', effects: [{ kind: 'node-event', instanceId: 'ni', message: 'Ignoring' }] }),
        nonRecoverable(),
      );
      expect(bench.last.changes.map(({ kind }) => kind)).to.deep.equal(['task-state', 'node-event']);
    });

    it('names a handler that does not exist', () => {
      const bench = new Bench((graph, task) => {
        graph.add(task('a', { onFailure: { path: 'gone' } }));
      }).start();
      expect(() => bench.end(nonRecoverable(), 'a')).to.throw("names the handler 'gone', which does not exist");
    });
  });
});
