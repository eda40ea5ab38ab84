import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runPluginWorkflow } from '../../src/runtime/workflow/workflow-process.ts';
import { ExecutionCancelled, WorkflowFailed, WorkflowRefused } from '../../src/workflows/errors.ts';
import { failFinally, Simulation, World } from '../unit/workflows/simulation.ts';
import type { SimulationOptions } from '../unit/workflows/simulation.ts';
import { topologyOf } from '../unit/workflows/topology-kit.ts';

const source = `
export async function ordered(ctx) {
  await ctx.runGraph('pull', (graph) => {
    graph.alongDependencies(ctx.select({ nodeIds: ctx.parameters.nodes }), (instance, steps) => {
      steps.add(
        graph.event(instance, 'before'),
        graph.operation(instance, 'cloudify.interfaces.lifecycle.start', { inputs: { by: ctx.execution.workflowId } }),
        graph.operation(instance, 'not.implemented'),
        graph.setState(instance, 'started'),
      );
    }, ctx.parameters.direction);
  });
  ctx.logger.warning('log');
  console.log('printed');
  ctx.sendEvent('event');
}
export async function batches(ctx) {
  for (const instance of ctx.select()) {
    await ctx.runGraph('of_' + instance.id, (graph) => {
      graph.sequence().add(graph.operation(instance, 'cloudify.interfaces.lifecycle.start'));
    });
  }
}
batches.resumable = true;
export async function twoSteps(ctx) {
  await ctx.lifecycle.install('first', ctx.select({ nodeIds: ['db'] }));
  await ctx.refresh();
  ctx.logger.info('db is ' + ctx.select({ nodeIds: ['db'] })[0].state);
  await ctx.lifecycle.uninstall('second', ctx.select({ nodeIds: ['db'] }), { ignoreFailure: true });
}
export async function catches(ctx) {
  await ctx.runGraph('a', (graph) => {
    for (const instance of ctx.select())
      graph.sequence().add(graph.operation(instance, 'cloudify.interfaces.lifecycle.start'));
  }).catch((error) => ctx.logger.info(error.name + ' ' + error.message.split(':')[0]));
}
export async function goesOn(ctx) {
  await ctx.runGraph('a', (graph) => {
    for (const instance of ctx.select())
      graph.sequence().add(
        graph.operation(instance, 'cloudify.interfaces.lifecycle.start', { onFailure: 'ignore' }),
        graph.event(instance, 'after'),
      );
  });
}
export async function throws(ctx) {
  undefinedName.member();
}
export async function forgetsAwait(ctx) {
  ctx.runGraph('a', (graph) => {
    for (const instance of ctx.select())
      graph.sequence().add(graph.operation(instance, 'cloudify.interfaces.lifecycle.start'));
  });
}
export async function sameName(ctx) {
  await ctx.runGraph('a', () => {});
  await ctx.runGraph('a', () => {});
}
export async function asynchronousBuild(ctx) {
  await ctx.runGraph('a', async () => {});
}
export async function addsNothing(ctx) {
  await ctx.runGraph('a', (graph) => graph.add(graph.operation(ctx.select()[0], 'not.implemented')));
}
export async function cycle(ctx) {
  await ctx.runGraph('a', (graph) => {
    const [left, right] = [graph.subgraph('left'), graph.subgraph('right')];
    graph.addDependency(left, right);
    graph.addDependency(right, left);
  });
}
export async function unhandled() {
  Promise.reject(new Error('nobody cares'));
  await new Promise(() => {});
}
export function exits() {
  console.error('the reason');
  process.exit(3);
}
export async function loops(ctx) {
  ctx.logger.info('looping');
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (;;);
}
export async function cleansUp(ctx) {
  ctx.logger.info('waiting');
  await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
  ctx.logger.info('cleaned up');
  await ctx.runGraph('never', () => {});
}
export async function hostile(ctx) {
  process.send({ type: 'call', call: 1e6, name: 'constructor', args: [] });
  const row = (parameters) => JSON.stringify([{ id: 'x', name: 'x', type: 'SetNodeInstanceStateTask', state: 'pending', dependencies: [], parameters }]);
  const foreign = row({ task_kwargs: { node_instance_id: 'of_others', state: 'deleted' } });
  const call = (name, ...args) => new Promise((resolve) => {
    const id = Math.floor(Math.random() * 1e9) + 1000;
    process.on('message', (message) => message.call === id && resolve(message.message ?? 'accepted'));
    process.send({ type: 'call', call: id, name, args });
  });
  await call('addRows', 'g', foreign);
  ctx.logger.info(await call('runGraph', 'g', {}));
  await call('addRows', 'h', row({ on_success: { path: 'cloudify.plugins.lifecycle._SubgraphOnFailure' }, task_kwargs: {} }));
  ctx.logger.info(await call('runGraph', 'h', {}));
  ctx.logger.info(await call('lifecycle', 'install', 'x', ['of_others'], {}));
}
`;

