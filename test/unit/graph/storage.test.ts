import { expect } from 'chai';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import { operationError } from '../../../src/domain/operation-error.ts';
import { GraphRun } from '../../../src/graph/graph-run.ts';
import { operationKwargs } from '../../../src/graph/operation-message.ts';
import { restoreGraph } from '../../../src/graph/restore.ts';
import { graphRows } from '../../../src/graph/rows.ts';
import type { StoredTask } from '../../../src/graph/rows.ts';
import type { Task } from '../../../src/graph/task.ts';
import type { TasksGraph } from '../../../src/graph/tasks-graph.ts';
import { Bench, callOf, ok, settingsOf } from './kit.ts';

const environment = {
  common: { execution_id: 'e1', tenant: { name: 't1' } },
  plugin: (plugin: { name: string }): JsonObject => ({ ...plugin, visibility: 'tenant', properties: {} }),
};

function rowsOf(build: (graph: TasksGraph, task: (name: string) => Task) => void): Map<string, StoredTask> {
  const bench = new Bench(build);
  const rows = [...graphRows(bench.graph, environment)].map((row) => structuredClone<StoredTask>(row));
  return new Map(rows.map((row) => [nameOf(row), row]));
}

function nameOf(row: StoredTask): string {
  return (row.name ?? '').replace(/^plugin\./, '');
}

function set(rows: Map<string, StoredTask>, name: string, fields: Partial<StoredTask>): void {
  rows.set(name, { ...(rows.get(name) as StoredTask), ...fields });
}

/** Restores rows and starts them; answers with what there is to do. */
function resume(rows: Map<string, StoredTask>, extra: readonly StoredTask[] = []) {
  const { graph, outcomes } = restoreGraph(settingsOf(), [...rows.values(), ...extra]);
  const run = new GraphRun(graph, {
    handlers: new Map([['ignore', () => ({ action: 'ignore' as const })]]),
    waitAfterFail: 0,
    outcomes,
  });
  const batch = run.start(0);
  const names = (tasks: readonly Task[]): string[] => tasks.map((task) => task.name.replace(/^plugin\./, ''));
  return { run, batch, ready: names(batch.ready), awaiting: names(batch.awaiting) };
}

const error = operationError({ kind: 'NonRecoverableError', message: 'boom' }) as unknown as Json;

describe('stored operations', () => {
  it('have the shape Python workflows read', () => {
    const rows = rowsOf((graph, task) => {
      const subgraph = graph.subgraph('s', { onFailure: { path: 'm.f', instance_id: 'ni' } });
      graph.sequence(subgraph).add(graph.setState('ni', 'creating'), task('a'), graph.nodeEvent('ni', 'created'));
    });
    const subgraph = rows.get('s') as StoredTask;
    const operation = rows.get('a') as StoredTask;
    const state = rows.get('SetNodeInstanceStateTask') as StoredTask;
    expect(subgraph).to.deep.include({ type: 'SubgraphTask', state: 'pending', dependencies: [] });
    expect(subgraph.parameters).to.deep.include({
      on_failure: { path: 'm.f', instance_id: 'ni' },
      info: { name: 's' },
      task_kwargs: {},
      total_retries: 0,
    });
    expect(operation).to.deep.include({ type: 'RemoteWorkflowTask', name: 'plugin.a', dependencies: [state.id] });
    expect(operation.parameters).to.deep.include({
      on_success: null,
      on_failure: null,
      retried_task: null,
      current_retries: 0,
      send_task_events: true,
      retry_interval: 10,
      total_retries: 2,
      info: null,
      error: null,
      containing_subgraph: subgraph.id,
    });
    expect(state.parameters).to.deep.include({
      send_task_events: false,
      task_kwargs: { node_instance_id: 'ni', state: 'creating' },
    });
    expect(rows.get('SendNodeEventTask')?.parameters['task_kwargs']).to.deep.equal({
      node_instance_id: 'ni',
      event: 'created',
      additional_context: null,
    });
  });

  it('carry the whole message of an operation', () => {
    const bench = new Bench((graph) => {
      graph.add(
        graph.remote(
          callOf('a', {
            inputs: { port: 80 },
            related: { instanceId: 'db_1', nodeId: 'db', isTarget: true },
            timeout: 5,
            isTimeoutRecoverable: false,
          }),
        ),
      );
    });
    const task = [...bench.graph.tasks.values()][0] as Task;
    expect(operationKwargs(task, environment)).to.deep.equal({
      port: 80,
      __cloudify_context: {
        __cloudify_context: '0.3',
        type: 'operation',
        execution_id: 'e1',
        tenant: { name: 't1' },
        task_id: task.id,
        task_name: 'plugin.a',
        node_id: 'node_abc123',
        node_name: 'node',
        host_id: null,
        timeout: 5,
        timeout_recoverable: false,
        plugin: {
          name: 'plugin',
          package_name: null,
          package_version: null,
          source: null,
          visibility: 'tenant',
          properties: {},
        },
        operation: { name: 'interface.a', retry_number: 0, max_retries: 2, relationship: 'source' },
        has_intrinsic_functions: false,
        executor: 'central_deployment_agent',
        local: false,
        related: { node_id: 'db_1', node_name: 'db', is_target: true },
      },
    });
  });
});

