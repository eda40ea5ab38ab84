import { expect } from 'chai';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import type { TaskHandler } from '../../../src/graph/handlers.ts';
import type { Task } from '../../../src/graph/task.ts';
import { TasksGraph } from '../../../src/graph/tasks-graph.ts';
import { Bench, callOf, nonRecoverable, ok, recoverable, retryAsked, settingsOf } from './kit.ts';

describe('subgraphs', () => {
  it('start their content only after their own dependencies have ended', () => {
    const bench = new Bench((graph, task) => {
      const before = graph.add(task('before'));
      const subgraph = graph.subgraph('s');
      graph.add(task('inner'), subgraph);
      graph.addDependency(subgraph, before);
    }).start();
    expect(bench.running).to.deep.equal(['before']);
    bench.end(ok(), 'before');
    expect(bench.running).to.deep.equal(['inner']);
    expect(bench.states).to.deep.equal(['before succeeded', 's started']);
  });

  it('release what waits for them after their last content has ended', () => {
    const bench = new Bench((graph, task) => {
      const subgraph = graph.subgraph('s');
      graph.add(task('x'), subgraph);
      graph.add(task('y'), subgraph);
      graph.addDependency(graph.add(task('after')), subgraph);
    }).start();
    bench.end(ok(), 'x');
    expect(bench.running).to.deep.equal(['y']);
    bench.end(ok(), 'y');
    expect(bench.states.at(-1)).to.equal('s succeeded');
    expect(bench.running).to.deep.equal(['after']);
  });

  it('succeed at once when they are empty, and release what waits for them', () => {
    // nobody has taken the empty ones out of this graph
    const graph = new TasksGraph(settingsOf());
    const empty = graph.subgraph('empty');
    const outer = graph.subgraph('outer');
    graph.subgraph('inner', { parent: outer });
    graph.addDependency(outer, empty);
    graph.addDependency(graph.add(graph.remote(callOf('after'))), outer);
    const batch = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 0 }).start(0);
    const states = batch.changes.map((change) =>
      change.kind === 'task-state' ? `${change.task.name} ${change.state}` : change.kind,
    );
    expect(states.filter((state) => state.endsWith('succeeded'))).to.deep.equal([
      'empty succeeded',
      'inner succeeded',
      'outer succeeded',
    ]);
    expect(batch.ready.map(({ name }) => name)).to.deep.equal(['plugin.after']);
  });

  it('nest', () => {
    const bench = new Bench((graph, task) => {
      const outer = graph.subgraph('outer');
      const inner = graph.subgraph('inner', { parent: outer });
      graph.sequence(inner).add(task('a'), task('b'));
      graph.sequence(outer).add(inner, task('c'));
    }).start();
    bench.end(ok(), 'a').end(ok(), 'b').end(ok(), 'c');
    expect(bench.states).to.deep.equal([
      'outer started',
      'inner started',
      'a succeeded',
      'b succeeded',
      'inner succeeded',
      'c succeeded',
      'outer succeeded',
    ]);
    expect(bench.ended).to.deep.equal({ status: 'succeeded' });
  });

  it('refuse a task that is part of another one', () => {
    const build = () =>
      new Bench((graph, task) => {
        const a = graph.add(task('a'), graph.subgraph('first'));
        graph.add(a, graph.subgraph('second'));
      });
    expect(build).to.throw("cannot be part of two subgraphs: it is in 'first' and is being added to 'second'");
  });

  const failing = (handlers = new Map<string, TaskHandler>(), onFailure?: { path: string }): Bench =>
    new Bench(
      (graph, task) => {
        const subgraph = graph.subgraph('s', { onFailure });
        graph.sequence(subgraph).add([task('x'), task('y')], task('z'));
        graph.addDependency(graph.add(task('after')), subgraph);
      },
      { handlers, settings: { subgraphRetries: 1 } },
    ).start();

  it('fail with the first failed content; the rest of it never starts', () => {
    const bench = failing().end(nonRecoverable('bad'), 'x');
    expect(bench.states).to.deep.equal(['s started', 'x failed', 's failed']);
    bench.end(ok(), 'y');
    expect(bench.started).to.deep.equal(['x', 'y']);
    expect(bench.ended).to.deep.equal({
      status: 'failed',
      message: 'Task failed: plugin.x (node_abc123:interface.x): NonRecoverableError `bad`',
    });
  });

  it('take note of content that was in flight when they failed, without consequences', () => {
    const bench = failing().end(nonRecoverable('bad'), 'x').end(recoverable(), 'y');
    expect(bench.states.at(-1)).to.equal('y failed');
    expect(bench.last.delayed).to.deep.equal([]);
    expect(bench.ended?.status).to.equal('failed');
  });

  it('are not retried because the content asked for a retry in vain', () => {
    const bench = new Bench((graph, task) => {
      graph.add(task('x', { policy: { totalRetries: 0, retryInterval: 1 } }), graph.subgraph('s'));
    }).start();
    bench.end(retryAsked(0), 'x');
    expect(bench.states).to.deep.equal(['s started', 'x rescheduled', 's failed']);
    expect(bench.ended?.status).to.equal('failed');
  });

  it('pass the failed operation on through nested subgraphs', () => {
    const bench = new Bench((graph, task) => {
      const outer = graph.subgraph('outer');
      graph.add(task('x'), graph.subgraph('inner', { parent: outer }));
      graph.add(task('y'), outer);
    }).start();
    bench.end(nonRecoverable('bad'), 'x').end(ok(), 'y');
    expect(bench.states).to.deep.equal([
      'outer started',
      'inner started',
      'x failed',
      'inner failed',
      'outer failed',
      'y succeeded',
    ]);
    expect(bench.ended).to.have.property('message').that.contains('plugin.x (node_abc123:interface.x)');
  });

  it('let what waits for them go on when their failure is ignored', () => {
    const bench = failing(new Map([['h', () => ({ action: 'ignore' })]]), { path: 'h' }).end(nonRecoverable(), 'x');
    expect(bench.running).to.deep.equal(['y', 'after']);
  });

  it('hold up what waits for a part of them until they end', () => {
    const build = (handler: TaskHandler): Bench =>
      new Bench(
        (graph, task) => {
          const subgraph = graph.subgraph('s', { onFailure: { path: 'h' } });
          const z = task('z');
          graph.sequence(subgraph).add(task('x'), z);
          graph.addDependency(graph.add(task('outside')), z);
        },
        { handlers: new Map([['h', handler]]) },
      ).start();
    const ignored = build(() => ({ action: 'ignore' })).end(nonRecoverable(), 'x');
    expect(ignored.running).to.deep.equal(['outside']);
    const failed = build(() => ({ action: 'fail' })).end(nonRecoverable(), 'x');
    expect(failed.started).to.deep.equal(['x']);
    expect(failed.ended?.status).to.equal('failed');
  });

  describe('that are replaced', () => {
    const replacing: TaskHandler = ({ graph, task }) => ({
      action: 'retry',
      replacement: (): Task => {
        const next = graph.subgraph('again', {
          currentRetries: task.currentRetries + 1,
          retriedTaskId: task.id,
          onFailure: { path: 'h' },
        });
        graph.sequence(next).add(graph.nodeEvent('ni', 'again'), graph.noOp({ onSuccess: { path: 'go' } }));
        return next;
      },
    });
    const handlers = new Map<string, TaskHandler>([
      ['h', replacing],
      ['go', () => ({ action: 'continue' })],
    ]);

    it('release what waited for them after the replacement has ended', () => {
      const bench = failing(handlers, { path: 'h' }).end(nonRecoverable(), 'x');
      expect(bench.states).to.deep.equal([
        's started',
        'x failed',
        's failed',
        'again started',
        'SendNodeEventTask succeeded',
        'nop succeeded',
        'again succeeded',
      ]);
      expect(bench.running).to.deep.equal(['y', 'after']);
    });

    it('store the whole replacement', () => {
      const bench = failing(handlers, { path: 'h' }).end(nonRecoverable(), 'x');
      expect(bench.last.changes.filter(({ kind }) => kind === 'task-added')).to.have.length(3);
    });

    it('fail for good when the retries are used up, without building another replacement', () => {
      let built = 0;
      const counting: TaskHandler = (call) => {
        const verdict = replacing(call);
        return {
          ...verdict,
          replacement: (): Task => {
            built += 1;
            const next = call.graph.subgraph('again', {
              currentRetries: call.task.currentRetries + 1,
              retriedTaskId: call.task.id,
              onFailure: { path: 'h' },
            });
            call.graph.add(call.graph.remote({ ...remoteOf(call.task), taskName: 'plugin.second' }), next);
            return next;
          },
        };
      };
      const remoteOf = (subgraph: Task) => {
        const failed = subgraph.contents?.failure?.task.action;
        if (failed?.kind !== 'remote') {
          throw new Error('expected an operation');
        }
        return failed.call;
      };
      const bench = failing(new Map([['h', counting]]), { path: 'h' })
        .end(nonRecoverable(), 'x')
        .end(ok(), 'y')
        .end(nonRecoverable('still'), 'second');
      expect(built).to.equal(1);
      expect(bench.ended).to.have.property('message').that.contains('NonRecoverableError `still`');
      expect(bench.started).not.to.include('after');
    });
  });
});
