import { expect } from 'chai';
import fc from 'fast-check';
import { buildGraph } from '../../../src/graph/build.ts';
import { TasksGraph } from '../../../src/graph/tasks-graph.ts';
import type { Task } from '../../../src/graph/task.ts';
import { Bench, callOf, ok, settingsOf } from './kit.ts';

describe('optimiser', () => {
  it('removes no-ops and subgraphs of no-ops, and keeps the order across them', () => {
    const bench = new Bench((graph, task) => {
      const stub = graph.subgraph('stub');
      graph.add(graph.noOp(), graph.subgraph('nested', { parent: stub }));
      graph.sequence().add(task('a'), graph.noOp(), stub, task('b'));
    });
    expect([...bench.graph.tasks.values()].map(({ name }) => name)).to.deep.equal(['plugin.a', 'plugin.b']);
    bench.start();
    expect(bench.running).to.deep.equal(['a']);
    bench.end(ok(), 'a');
    expect(bench.running).to.deep.equal(['b']);
  });

  it('keeps a no-op with a handler', () => {
    const graph = buildGraph(settingsOf(), (building) => {
      building.add(building.noOp({ onSuccess: { path: 'h' } }));
    });
    expect(graph.tasks.size).to.equal(1);
  });

  it('takes empty content out of a subgraph that stays', () => {
    const bench = new Bench((graph, task) => {
      const subgraph = graph.subgraph('s');
      graph.sequence(subgraph).add(graph.noOp(), task('a'), graph.noOp());
    }).start();
    bench.end(ok(), 'a');
    expect(bench.states).to.deep.equal(['s started', 'a succeeded', 's succeeded']);
    expect(bench.ended).to.deep.equal({ status: 'succeeded' });
  });

  it('keeps the number of dependencies linear around a stub that many tasks meet in', () => {
    const graph = buildGraph(settingsOf(), (building) => {
      const stub = building.subgraph('stub');
      for (let index = 0; index < 300; index += 1) {
        building.addDependency(stub, building.add(building.remote(callOf(`in${index}`))));
        building.addDependency(building.add(building.remote(callOf(`out${index}`))), stub);
      }
    });
    const edges = [...graph.tasks.values()].reduce((sum, task) => sum + (task.dependencies?.length ?? 0), 0);
    expect(edges).to.equal(600);
  });

  it('keeps the order of random graphs', () => {
    const shape = fc.array(
      fc.record({ isIdle: fc.boolean(), waitsFor: fc.array(fc.nat({ max: 29 }), { maxLength: 4 }) }),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(shape, (specs) => {
        const make = (graph: TasksGraph): Task[] => {
          const tasks = specs.map((spec, index) =>
            graph.add(spec.isIdle ? graph.noOp() : graph.remote(callOf(`t${index}`))),
          );
          specs.forEach((spec, index) =>
            spec.waitsFor
              .filter((other) => other < index)
              .forEach((other) => graph.addDependency(tasks[index] as Task, tasks[other] as Task)),
          );
          return tasks;
        };
        const plain = make(new TasksGraph(settingsOf()));
        const optimised = buildGraph(settingsOf(), make);
        const kept = new Map([...optimised.tasks.values()].map((task) => [task.name, task]));
        for (const task of plain.filter(({ action }) => action.kind === 'remote')) {
          const found = kept.get(task.name);
          expect(ancestors(found as Task)).to.deep.equal(ancestors(task));
        }
      }),
    );
  });
});

/** Names of all operations a task waits for, directly or not. */
function ancestors(task: Task): string[] {
  const seen = new Set<Task>();
  const visit = (current: Task): void =>
    current.dependencies?.forEach((dependency) => {
      if (!seen.has(dependency)) {
        seen.add(dependency);
        visit(dependency);
      }
    });
  visit(task);
  return [...seen]
    .filter(({ action }) => action.kind === 'remote')
    .map(({ name }) => name)
    .sort();
}
