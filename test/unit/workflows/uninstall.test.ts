import { expect } from 'chai';
import { reinstall } from '../../../src/workflows/reinstall.ts';
import { uninstall } from '../../../src/workflows/uninstall.ts';
import { askForRetry, dieInTheMiddle, failFinally, Simulation, World } from './simulation.ts';
import type { SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const everyOperation = [
  'cloudify.interfaces.validation.delete',
  'cloudify.interfaces.monitoring.stop',
  'prestop',
  'stop',
  'delete',
  'postdelete',
];

const stopPart = ['validation.delete', 'monitoring.stop', 'lifecycle.prestop', 'lifecycle.stop'];
const deletePart = ['relationship_lifecycle.unlink', 'lifecycle.delete', 'lifecycle.postdelete'];

async function run(
  specs: Readonly<Record<string, NodeSpec>>,
  options: SimulationOptions = {},
): Promise<{ world: World; error: Error | undefined; simulation: Simulation }> {
  const world = new World(topologyOf(specs));
  const simulation = new Simulation(world, options);
  const error = await simulation.execute(uninstall);
  return { world, error, simulation };
}

const operationsOf = (world: World): string[] =>
  world.operationStarts.map(({ call }) => call.operation.replace('cloudify.interfaces.', ''));

function at(world: World, entry: string): number {
  const position = world.trace.indexOf(entry);
  expect(position, `${entry} in\n${world.trace.join('\n')}`).to.be.at.least(0);
  return position;
}

describe('uninstall', () => {
  it('emits events and states of an instance in the known order', async () => {
    const { world } = await run({
      b: { state: 'deleted' },
      a: {
        state: 'started',
        operations: everyOperation,
        relationships: [{ target: 'b', source: ['unlink'] }],
      },
    });
    expect(world.trace.filter((entry) => entry.startsWith('a') && !entry.startsWith('a <'))).to.deep.equal([
      'a = stopping',
      'a: Stopping node instance',
      'a: Validating node instance before deletion',
      'a > delete',
      'a: Node instance validated before deletion',
      'a > stop',
      'a: Prestopping node instance',
      'a > prestop',
      'a: Node instance prestopped',
      'a > stop',
      'a: Stopped node instance',
      'a = stopped',
      'a: Unlinking relationships',
      'a > unlink',
      'a: Relationships unlinked',
      'a = deleting',
      'a: Deleting node instance',
      'a > delete',
      'a: Postdeleting node instance',
      'a > postdelete',
      'a: Node instance postdeleted',
      'a = deleted',
      'a: Deleted node instance',
    ]);
  });

  it('emits "nothing to do" events', async () => {
    const { world } = await run({ a: { state: 'started' } });
    expect(world.trace).to.deep.equal([
      'a = stopping',
      'a: Stopping node instance',
      'a: Validating node instance after deletion: nothing to do',
      'a: Stopped node instance: nothing to do',
      'a = stopped',
      'a: Deleting node instance: nothing to do',
      'a = deleted',
      'a: Deleted node instance',
    ]);
  });

  describe('by the state of an instance', () => {
    interface Gate {
      title: string;
      from: readonly string[];
      operations: readonly string[];
      states: readonly string[];
    }
    const gates: readonly Gate[] = [
      {
        title: 'an instance that runs, or may have begun to, runs everything in order',
        from: ['started', 'creating', 'stopping'],
        operations: [...stopPart, ...deletePart],
        states: ['stopping', 'stopped', 'deleting', 'deleted'],
      },
      {
        title: 'a configured instance is unlinked and deleted without being stopped',
        from: ['configured'],
        operations: deletePart,
        states: ['stopped', 'deleting', 'deleted'],
      },
      {
        title: 'an instance in stopped or deleting is unlinked, deleted and postdeleted only',
        from: ['stopped', 'deleting'],
        operations: deletePart,
        states: ['deleting', 'deleted'],
      },
      {
        title: 'an instance that was never begun runs nothing and ends as deleted',
        from: ['uninitialized'],
        operations: [],
        states: ['stopped', 'deleted'],
      },
      { title: 'a deleted instance changes nothing', from: ['deleted'], operations: [], states: [] },
    ];
    for (const { title, from, operations, states } of gates) {
      it(title, async () => {
        for (const state of from) {
          const { world } = await run({
            b: { state: 'deleted' },
            a: { state, operations: everyOperation, relationships: [{ target: 'b', source: ['unlink'] }] },
          });
          expect(operationsOf(world), state).to.deep.equal(operations);
          expect(world.trace.filter((entry) => entry.startsWith('a = '))).to.deep.equal(
            states.map((each) => `a = ${each}`),
          );
          if (operations.length < 7) {
            at(world, `a: Stop: instance already ${state}`);
          }
        }
      });
    }
  });

  it('deletes a source before the first operation of its target', async () => {
    const { world } = await run({
      b: { state: 'started', operations: ['stop'] },
      a: { state: 'started', operations: ['stop', 'delete'], relationships: ['b'] },
    });
    expect(at(world, 'a = deleted')).to.be.lessThan(at(world, 'b > stop'));
  });

  it('keeps the order along a relationship that names a lifecycle operation', async () => {
    const { world } = await run({
      b: { state: 'started', operations: ['create', 'stop'] },
      a: {
        state: 'started',
        operations: ['create', 'delete'],
        relationships: [{ target: 'b', properties: { operation: 'create' } }],
      },
    });
    expect(at(world, 'a = deleted')).to.be.lessThan(at(world, 'b > stop'));
  });

  it('unlinks target nodes in the reverse of the order they are declared in', async () => {
    const { world } = await run({
      x: { state: 'deleted' },
      y: { state: 'deleted' },
      a: {
        state: 'stopped',
        relationships: [
          { target: 'x', source: ['unlink'] },
          { target: 'y', source: ['unlink'] },
        ],
      },
    });
    expect(world.operationStarts.map(({ call }) => call.related?.instanceId)).to.deep.equal(['y', 'x']);
  });

  it('stops and deletes the agent of a host before the host stops', async () => {
    const { world } = await run({
      h: {
        state: 'started',
        types: ['cloudify.nodes.Compute'],
        properties: { agent_config: { install_method: 'init_script' } },
        operations: [
          'stop',
          'cloudify.interfaces.monitoring_agent.stop',
          'cloudify.interfaces.monitoring_agent.uninstall',
          'cloudify.interfaces.cloudify_agent.stop_amqp',
          'cloudify.interfaces.cloudify_agent.delete',
        ],
      },
    });
    expect(operationsOf(world)).to.deep.equal([
      'monitoring_agent.stop',
      'monitoring_agent.uninstall',
      'cloudify_agent.stop_amqp',
      'cloudify_agent.delete',
      'lifecycle.stop',
    ]);
    expect(at(world, 'h: Stopping agent')).to.be.lessThan(at(world, 'h: Agent deleted'));
  });

  describe('with failing operations', () => {
    const specs = {
      b: { state: 'started', operations: ['stop'] },
      a: {
        state: 'started',
        operations: ['prestop', 'stop', 'delete'],
        relationships: [{ target: 'b', source: ['unlink'] }],
      },
    } satisfies Record<string, NodeSpec>;

    it('fails the instance at the first failure and does not touch its targets', async () => {
      const { world, error } = await run(specs, {
        behaviour: (call) => (call.operation.endsWith('.stop') ? failFinally() : undefined),
      });
      expect(error?.message).to.contain('test.stop (a:cloudify.interfaces.lifecycle.stop)');
      expect(world.operations()).to.deep.equal(['a.prestop', 'a.stop']);
    });

    it('fails the instance when unlinking fails', async () => {
      const { world, error } = await run(specs, {
        behaviour: (call) => (call.operation.endsWith('.unlink') ? failFinally() : undefined),
      });
      expect(error?.message).to.contain('test.unlink (a:');
      expect(world.operations()).to.deep.equal(['a.prestop', 'a.stop', 'a.unlink']);
    });

    it('attempts every operation once with ignore_failure, tells so, and goes on to the end', async () => {
      const { world, error } = await run(specs, {
        parameters: { ignore_failure: true },
        taskRetries: 5,
        behaviour: () => failFinally(),
      });
      expect(error).to.equal(undefined);
      expect(world.operations()).to.deep.equal(['a.prestop', 'a.stop', 'a.unlink', 'a.delete', 'b.stop']);
      expect(world.states()).to.deep.equal({ a: 'deleted', b: 'deleted' });
      at(world, 'a: Ignoring task test.stop failure');
    });

    it('also goes on with ignore_failure when retries an operation asked for are used up', async () => {
      const { world, error } = await run(specs, {
        parameters: { ignore_failure: true },
        taskRetries: 2,
        behaviour: (call) => (call.operation.endsWith('.prestop') ? askForRetry() : undefined),
      });
      expect(error).to.equal(undefined);
      expect(world.operations().filter((name) => name === 'a.prestop')).to.have.length(3);
      expect(world.states()).to.deep.equal({ a: 'deleted', b: 'deleted' });
    });

    it('makes an operation again whose process died, also with ignore_failure', async () => {
      const { world, error } = await run(specs, {
        parameters: { ignore_failure: true },
        taskRetries: 2,
        behaviour: (call, attempt) =>
          call.operation.endsWith('.delete') && attempt === 0 ? dieInTheMiddle() : undefined,
      });
      expect(error).to.equal(undefined);
      expect(world.operations().filter((name) => name === 'a.delete')).to.have.length(2);
      expect(world.trace.filter((text) => text.includes('Ignoring'))).to.deep.equal([]);
    });

    it('ignores with ignore_failure that the process of an operation dies every time', async () => {
      const { world, error } = await run(specs, {
        parameters: { ignore_failure: true },
        taskRetries: 2,
        behaviour: (call) => (call.operation.endsWith('.delete') ? dieInTheMiddle() : undefined),
      });
      expect(error).to.equal(undefined);
      expect(world.operations().filter((name) => name === 'a.delete')).to.have.length(3);
      at(world, 'a: Ignoring task test.delete failure');
    });

    it('retries the instance as often as configured', async () => {
      const { world, error } = await run(specs, {
        subgraphRetries: 1,
        behaviour: (call, attempt) => (call.operation.endsWith('.delete') && attempt === 0 ? failFinally() : undefined),
      });
      expect(error).to.equal(undefined);
      expect(world.operations()).to.deep.equal([
        'a.prestop',
        'a.stop',
        'a.unlink',
        'a.delete',
        'a.unlink',
        'a.delete',
        'b.stop',
      ]);
      expect(world.taskEvents).to.include("Subgraph started 'a' [retry 1/1]");
    });
  });

  describe('of chosen instances', () => {
    const specs = {
      b: { state: 'started', operations: ['stop'] },
      a: { state: 'started', operations: ['stop'], relationships: [{ target: 'b', source: ['unlink'] }] },
    } satisfies Record<string, NodeSpec>;

    it('unlinks sources that stay before the target goes, whether that works or not', async () => {
      const { world, error } = await run(specs, {
        parameters: { node_ids: ['b'] },
        behaviour: (call) => (call.operation.endsWith('.unlink') ? failFinally() : undefined),
      });
      expect(error).to.equal(undefined);
      expect(world.operations()).to.deep.equal(['a.unlink', 'b.stop']);
      expect(at(world, 'a < unlink')).to.be.lessThan(at(world, 'b = stopping'));
      expect(world.states()).to.deep.equal({ a: 'started', b: 'deleted' });
    });
  });

  it('uninstalls the services of the deployment first when recursive', async () => {
    const { simulation } = await run(
      { a: {} },
      { parameters: { recursive: true, ignore_failure: true, node_ids: ['a'] } },
    );
    expect(simulation.serviceRuns).to.deep.equal([
      { workflowId: 'workflow', parameters: { recursive: true, ignore_failure: true, node_ids: ['a'] } },
    ]);
  });
});

describe('reinstall', () => {
  it('deletes all chosen instances before the first one is created', async () => {
    const world = new World(
      topologyOf({
        b: { state: 'started', operations: ['create', 'delete'] },
        a: { state: 'started', operations: ['create', 'delete'], relationships: ['b'] },
      }),
    );
    const simulation = new Simulation(world);
    expect(await simulation.execute(reinstall)).to.equal(undefined);
    expect(world.operations()).to.deep.equal(['a.delete', 'b.delete', 'b.create', 'a.create']);
    expect(simulation.graphNames).to.deep.equal(['reinstall-uninstall', 'reinstall-install']);
  });
});
