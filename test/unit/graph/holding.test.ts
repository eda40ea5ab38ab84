import { expect } from 'chai';
import { buildGraph } from '../../../src/graph/build.ts';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import { restoreGraph } from '../../../src/graph/restore.ts';
import { graphRows } from '../../../src/graph/rows.ts';
import type { StoredTask } from '../../../src/graph/rows.ts';
import type { Task } from '../../../src/graph/task.ts';
import { callOf, nonRecoverable, ok, settingsOf } from './kit.ts';

const names = (tasks: readonly Task[]): string[] => tasks.map((task) => task.name.replace('plugin.', ''));
const stored = { common: {}, plugin: () => ({}) };

function graphOf(...operations: string[]): ReturnType<typeof buildGraph> {
  return buildGraph(settingsOf(), (graph) => {
    graph.sequence().add(...operations.map((name) => graph.remote(callOf(name))));
  });
}

function idOf(graph: ReturnType<typeof buildGraph>, name: string): string {
  return [...graph.tasks.values()].find((task) => task.name === `plugin.${name}`)?.id ?? '';
}

describe('operations that are held back', () => {
  it('do not start, keep the run from ending, and start when they are let through', () => {
    const graph = graphOf('a', 'b');
    const open = new Set(['plugin.a']);
    const run = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 0, isHeld: (task) => !open.has(task.name) });
    expect(names(run.start(0).ready)).to.deep.equal(['a']);
    const held = run.complete([{ taskId: idOf(graph, 'a'), outcome: ok() }], 0);
    expect([names(held.ready), names(held.held), held.ended]).to.deep.equal([[], ['b'], undefined]);
    const still = run.reconsider(0);
    expect([names(still.ready), names(still.held)]).to.deep.equal([[], []]);
    open.add('plugin.b');
    expect(names(run.reconsider(0).ready)).to.deep.equal(['b']);
  });

  it('do not keep a cancelled run from ending', () => {
    const run = new GraphRun(graphOf('a'), { handlers: new Map(), waitAfterFail: 0, isHeld: () => true });
    run.start(0);
    expect(run.cancel(0).ended).to.deep.equal({ status: 'cancelled' });
  });

  it('go with the subgraph around them when it fails', () => {
    const graph = buildGraph(settingsOf(), (tasks) => {
      const subgraph = tasks.subgraph('s');
      tasks.add(tasks.remote(callOf('a')), subgraph);
      tasks.add(tasks.remote(callOf('b')), subgraph);
    });
    const run = new GraphRun(graph, {
      handlers: new Map(),
      waitAfterFail: 600,
      isHeld: (task) => task.name === 'plugin.b',
    });
    run.start(0);
    const end = run.complete([{ taskId: idOf(graph, 'a'), outcome: nonRecoverable() }], 0);
    expect(end.ended?.status).to.equal('failed');
    expect(names(run.reconsider(0).ready)).to.deep.equal([]);
  });
});

describe('a graph that is read again after a decision', () => {
  const rowsOf = (
    graph: ReturnType<typeof buildGraph>,
    change: (row: StoredTask) => Partial<StoredTask>,
  ): StoredTask[] => [...graphRows(graph, stored)].map((row) => ({ ...row, ...change(row) }));
  const decision = { by: 'admin', at: '2030-01-01T00:00:00Z' } as const;

  it('takes an operation as done when its turn comes, not before', () => {
    const rows = rowsOf(graphOf('a', 'b', 'c'), ({ name }) =>
      name === 'plugin.b' ? { decision: { ...decision, action: 'done', result: 5 } } : {},
    );
    const { graph, outcomes } = restoreGraph(settingsOf(), rows);
    const run = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 0, outcomes });
    expect(names(run.start(0).ready)).to.deep.equal(['a']);
    const batch = run.complete([{ taskId: idOf(graph, 'a'), outcome: ok() }], 0);
    expect(names(batch.ready)).to.deep.equal(['c']);
    expect(batch.changes).to.deep.include({
      kind: 'task-state',
      task: batch.changes.flatMap((change) => (change.kind === 'task-state' ? change.task : [])).at(-1),
      state: 'succeeded',
      result: 5,
    });
  });

  it('does not wait for the answer of an operation that is skipped while it runs', () => {
    const rows = rowsOf(graphOf('a', 'b'), ({ name }) =>
      name === 'plugin.a' ? { state: 'started', decision: { ...decision, action: 'skip' } } : {},
    );
    const { graph, outcomes } = restoreGraph(settingsOf(), rows);
    const batch = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 0, outcomes }).start(0);
    expect([names(batch.ready), names(batch.awaiting)]).to.deep.equal([['b'], []]);
  });

  it('keeps the time for which a next attempt waits', () => {
    const graph = graphOf('a');
    const delays = new Map([[idOf(graph, 'a'), 5000]]);
    const run = new GraphRun(graph, { handlers: new Map(), waitAfterFail: 0, delays });
    const batch = run.start(1000);
    expect([names(batch.ready), batch.delayed.map(({ dueAt }) => dueAt)]).to.deep.equal([[], [5000]]);
    expect(names(run.release([idOf(graph, 'a')], 5000).ready)).to.deep.equal(['a']);
  });
});
