import { expect } from 'chai';
import { install } from '../../../src/workflows/install.ts';
import { failFinally, failForNow, Simulation, succeedWith, World } from './simulation.ts';
import type { SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const relationshipInterface = 'cloudify.interfaces.relationship_lifecycle';
const containedIn = 'cloudify.relationships.contained_in';

async function run(
  specs: Readonly<Record<string, NodeSpec>>,
  options: SimulationOptions = {},
): Promise<{ world: World; error: Error | undefined }> {
  const world = new World(topologyOf(specs));
  const error = await new Simulation(world, options).execute(install);
  return { world, error };
}

/** Position of an entry of the trace; fails the test when it is missing. */
function at(world: World, entry: string): number {
  const position = world.trace.indexOf(entry);
  expect(position, `${entry} in\n${world.trace.join('\n')}`).to.be.at.least(0);
  return position;
}

const everyOperation = [
  'cloudify.interfaces.validation.create',
  'precreate',
  'create',
  'configure',
  'start',
  'poststart',
  'cloudify.interfaces.monitoring.start',
];

const fullSequence = [
  'validation.create',
  'lifecycle.precreate',
  'lifecycle.create',
  'relationship_lifecycle.preconfigure',
  'lifecycle.configure',
  'relationship_lifecycle.postconfigure',
  'lifecycle.start',
  'lifecycle.poststart',
  'monitoring.start',
  'relationship_lifecycle.establish',
];

const operationsOf = (world: World): string[] =>
  world.operationStarts.map(({ call }) => call.operation.replace('cloudify.interfaces.', ''));

describe('install', () => {
  it('emits events and states of an instance with create, configure and start in the known order', async () => {
    const { world, error } = await run({ a: { operations: ['create', 'configure', 'start'] } });
    expect(error).to.equal(undefined);
    expect(world.trace).to.deep.equal([
      'a = initializing',
      'a: Validating node instance before creation: nothing to do',
      'a: Precreating node instance: nothing to do',
      'a: Creating node instance',
      'a = creating',
      'a > create',
      'a < create',
      'a: Node instance created',
      'a = created',
      'a = configuring',
      'a: Configuring node instance',
      'a > configure',
      'a < configure',
      'a = configured',
      'a: Node instance configured',
      'a = starting',
      'a: Starting node instance',
      'a > start',
      'a < start',
      'a: Poststarting node instance: nothing to do',
      'a = started',
      'a: Node instance started',
    ]);
  });

  it('runs all operations of an instance in their order, the last one before it is started', async () => {
    const { world } = await run({
      b: { state: 'started' },
      a: {
        operations: everyOperation,
        relationships: [{ target: 'b', source: ['preconfigure', 'postconfigure', 'establish'] }],
      },
    });
    expect(operationsOf(world)).to.deep.equal(fullSequence);
    expect(at(world, 'a: Pre-configuring relationships')).to.be.lessThan(at(world, 'a > preconfigure'));
    expect(at(world, 'a: Relationships established')).to.be.greaterThan(at(world, 'a < establish'));
    expect(at(world, 'a = started')).to.be.greaterThan(at(world, 'a: Relationships established'));
  });

  it('only starts an instance that has nothing to do', async () => {
    const { world } = await run({ a: {} });
    expect(world.trace).to.deep.equal(['a = started', 'a: Node instance started (nothing to do)']);
  });

  it('emits nothing about relationship operations that are not implemented', async () => {
    const { world } = await run({ b: {}, a: { operations: ['start'], relationships: ['b'] } });
    expect(world.trace.filter((entry) => entry.includes('elationships'))).to.deep.equal([]);
  });

  describe('by the state of an instance', () => {
    const gates: readonly [string, readonly string[], readonly string[]][] = [
      ['an instance that was never begun runs everything', ['uninitialized', 'initializing', 'custom'], fullSequence],
      [
        'an instance that was stopped or deleted runs everything again',
        ['stopping', 'stopped', 'deleting', 'deleted'],
        fullSequence,
      ],
      [
        'an instance in creating is created again, without validation and precreate',
        ['creating'],
        fullSequence.slice(2),
      ],
      [
        'an instance in created or configuring goes on with preconfigure and configure',
        ['created', 'configuring'],
        fullSequence.slice(3),
      ],
      [
        'an instance in configured or starting goes on with postconfigure',
        ['configured', 'starting'],
        fullSequence.slice(5),
      ],
      ['a started instance runs nothing', ['started'], []],
    ];
    for (const [title, states, expected] of gates) {
      it(title, async () => {
        for (const state of states) {
          const { world } = await run({
            b: { state: 'started' },
            a: {
              state,
              operations: everyOperation,
              relationships: [{ target: 'b', source: ['preconfigure', 'postconfigure', 'establish'] }],
            },
          });
          expect(operationsOf(world), state).to.deep.equal(expected);
          expect(world.states(), state).to.deep.equal({ a: 'started', b: 'started' });
        }
      });
    }
  });

  describe('along relationships', () => {
    it('starts a target, at every level, before any operation of its source', async () => {
      const { world } = await run({
        c: { operations: ['create', 'start'], relationships: ['b'] },
        b: { operations: ['create'], relationships: ['a'] },
        a: { operations: ['create'] },
      });
      expect(at(world, 'a = started')).to.be.lessThan(at(world, 'b > create'));
      expect(at(world, 'b = started')).to.be.lessThan(at(world, 'c > create'));
    });

    it('waits for all targets, and runs instances without relation side by side', async () => {
      const { world } = await run(
        {
          source: { operations: ['create'], relationships: ['x', 'y'] },
          x: { operations: ['create'] },
          y: { operations: ['create'] },
        },
        { behaviour: () => ({ outcome: { isSuccess: true }, seconds: 5 }) },
      );
      expect(at(world, 'y > create')).to.be.lessThan(at(world, 'x < create'));
      expect(at(world, 'source > create')).to.be.greaterThan(
        Math.max(at(world, 'x = started'), at(world, 'y = started')),
      );
    });

    it('handles all instances of one target node at once, the target nodes one after another', async () => {
      const { world } = await run(
        {
          x: { instances: 2, state: 'started' },
          y: { state: 'started' },
          a: {
            relationships: [
              { target: 'x', source: ['establish'], targetOperations: ['establish'] },
              { target: 'y', source: ['establish'] },
            ],
          },
        },
        { behaviour: () => ({ outcome: { isSuccess: true }, seconds: 5 }) },
      );
      const starts = world.operationStarts.map(
        ({ at: time, call }) => `${time / 1000} ${call.instanceId} ${call.related?.instanceId ?? ''}`,
      );
      expect(starts).to.deep.equal(['0 a x_0', '0 x_0 a', '0 a x_1', '0 x_1 a', '5 a y']);
      expect(world.operationStarts.map(({ call }) => call.related?.isTarget)).to.deep.equal([
        true,
        false,
        true,
        false,
        true,
      ]);
    });

    it('runs the operations of every one of several relationships to the same target', async () => {
      const { world } = await run({
        b: { state: 'started' },
        a: {
          relationships: [
            { target: 'b', type: 'one', source: ['establish'] },
            { target: 'b', type: 'two', source: ['establish'] },
            { target: 'b', type: 'two', targetOperations: ['establish'] },
          ],
        },
      });
      expect(world.operations()).to.deep.equal(['a.establish', 'a.establish', 'b.establish']);
    });

    it('goes on after the named operation of the target when the relationship names one', async () => {
      const { world } = await run(
        {
          a: {
            operations: ['create'],
            relationships: [{ target: 'b', type: 'depends_on_operation', properties: { operation: 'create' } }],
          },
          b: { operations: ['create', 'configure'] },
        },
        { behaviour: () => ({ outcome: { isSuccess: true }, seconds: 1 }) },
      );
      expect(at(world, 'a > create')).to.be.greaterThan(at(world, 'b = created'));
      expect(at(world, 'a > create')).to.be.lessThan(at(world, 'b < configure'));
    });

    it('keeps the order when the named operation is not implemented', async () => {
      const { world } = await run(
        {
          a: {
            operations: ['create'],
            relationships: [{ target: 'b', properties: { operation: 'create' } }],
          },
          b: { operations: ['precreate', 'configure'] },
        },
        { behaviour: () => ({ outcome: { isSuccess: true }, seconds: 1 }) },
      );
      expect(at(world, 'a > create')).to.be.greaterThan(at(world, 'b: Creating node instance: nothing to do'));
    });

    it('waits for the whole target when the named operation is none of the lifecycle', async () => {
      const { world } = await run({
        a: { operations: ['create'], relationships: [{ target: 'b', properties: { operation: 'dance' } }] },
        b: { operations: ['create'] },
      });
      expect(at(world, 'a > create')).to.be.greaterThan(at(world, 'b = started'));
    });
  });

  describe('of chosen instances', () => {
    const specs = {
      c: { operations: ['create'], relationships: ['b'] },
      b: {
        operations: ['create'],
        relationships: [{ target: 'a', source: ['establish'], targetOperations: ['establish'] }],
      },
      a: { operations: ['create'] },
    } satisfies Record<string, NodeSpec>;

    it('leaves the others alone, except for establishing their relationships to chosen ones', async () => {
      const { world, error } = await run(specs, { parameters: { node_ids: ['a'] } });
      expect(error).to.equal(undefined);
      expect(world.operations()).to.deep.equal(['a.create', 'b.establish', 'a.establish']);
      expect(world.states()).to.deep.equal({ a: 'started', b: 'uninitialized', c: 'uninitialized' });
    });

    it('keeps the order of those that depend on each other through the others', async () => {
      const { world } = await run(specs, { parameters: { node_ids: ['c', 'a'] } });
      expect(at(world, 'c > create')).to.be.greaterThan(at(world, 'a = started'));
    });

    it('is not held up by targets that are neither chosen nor started', async () => {
      const { world } = await run(specs, { parameters: { node_instance_ids: ['c'] } });
      expect(world.states()['c']).to.equal('started');
    });

    it('combines the filters, and does nothing when nothing passes', async () => {
      const { world, error } = await run(specs, { parameters: { node_ids: ['a'], type_names: ['other'] } });
      expect(error).to.equal(undefined);
      expect(world.trace).to.deep.equal([]);
    });
  });

  describe('of hosts', () => {
    const host = (method: string | undefined, extra: readonly string[] = []): NodeSpec => ({
      types: ['my.Host', 'cloudify.nodes.Compute'],
      properties: method === undefined ? {} : { agent_config: { install_method: method } },
      operations: [
        'start',
        'poststart',
        'cloudify.interfaces.host.get_state',
        'cloudify.interfaces.cloudify_agent.create',
        'cloudify.interfaces.cloudify_agent.start',
        'cloudify.interfaces.monitoring_agent.install',
        'cloudify.interfaces.monitoring_agent.start',
        ...extra,
      ],
    });
    const running: SimulationOptions = {
      behaviour: (call) => (call.operation.endsWith('get_state') ? succeedWith(true) : undefined),
    };
    const hostOperations = async (spec: NodeSpec): Promise<string[]> =>
      operationsOf((await run({ h: spec }, running)).world);
    const before = ['lifecycle.start', 'host.get_state'];
    const after = ['monitoring_agent.install', 'monitoring_agent.start', 'lifecycle.poststart'];

    it('installs no agent with method none', async () => {
      expect(await hostOperations(host('none'))).to.deep.equal([...before, ...after]);
    });

    it('only creates the agent with the methods remote and provided', async () => {
      for (const method of ['remote', 'provided']) {
        const expected = [...before, 'cloudify_agent.create', ...after];
        expect(await hostOperations(host(method)), method).to.deep.equal(expected);
      }
    });

    it('creates the agent and waits for it with the methods plugin and init_script', async () => {
      for (const method of ['plugin', 'init_script']) {
        const expected = [...before, 'cloudify_agent.create', 'cloudify_agent.start', ...after];
        expect(await hostOperations(host(method)), method).to.deep.equal(expected);
      }
    });

    it('uses the worker installer where there is one', async () => {
      const spec = host('remote', [
        'cloudify.interfaces.worker_installer.install',
        'cloudify.interfaces.worker_installer.start',
      ]);
      const expected = [...before, 'worker_installer.install', 'worker_installer.start', ...after];
      expect(await hostOperations(spec)).to.deep.equal(expected);
    });

    it('installs no agent without install_agent, whatever agent_config says', async () => {
      const spec = {
        ...host('plugin'),
        properties: { install_agent: false, agent_config: { install_method: 'plugin' } },
      };
      expect(await hostOperations(spec)).to.deep.equal([...before, ...after]);
    });

    it('asks for the state without limit until the host runs, even with no retries', async () => {
      const { world, error } = await run(
        { h: host('none') },
        {
          taskRetries: 0,
          behaviour: (call, attempt) => (call.operation.endsWith('get_state') ? succeedWith(attempt >= 7) : undefined),
        },
      );
      expect(error).to.equal(undefined);
      expect(world.attempts.get('h.cloudify.interfaces.host.get_state.')).to.equal(8);
      expect(world.now).to.equal(7 * 15_000);
    });
  });

  describe('with failing operations', () => {
    it('starts no later operation of an instance one of whose operations failed', async () => {
      const { world, error } = await run(
        { a: { operations: ['create', 'configure', 'start'] } },
        { behaviour: (call) => (call.operation.endsWith('configure') ? failFinally() : undefined) },
      );
      expect(world.operations()).to.deep.equal(['a.create', 'a.configure']);
      expect(world.states()).to.deep.equal({ a: 'configuring' });
      expect(error?.message).to.equal(
        'Task failed: test.configure (a:cloudify.interfaces.lifecycle.configure): NonRecoverableError `boom`',
      );
    });

    it('tells an operation which attempt it is and how many there may be', async () => {
      const { world } = await run(
        { a: { operations: { create: { max_retries: 2, retry_interval: 3 } } } },
        { taskRetries: 60, behaviour: () => failForNow() },
      );
      const seen = world.operationStarts.map(({ kwargs, at: time }) => {
        const context = kwargs['__cloudify_context'] as { operation: { retry_number: number; max_retries: number } };
        return [context.operation.retry_number, context.operation.max_retries, time / 1000];
      });
      expect(seen).to.deep.equal([
        [0, 2, 0],
        [1, 2, 3],
        [2, 2, 6],
      ]);
    });

    it('takes the defaults of retries from the configuration', async () => {
      const { world } = await run(
        { a: { operations: ['create'] } },
        { taskRetries: 1, taskRetryInterval: 7, behaviour: () => failForNow() },
      );
      expect(world.operationStarts.map(({ at: time }) => time / 1000)).to.deep.equal([0, 7]);
    });

    it('shows the events of every attempt', async () => {
      const { world } = await run(
        { a: { operations: ['create'] } },
        { taskRetries: 1, behaviour: (_call, attempt) => (attempt === 0 ? failForNow('no') : undefined) },
      );
      expect(world.taskEvents).to.deep.equal([
        "Subgraph started 'install_a'",
        "Sending task 'test.create'",
        "Task started 'test.create'",
        "Task failed 'test.create' -> no",
        "Sending task 'test.create' [retry 1/1]",
        "Task started 'test.create' [retry 1/1]",
        "Task succeeded 'test.create' [retry 1/1]",
        "Subgraph succeeded 'install_a'",
      ]);
    });

    it('builds the retry of an instance from the state it has now', async () => {
      const { world, error } = await run(
        { a: { operations: ['precreate', 'create', 'start', 'stop', 'delete'] } },
        {
          subgraphRetries: 1,
          behaviour: (call, attempt) => (call.operation.endsWith('start') && attempt === 0 ? failFinally() : undefined),
        },
      );
      expect(error).to.equal(undefined);
      expect(world.operations()).to.deep.equal(
        ['precreate', 'create', 'start', 'stop', 'delete', 'precreate', 'create', 'start'].map((name) => `a.${name}`),
      );
      expect(world.states()).to.deep.equal({ a: 'started' });
      expect(world.taskEvents).to.include("Subgraph failed 'install_a'");
      expect(world.taskEvents).to.include("Subgraph started 'reinstall_a' [retry 1/1]");
      expect(world.taskEvents.at(-1)).to.equal("Subgraph succeeded 'reinstall_a' [retry 1/1]");
      at(world, 'a: Node lifecycle failed. Attempting to re-run node lifecycle');
    });

    it('retries an instance as often as configured', async () => {
      const { world, error } = await run(
        { b: { operations: ['create'], relationships: ['a'] }, a: { operations: ['create', 'delete'] } },
        { subgraphRetries: 2, behaviour: (call) => (call.operation.endsWith('create') ? failFinally() : undefined) },
      );
      expect(world.operations()).to.deep.equal(['a.create', 'a.delete', 'a.create', 'a.delete', 'a.create']);
      expect(error?.message).to.contain('test.create (a:');
    });

    it('refuses an operation of an unknown plugin', async () => {
      const { error } = await run({ a: { operations: { create: { plugin: 'gone' } } } });
      expect(error?.message).to.contain('Plugin not found: gone');
    });
  });

  it('runs a dry run without operations and states, with the events of a real one', async () => {
    const { world, error } = await run(
      {
        h: {
          types: ['cloudify.nodes.Compute'],
          properties: { install_agent: false },
          operations: ['create', 'start', 'cloudify.interfaces.host.get_state'],
        },
      },
      { isDryRun: true },
    );
    expect(error).to.equal(undefined);
    expect(world.operations()).to.deep.equal([]);
    expect(world.states()).to.deep.equal({ h: 'uninitialized' });
    expect(world.graphs.size).to.equal(0);
    expect(world.trace).to.deep.equal([
      'h: Validating node instance before creation: nothing to do',
      'h: Precreating node instance: nothing to do',
      'h: Creating node instance',
      'h: Node instance created',
      'h: Configuring node instance: nothing to do',
      'h: Starting node instance',
      'h: Poststarting node instance: nothing to do',
      'h: Node instance started',
    ]);
    expect(world.taskEvents).to.deep.equal([
      "Subgraph started 'install_h' (dry run)",
      "Task succeeded 'test.create' (dry run)",
      "Task succeeded 'test.start' (dry run)",
      "Task succeeded 'test.get_state' (dry run)",
      "Subgraph succeeded 'install_h' (dry run)",
    ]);
  });

  it('installs what is contained after its container', async () => {
    const { world } = await run({
      web: { instances: 2, operations: ['create'], relationships: [{ target: 'host', type: containedIn }] },
      host: { instances: 2, operations: ['create'] },
    });
    expect(at(world, 'web_1 > create')).to.be.greaterThan(at(world, 'host_1 = started'));
    expect(world.trace.filter((entry) => entry.includes(relationshipInterface))).to.deep.equal([]);
  });
});