describe('restored graphs', () => {
  const chain = (): Map<string, StoredTask> =>
    rowsOf((graph, task) => {
      const subgraph = graph.subgraph('s');
      graph.sequence(subgraph).add(task('a'), task('b'), task('c'));
      graph.addDependency(graph.add(task('after')), subgraph);
    });

  it('start from the beginning when nothing has run', () => {
    expect(resume(chain()).ready).to.deep.equal(['a']);
  });

  it('leave ended tasks out and go on after them', () => {
    const rows = chain();
    set(rows, 's', { state: 'started' });
    set(rows, 'a', { state: 'succeeded' });
    const { ready, batch } = resume(rows);
    expect(ready).to.deep.equal(['b']);
    expect(batch.changes).to.deep.equal([]);
  });

  it('send again what was about to be sent, and wait for what was sent', () => {
    for (const [state, expected] of [
      ['pending', 'ready'],
      ['sending', 'ready'],
      ['sent', 'awaiting'],
      ['started', 'awaiting'],
    ] as const) {
      const rows = chain();
      set(rows, 's', { state: 'started' });
      set(rows, 'a', { state });
      expect(resume(rows)[expected], state).to.deep.equal(['a']);
    }
  });

  it('take a stored answer in without waiting for the worker', () => {
    const rows = chain();
    set(rows, 's', { state: 'started' });
    set(rows, 'a', { state: 'response-sent', result: null });
    const { ready, batch } = resume(rows);
    expect(ready).to.deep.equal(['b']);
    expect(batch.changes).to.deep.include({ ...batch.changes[0], kind: 'task-state', state: 'succeeded' });
  });

  it('take a stored failure in like one that arrives', () => {
    const rows = chain();
    set(rows, 's', { state: 'started' });
    set(rows, 'a', { state: 'response-sent', error });
    const { batch } = resume(rows);
    expect(batch.ended).to.have.property('message').that.contains('NonRecoverableError `boom`');
  });

  it('fail again with the same text when the failure was stored but the end of the execution was not', () => {
    const rows = chain();
    set(rows, 's', { state: 'failed' });
    set(rows, 'a', { state: 'failed', error });
    const { batch, ready } = resume(rows);
    expect(ready).to.deep.equal([]);
    expect(batch.changes).to.deep.equal([]);
    expect(batch.ended).to.deep.equal({
      status: 'failed',
      message: 'Task failed: plugin.a (node_abc123:interface.a): NonRecoverableError `boom`',
    });
  });

  it('ignore again a failure that was ignored, without repeating its effects', () => {
    const rows = chain();
    set(rows, 's', { state: 'started' });
    const failed = rows.get('a') as StoredTask;
    set(rows, 'a', { state: 'failed', error, parameters: { ...failed.parameters, on_failure: { path: 'ignore' } } });
    const { batch, ready } = resume(rows);
    expect(ready).to.deep.equal(['b']);
    expect(batch.changes).to.deep.equal([]);
  });

  it('follow the chain of attempts to the one that is alive', () => {
    const rows = chain();
    set(rows, 's', { state: 'started' });
    const first = rows.get('a') as StoredTask;
    set(rows, 'a', { state: 'failed', error });
    const attempt = (id: string, retried: string, state: StoredTask['state']): StoredTask => ({
      ...first,
      id,
      state,
      dependencies: [],
      parameters: { ...first.parameters, retried_task: retried, current_retries: 1 },
    });
    const extra = [attempt('second', first.id, 'failed'), attempt('third', 'second', 'pending')];
    const { run, batch, ready } = resume(rows, extra);
    expect(ready).to.deep.equal(['a']);
    expect(batch.ready[0]?.id).to.equal('third');
    const next = run.complete([{ taskId: 'third', outcome: ok() }], 0);
    expect(next.ready.map(({ name }) => name)).to.deep.equal(['plugin.b']);
  });

  it('open an ended subgraph again when something inside it is to run', () => {
    const rows = chain();
    set(rows, 's', { state: 'succeeded' });
    ['a', 'c', 'after'].forEach((name) => set(rows, name, { state: 'succeeded' }));
    set(rows, 'b', { state: 'pending' });
    const { run, batch } = resume(rows);
    const next = run.complete([{ taskId: batch.ready[0]?.id as string, outcome: ok() }], 0);
    expect(next.ended).to.deep.equal({ status: 'succeeded' });
    expect(next.changes.map((change) => (change.kind === 'task-state' ? change.state : ''))).to.deep.equal([
      'succeeded',
      'succeeded',
    ]);
  });

  it('never run the content of a subgraph that was replaced', () => {
    const rows = chain();
    const subgraph = rows.get('s') as StoredTask;
    set(rows, 's', { state: 'failed' });
    set(rows, 'a', { state: 'pending' });
    const replacement: StoredTask = {
      ...subgraph,
      id: 'replacement',
      name: 'again',
      state: 'started',
      parameters: { ...subgraph.parameters, retried_task: subgraph.id, current_retries: 1 },
    };
    const inner = rows.get('b') as StoredTask;
    const content: StoredTask = {
      ...inner,
      id: 'content',
      dependencies: [],
      parameters: { ...inner.parameters, containing_subgraph: 'replacement' },
    };
    const { run, batch } = resume(rows, [replacement, content]);
    expect(batch.ready.map(({ id }) => id)).to.deep.equal(['content']);
    const next = run.complete([{ taskId: 'content', outcome: ok() }], 0);
    expect(next.ready.map(({ name }) => name)).to.deep.equal(['plugin.after']);
  });

  it('succeed at once when everything has ended', () => {
    const rows = chain();
    [...rows.keys()].forEach((name) => set(rows, name, { state: 'succeeded' }));
    expect(resume(rows).batch.ended).to.deep.equal({ status: 'succeeded' });
  });

  it('name a stored task of an unknown type', () => {
    const rows = chain();
    set(rows, 'a', { type: 'my.module.Task' });
    expect(() => resume(rows)).to.throw("has the unknown type 'my.module.Task'");
  });

  it('keep everything a message needs', () => {
    const rows = rowsOf((graph) => {
      graph.add(graph.remote(callOf('a', { inputs: { x: 1 }, hostId: 'host_1', executor: 'host_agent', timeout: 3 })));
    });
    const { graph } = restoreGraph(settingsOf(), [...rows.values()]);
    const task = [...graph.tasks.values()][0] as Task;
    const kwargs = rows.get('a')?.parameters['task_kwargs'] as JsonObject;
    expect(operationKwargs(task, environment)).to.deep.equal(kwargs['kwargs']);
  });
});