describe('Workflows of plugins', function () {
  this.timeout(30_000);
  let directory: string;
  const stop = new AbortController();

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'gantry-plugin-workflow-'));
    await writeFile(join(directory, 'index.mjs'), source);
    await writeFile(join(directory, 'broken.mjs'), 'export const fine = 1;\n\nexport const broken = ;\n');
  });
  after(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const newWorld = (): World =>
    new World(
      topologyOf({
        db: { operations: ['start'] },
        app: { operations: [], relationships: ['db'] },
        web: { operations: ['start'], relationships: ['app'] },
      }),
    );

  interface Run extends SimulationOptions {
    world?: World;
    file?: string;
    mustBeResumable?: boolean;
    stop?: AbortSignal;
    onLog?: (message: string, simulation: Simulation) => void;
  }

  async function run(functionName: string, options: Run = {}): Promise<Simulation> {
    const world = options.world ?? newWorld();
    const simulation = new Simulation(world, options);
    const log = simulation.log.bind(simulation);
    simulation.log = (level, message) => {
      log(level, message);
      options.onLog?.(message, simulation);
    };
    await runPluginWorkflow(simulation, {
      module: { entry: join(directory, options.file ?? 'index.mjs'), directory, pluginName: 'ops', functionName },
      mustBeResumable: options.mustBeResumable ?? false,
      stop: options.stop ?? stop.signal,
      aliveLimit: 300,
    });
    return simulation;
  }

  async function failureOf(functionName: string, options: Run = {}): Promise<Error> {
    const result = await run(functionName, options).catch((error: unknown) => error);
    expect(result).to.be.instanceOf(Error);
    return result as Error;
  }

  it('build graphs of operations along relationships, also through nodes that are not chosen', async () => {
    const { world } = await run('ordered', { parameters: { nodes: ['db', 'web'] } });
    expect(world.operations()).to.deep.equal(['db.start', 'web.start']);
    expect(world.operationStarts[0]?.kwargs).to.deep.include({ by: 'workflow' });
    expect(world.trace.filter((line) => line.startsWith('db'))).to.deep.equal([
      'db: before',
      'db > start',
      'db < start',
      'db = started',
    ]);
    expect(world.logs.join('\n')).to.include('log').and.to.include('<out> printed');
  });

  it('run whole graphs of the built-in workflows and see the topology they leave', async () => {
    const { world, graphNames } = await run('twoSteps');
    expect(graphNames).to.deep.equal(['first_install', 'second_uninstall']);
    expect(world.logs.join('\n')).to.include('db is started');
    expect(world.states()['db']).to.equal('deleted');
  });

  it('go on after a crash with the graph that was running, and do not repeat the ones before it', async () => {
    const world = newWorld();
    const died = await failureOf('batches', { world, crashAtSend: 2 });
    expect(died.message).to.equal('killed');
    await run('batches', { world, isResume: true });
    expect(world.operations()).to.deep.equal(['db.start', 'web.start']);
  });

  it('can be resumed when they say so, and only then', async () => {
    await run('batches', { mustBeResumable: true });
    const refusal = await failureOf('ordered', { mustBeResumable: true });
    expect(refusal).to.be.instanceOf(WorkflowRefused);
    expect(refusal.message).to.equal('Cannot resume - workflow not resumable: workflow');
  });

  it('fail with the text of the engine when an operation fails, unless they catch it', async () => {
    const behaviour = (): ReturnType<typeof failFinally> => failFinally('no disk');
    const failure = await failureOf('batches', { behaviour });
    expect(failure).to.be.instanceOf(WorkflowFailed);
    expect(failure.message).to.include('no disk').and.to.not.include('plugin');
    const caught = await run('catches', { behaviour });
    expect(caught.world.logs.join('\n')).to.include('WorkflowFailed');
    const ignored = await run('goesOn', { behaviour });
    expect(ignored.world.trace).to.include('db: after');
  });

  it('do nothing in a dry run', async () => {
    const { world } = await run('ordered', { isDryRun: true, parameters: { nodes: [] } });
    expect(world.operations()).to.deep.equal([]);
  });

  describe('with mistakes', () => {
    const cases: [string, string, RegExp][] = [
      [
        'that throw',
        'throws',
        /^Workflow function 'throws' of plugin 'ops' failed at index\.mjs:\d+:\d+: ReferenceError: undefinedName is not defined$/,
      ],
      ['that forget to await a graph', 'forgetsAwait', /The function ended while graph 'a' was running: await it/],
      ['that use a name twice', 'sameName', /failed at index\.mjs.*Graph 'a' has run already/],
      ['that add an operation that is not implemented', 'addsNothing', /An operation that is not implemented has none/],
      ['that build asynchronously', 'asynchronousBuild', /builds graph 'a' is asynchronous/],
      ['that make tasks wait for each other', 'cycle', /dependency cycle: 'left' waits for 'right' waits for 'left'/],
      ['that leave a rejection alone', 'unhandled', /failed at index\.mjs:\d+:\d+: Error: nobody cares/],
      ['that end their process', 'exits', /ended in the middle \(exit code 3\)/],
      ['that do not exist', 'missing', /Plugin 'ops' has no function 'missing' in .*index\.mjs/],
    ];
    for (const [what, name, expected] of cases) {
      it(`${what} name the reason and the place`, async () => {
        expect((await failureOf(name)).message).to.match(expected);
      });
    }

    it('in a module that cannot be read name its line', async () => {
      const { message } = await failureOf('fine', { file: 'broken.mjs' });
      expect(message)
        .to.match(/broken\.mjs/)
        .and.to.match(/3/);
    });

    it('cannot reach beyond the deployment', async () => {
      const { world } = await run('hostile');
      expect(world.logs.join('\n'))
        .to.include("'of_others', which is no node instance of the deployment")
        .and.to.include("names the handler 'cloudify.plugins.lifecycle._SubgraphOnFailure', which plugins cannot use")
        .and.to.include("There is no node instance 'of_others' in the deployment");
      expect(world.graphs.size).to.equal(0);
    });
  });

  describe('that are cancelled', () => {
    it('are told, clean up, and run no further graph', async () => {
      let last: Simulation | undefined;
      const failure = await failureOf('cleansUp', {
        onLog: (message, simulation) => {
          last = simulation;
          if (message.includes('waiting')) {
            simulation.cancel();
          }
        },
      });
      expect(failure).to.be.instanceOf(ExecutionCancelled);
      expect(last?.world.logs.join('\n')).to.include('cleaned up');
    });

    it('are killed when they block their event loop', async () => {
      const onLog = (message: string, simulation: Simulation): void => {
        if (message.includes('looping')) {
          simulation.cancel();
        }
      };
      expect(await failureOf('loops', { onLog })).to.be.instanceOf(ExecutionCancelled);
    });

    it('are killed at once when the executor abandons them', async () => {
      const leaving = new AbortController();
      const onLog = (message: string): void => {
        if (message.includes('looping')) {
          leaving.abort(new Error('let go'));
        }
      };
      expect((await failureOf('loops', { onLog, stop: leaving.signal })).message).to.equal('let go');
    });
  });
});
