import { expect } from 'chai';
import { install } from '../../../src/workflows/install.ts';
import { uninstall } from '../../../src/workflows/uninstall.ts';
import { ExecutionCancelled } from '../../../src/workflows/errors.ts';
import { Crash, failFinally, failForNow, resetForResume, Simulation, World } from './simulation.ts';
import type { Behaviour, SimulationOptions } from './simulation.ts';
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

  const afterFailedStart = ['b.start', 'b.prestop', 'b.stop', 'b.start', 'c.create', 'c.start'];
  const deaths: [string, SimulationOptions][] = [
    ['before the cleanup is stored', { crashAt: 1 }],
    ['before its first operation is sent', { crashAtSend: 1 }],
    ['while its first operation runs', { crashAt: 2 }],
    ['before its second operation is sent', { crashAtSend: 2 }],
    ['while its second operation runs', { crashAt: 3 }],
  ];
  for (const [moment, death] of deaths) {
    it(`goes on with the cleanup of an instance, without beginning it again, when it died ${moment}`, async () => {
      const world = new World(topologyOf(specs));
      await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
      resetForResume(world);
      const dying = new Simulation(world, { isResume: true, ...death });
      expect(await dying.execute(install).catch((error: unknown) => error)).to.be.instanceOf(Crash);
      expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
      expect(world.states()).to.deep.equal({ a: 'started', b: 'started', c: 'started' });
      expect(world.operations().slice(4)).to.deep.equal(afterFailedStart);
    });
  }

  it('goes on with the cleanup of an instance when the graph is read again as it is stored', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
    resetForResume(world);
    const left = new Simulation(world, { isResume: true, crashAt: 2 });
    await left.execute(install).catch(() => undefined);
    // what is not a resume adds nothing of its own to what is stored, as after a decision about an operation
    expect(await new Simulation(world, { isResume: false }).execute(install)).to.equal(undefined);
    expect(world.operations().slice(4)).to.deep.equal(afterFailedStart);
  });

  it('makes another cleanup when one was stored in part only', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
    resetForResume(world);
    const left = new Simulation(world, { isResume: true, crashAtSend: 1 });
    await left.execute(install).catch(() => undefined);
    const rows = world.graphs.get('install');
    const last = [...(rows?.values() ?? [])].findLast(({ parameters }) => parameters['containing_subgraph'] !== null);
    rows?.delete(last?.id ?? '');
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    expect(world.operations().slice(4)).to.deep.equal(afterFailedStart);
    expect(world.trace).to.include('b: Finished rolling back, now resuming install');
  });

  it('makes another cleanup when what followed the one before has failed', async () => {
    const world = new World(topologyOf(specs));
    await new Simulation(world, { behaviour: failing('b.start') }).execute(install);
    for (const broken of ['b.stop', 'b.start']) {
      resetForResume(world);
      const behaviour: Behaviour = (call, attempt) =>
        failing(broken)(call, attempt) ?? failing('b.start')(call, attempt);
      await new Simulation(world, { isResume: true, behaviour }).execute(install);
    }
    resetForResume(world);
    expect(await new Simulation(world, { isResume: true }).execute(install)).to.equal(undefined);
    const round = ['b.prestop', 'b.stop', 'b.start'];
    expect(world.operations().slice(4)).to.deep.equal(['b.start', ...round, ...round, ...round, 'c.create', 'c.start']);
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
