import { expect } from 'chai';
import { Bench, nonRecoverable, ok, recoverable } from './kit.ts';

describe('graph run', () => {
  it('starts a task only after all its dependencies have ended', () => {
    const bench = new Bench((graph, task) => {
      const [a, b, c] = [task('a'), task('b'), task('c')];
      [a, b, c].forEach((each) => graph.add(each));
      graph.addDependency(c, a);
      graph.addDependency(c, b);
    }).start();
    expect(bench.running).to.deep.equal(['a', 'b']);
    bench.end(ok(), 'a');
    expect(bench.running).to.deep.equal(['b']);
    bench.end(ok(), 'b');
    expect(bench.running).to.deep.equal(['c']);
    bench.end(ok(), 'c');
    expect(bench.ended).to.deep.equal({ status: 'succeeded' });
  });

  it('hands out all independent tasks in the same step, without a limit on how many are in flight', () => {
    const bench = new Bench((graph, task) => {
      Array.from({ length: 1000 }, (_, index) => graph.add(task(`t${index}`)));
    }).start();
    expect(bench.last.ready).to.have.length(1000);
  });

  it('runs a sequence strictly in order, and the members of a fork in any order, all before what follows', () => {
    const bench = new Bench((graph, task) => {
      graph.sequence().add(task('a'), [task('b'), task('c')], [], task('d'));
    }).start();
    expect(bench.running).to.deep.equal(['a']);
    bench.end(ok(), 'a');
    expect(bench.running).to.deep.equal(['b', 'c']);
    bench.end(ok(), 'c');
    expect(bench.running).to.deep.equal(['b']);
    bench.end(ok(), 'b');
    expect(bench.running).to.deep.equal(['d']);
  });

  it('ends an empty graph at once', () => {
    expect(new Bench(() => undefined).start().ended).to.deep.equal({ status: 'succeeded' });
  });

  it('never makes a task wait for itself', () => {
    const bench = new Bench((graph, task) => {
      const a = graph.add(task('a'));
      graph.addDependency(a, a);
    }).start();
    expect(bench.running).to.deep.equal(['a']);
  });

  it('refuses a dependency on a task that is not in the graph', () => {
    const build = () =>
      new Bench((graph, task) => {
        graph.addDependency(graph.add(task('a')), task('b'));
      });
    expect(build).to.throw("Task 'plugin.b' (id-2) is not in the graph");
  });

  it('names the tasks of a dependency cycle', () => {
    const build = () =>
      new Bench((graph, task) => {
        const [a, b, c] = [graph.add(task('a')), graph.add(task('b')), graph.add(task('c'))];
        graph.addDependency(a, b);
        graph.addDependency(b, c);
        graph.addDependency(c, a);
      });
    expect(build).to.throw(
      "The tasks graph has a dependency cycle: 'plugin.a' waits for 'plugin.b' waits for 'plugin.c' waits for 'plugin.a'",
    );
  });

  it('finds a cycle that goes through the content of subgraphs', () => {
    const build = () =>
      new Bench((graph, task) => {
        const [first, second] = [graph.subgraph('first'), graph.subgraph('second')];
        const inner = graph.add(task('inner'), first);
        graph.add(task('other'), second);
        graph.addDependency(inner, second);
        graph.addDependency(second, first);
      });
    expect(build).to.throw('dependency cycle');
  });

  it('ignores answers to tasks it does not wait for', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('a'));
    }).start();
    bench.take(bench.run.complete([{ taskId: 'unknown', outcome: ok() }], 0));
    expect(bench.last.changes).to.deep.equal([]);
    const id = bench.batches[0]?.ready[0]?.id as string;
    bench.end(ok(), 'a');
    bench.take(bench.run.complete([{ taskId: id, outcome: nonRecoverable() }], 0));
    expect(bench.states).to.deep.equal(['a succeeded']);
  });

  describe('after a failure', () => {
    const twoBranches = (waitAfterFail: number): Bench =>
      new Bench(
        (graph, task) => {
          graph.sequence().add(task('a1'), task('a2'), task('a3'));
          graph.sequence().add(task('b1'), task('b2'));
        },
        { waitAfterFail },
      );

    it('goes on with unrelated branches until they are done, and only then fails', () => {
      const bench = twoBranches(600).start().end(nonRecoverable(), 'a1');
      expect(bench.ended).to.equal(undefined);
      expect(bench.last.deadline).to.equal(600_000);
      bench.end(ok(), 'b1');
      expect(bench.running).to.deep.equal(['b2']);
      bench.end(ok(), 'b2');
      expect(bench.ended?.status).to.equal('failed');
      expect(bench.started).to.deep.equal(['a1', 'b1', 'b2']);
      expect(bench.states).to.deep.equal(['a1 failed', 'b1 succeeded', 'b2 succeeded']);
    });

    it('ends when the time to go on is over, whatever is still running', () => {
      const bench = twoBranches(600).start().end(nonRecoverable(), 'a1');
      bench.take(bench.run.deadlineReached(599_999));
      expect(bench.ended).to.equal(undefined);
      bench.take(bench.run.deadlineReached(600_000));
      expect(bench.ended?.status).to.equal('failed');
    });

    it('ends at once when there is no time to go on, and takes in nothing that is slower', () => {
      const bench = twoBranches(0).start().end(nonRecoverable(), 'a1');
      expect(bench.ended?.status).to.equal('failed');
      bench.end(ok(), 'b1');
      expect(bench.states).to.deep.equal(['a1 failed']);
      expect(bench.started).to.deep.equal(['a1', 'b1']);
    });

    it('never starts a dependent of a failed task, even when its other dependencies succeed later', () => {
      const bench = new Bench((graph, task) => {
        const [a, b, c] = [graph.add(task('a')), graph.add(task('b')), graph.add(task('c'))];
        graph.addDependency(c, a);
        graph.addDependency(c, b);
      }).start();
      bench.end(nonRecoverable(), 'a').end(ok(), 'b');
      expect(bench.started).to.deep.equal(['a', 'b']);
      expect(bench.ended?.status).to.equal('failed');
    });

    it('waits for retries of unrelated tasks', () => {
      const bench = twoBranches(600).start().end(nonRecoverable(), 'a1').end(recoverable(), 'b1');
      expect(bench.ended).to.equal(undefined);
      bench.wait(10);
      expect(bench.running).to.deep.equal(['b1']);
    });
  });

  describe('cancellation', () => {
    it('ends at once and starts nothing any more', () => {
      const bench = new Bench((graph, task) => {
        graph.sequence().add(task('a'), task('b'));
      }).start();
      bench.take(bench.run.cancel(0));
      expect(bench.ended).to.deep.equal({ status: 'cancelled' });
      bench.end(ok(), 'a');
      expect(bench.started).to.deep.equal(['a']);
      expect(bench.states).to.deep.equal([]);
    });

    it('ends as failed when something had failed before', () => {
      const bench = new Bench((graph, task) => {
        graph.add(task('a'));
        graph.add(task('b'));
      }).start();
      bench.end(nonRecoverable(), 'a');
      bench.take(bench.run.cancel(0));
      expect(bench.ended?.status).to.equal('failed');
    });
  });

  it('completes states, events and no-ops by itself, in order and at once', () => {
    const bench = new Bench((graph, task) => {
      graph
        .sequence()
        .add(
          [graph.setState('ni', 'creating'), graph.nodeEvent('ni', 'Creating')],
          task('create'),
          graph.workflowEvent('workflow_stage', 'done'),
        );
    }).start();
    expect(bench.last.changes.map(({ kind }) => kind)).to.deep.equal([
      'instance-state',
      'task-state',
      'node-event',
      'task-state',
    ]);
    bench.end(ok(), 'create');
    expect(bench.last.changes.map(({ kind }) => kind)).to.deep.equal(['task-state', 'workflow-event', 'task-state']);
    expect(bench.ended).to.deep.equal({ status: 'succeeded' });
  });

  it('takes in many answers in one step', () => {
    const bench = new Bench((graph, task) => {
      for (let index = 0; index < 100; index += 1) {
        graph.sequence().add(task(`a${index}`), task(`b${index}`));
      }
    }).start();
    bench.end(ok(), ...bench.running);
    expect(bench.last.ready).to.have.length(100);
    expect(bench.last.changes).to.have.length(100);
  });

  it('runs a dry run to its end in one step, without sending operations or setting states', () => {
    const bench = new Bench(
      (graph, task) => {
        graph.sequence().add(graph.setState('ni', 'creating'), task('create'), task('start'));
      },
      { settings: { isDryRun: true } },
    ).start();
    expect(bench.ended).to.deep.equal({ status: 'succeeded' });
    expect(bench.last.ready).to.deep.equal([]);
    expect(bench.last.changes.filter(({ kind }) => kind === 'instance-state')).to.deep.equal([]);
    expect(bench.states).to.include('create succeeded');
  });
});
