import { expect } from 'chai';
import { executeOperation, pull, restart, start, stop } from '../../../src/workflows/execute-operation.ts';
import { Simulation, World } from './simulation.ts';
import type { SimulationOptions } from './simulation.ts';
import type { WorkflowFunction } from '../../../src/workflows/context.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

async function run(
  workflow: WorkflowFunction,
  specs: Readonly<Record<string, NodeSpec>>,
  options: SimulationOptions = {},
): Promise<{ world: World; error: Error | undefined; simulation: Simulation }> {
  const world = new World(topologyOf(specs));
  const simulation = new Simulation(world, {
    behaviour: () => ({ outcome: { isSuccess: true }, seconds: 1 }),
    ...options,
  });
  return { world, simulation, error: await simulation.execute(workflow) };
}

const chain: Readonly<Record<string, NodeSpec>> = {
  c: { operations: ['my.op', 'start', 'stop'], relationships: ['b'] },
  b: { relationships: ['a'] },
  a: { operations: ['my.op', 'start', 'stop'] },
};

describe('execute_operation', () => {
  it('tells before and after, and emits nothing for instances without the operation', async () => {
    const { world, simulation } = await run(executeOperation, chain, { parameters: { operation: 'my.op' } });
    expect(world.trace).to.deep.equal([
      'c: Starting operation my.op',
      'a: Starting operation my.op',
      'c > op',
      'a > op',
      'c < op',
      'c: Finished operation my.op',
      'a < op',
      'a: Finished operation my.op',
    ]);
    expect(simulation.graphNames).to.deep.equal(['execute_operation_my.op']);
  });

  it('follows dependencies when asked, through instances without the operation', async () => {
    const parameters = { operation: 'my.op', run_by_dependency_order: true };
    const { world } = await run(executeOperation, chain, { parameters });
    expect(world.trace.indexOf('c > op')).to.be.greaterThan(world.trace.indexOf('a < op'));
  });

  it('follows dependencies through instances that are not chosen', async () => {
    const parameters = { operation: 'my.op', run_by_dependency_order: true, node_ids: ['a', 'c'] };
    const { world } = await run(executeOperation, chain, { parameters });
    expect(world.operationStarts.map(({ at, call }) => [call.instanceId, at])).to.deep.equal([
      ['a', 0],
      ['c', 1000],
    ]);
  });

  it('passes arguments on and shows them', async () => {
    const parameters = { operation: 'my.op', operation_kwargs: { size: 3, names: ["it's"] }, node_ids: ['a'] };
    const { world } = await run(executeOperation, chain, { parameters });
    expect(world.operationStarts[0]?.kwargs).to.deep.include({ size: 3, names: ["it's"] });
    expect(world.trace[0]).to.equal(
      `a: Starting operation my.op (Operation parameters: {'size': 3, 'names': ["it's"]})`,
    );
  });

  const withInput: Readonly<Record<string, NodeSpec>> = { a: { operations: { 'my.op': { inputs: { size: 1 } } } } };

  it('refuses arguments that collide with inputs, unless they may replace them', async () => {
    const parameters = { operation: 'my.op', operation_kwargs: { size: 3 } };
    const refused = await run(executeOperation, withInput, { parameters });
    expect(refused.error?.message).to.contain('allow_kwargs_override');
    expect(refused.world.operations()).to.deep.equal([]);
    const allowed = await run(executeOperation, withInput, {
      parameters: { ...parameters, allow_kwargs_override: true },
    });
    expect(allowed.world.operationStarts[0]?.kwargs).to.include({ size: 3 });
  });

  it('checks arguments against declared types, except for functions', async () => {
    const typed: Readonly<Record<string, NodeSpec>> = {
      a: { operations: { 'my.op': { inputs_types: { size: 'integer' } } } },
    };
    const refused = await run(executeOperation, typed, {
      parameters: { operation: 'my.op', operation_kwargs: { size: 'big' } },
    });
    expect(refused.error?.message).to.equal('Value "big" of \'size\' does not match the definition: integer');
    const allowed = await run(executeOperation, typed, {
      parameters: { operation: 'my.op', operation_kwargs: { size: { get_input: 'size' } } },
    });
    expect(allowed.error).to.equal(undefined);
  });

  it('succeeds without operations when no instance is chosen', async () => {
    const { world, error } = await run(executeOperation, chain, {
      parameters: { operation: 'my.op', type_names: ['x'] },
    });
    expect(error).to.equal(undefined);
    expect(world.trace).to.deep.equal([]);
  });

  it('needs the name of an operation', async () => {
    expect((await run(executeOperation, chain)).error?.message).to.contain("'operation' is missing");
  });
});

describe('start, stop and pull', () => {
  it('start and stop run their operation by dependency order and leave the states of instances alone', async () => {
    for (const [name, workflow] of Object.entries({ start, stop })) {
      const { world } = await run(workflow, chain);
      expect(world.operations()).to.deep.equal([`a.${name}`, `c.${name}`]);
      expect(world.trace.filter((entry) => entry.includes(' = '))).to.deep.equal([]);
    }
  });

  it('pull runs the pull operation', async () => {
    const { world } = await run(pull, { a: { operations: ['pull'] } });
    expect(world.operations()).to.deep.equal(['a.pull']);
  });
});

describe('restart', () => {
  it('ends every stop before the first start', async () => {
    const { world, simulation } = await run(restart, chain, { parameters: { stop_parms: { x: 1 } } });
    expect(world.operations()).to.deep.equal(['a.stop', 'c.stop', 'a.start', 'c.start']);
    expect(world.operationStarts[0]?.kwargs).to.include({ x: 1 });
    expect(simulation.graphNames).to.deep.equal([
      'execute_operation_cloudify.interfaces.lifecycle.stop',
      'execute_operation_cloudify.interfaces.lifecycle.start',
    ]);
  });
});
