import { expect } from 'chai';
import { install } from '../../../src/workflows/install.ts';
import { uninstall } from '../../../src/workflows/uninstall.ts';
import { ExecutionCancelled } from '../../../src/workflows/errors.ts';
import { Crash, failFinally, failForNow, resetForResume, Simulation, World } from './simulation.ts';
import type { Behaviour } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';

const failing =
  (name: string): Behaviour =>
  (call) =>
    `${call.instanceId}.${call.operation.split('.').at(-1) ?? ''}` === name ? failFinally() : undefined;

describe('a resumed install', () => {
  const specs = {
    c: { operations: ['create', 'start'], relationships: ['b'] },
    b: {
      operations: ['create', 'configure', 'start', 'prestop', 'stop', 'delete', 'postdelete'],
      relationships: ['a'],
    },
    a: { operations: ['create', 'start'] },
  };

  it('does not repeat operations that have ended', async () => {
    const world = new World(topologyOf(specs));
    const first = await new Simulation(world, { behaviour: failing('b.configure') }).execute(install);
    expect(first?.message).to.contain('test.configure (b:');
    resetForResume(world);
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    expect(world.operations()).to.deep.equal([
      'a.create',
      'a.start',
      'b.create',
      'b.configure',
      'b.configure',
      'b.start',
      'c.create',
      'c.start',
    ]);
    expect(world.states()).to.deep.equal({ a: 'started', b: 'started', c: 'started' });
  });

  it('stops an instance before its start runs again', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
    resetForResume(world);
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    expect(world.operations().slice(4)).to.deep.equal([
      'b.start',
      'b.prestop',
      'b.stop',
      'b.start',
      'c.create',
      'c.start',
    ]);
    expect(world.trace).to.include('b: Rolling back prior to resuming install');
    expect(world.trace).to.include('b: Finished rolling back, now resuming install');
  });

  it('deletes an instance before its creation runs again, and ignores failures of that', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.create') }).execute(install);
    resetForResume(world);
    const error = await new Simulation(world, { isResume: true, behaviour: failing('b.delete') }).execute(install);
    expect(error).to.equal(undefined);
    expect(world.operations().slice(2, 6)).to.deep.equal(['b.create', 'b.delete', 'b.postdelete', 'b.create']);
    expect(world.logs).to.include('info: Ignoring task failure in cleanup');
  });

  it('runs the last attempt of a retried operation once', async () => {
    const world = new World(topologyOf(specs));
    const behaviour: Behaviour = (call, attempt) =>
      call.instanceId === 'b' && call.operation.endsWith('configure') && attempt < 3 ? failForNow() : undefined;
    await new Simulation(world, { behaviour, taskRetries: 2 }).execute(install);
    resetForResume(world);
    expect(await new Simulation(world, { behaviour, isResume: true }).execute(install)).to.equal(undefined);
    expect(world.operations().filter((name) => name === 'b.configure')).to.have.length(4);
    expect(world.operations().filter((name) => name === 'b.create')).to.have.length(1);
  });

  it('goes on after a cancellation, taking in what ended meanwhile', async () => {
    const world = new World(topologyOf(specs));
    const cancelled = await new Simulation(world, { cancelAfter: 3 }).execute(install);
    expect(cancelled).to.be.instanceOf(ExecutionCancelled);
    expect(world.operations()).to.deep.equal(['a.create', 'a.start', 'b.create']);
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    expect(world.operations().slice(3)).to.deep.equal(['b.configure', 'b.start', 'c.create', 'c.start']);
  });

  it('does not repeat the cleanup of an instance that it had begun before a crash', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
    resetForResume(world);
    const crashing = new Simulation(world, { isResume: true, crashAt: 2 });
    expect(await crashing.execute(install).catch((error: unknown) => error)).to.be.instanceOf(Crash);
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    expect(world.states()).to.deep.equal({ a: 'started', b: 'started', c: 'started' });
    expect(world.operations().at(-1)).to.equal('c.start');
  });
});

describe('a resumed uninstall', () => {
  it('goes on with the instance that failed', async () => {
    const world = new World(
      topologyOf({
        a: { state: 'started', operations: ['stop', 'delete'], relationships: ['b'] },
        b: { state: 'started', operations: ['stop'] },
      }),
    );
    await new Simulation(world, { behaviour: failing('a.delete') }).execute(uninstall);
    resetForResume(world);
    expect(await new Simulation(world, { isResume: true }).execute(uninstall)).to.equal(undefined);
    expect(world.operations()).to.deep.equal(['a.stop', 'a.delete', 'a.delete', 'b.stop']);
    expect(world.states()).to.deep.equal({ a: 'deleted', b: 'deleted' });
  });
});
