import { expect } from 'chai';
import { install } from '../../../src/workflows/install.ts';
import { rollback } from '../../../src/workflows/rollback.ts';
import { failFinally, Simulation, World } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';

const operations = ['create', 'start', 'prestop', 'stop', 'delete', 'postdelete'];

describe('rollback', () => {
  it('brings broken off instances back and leaves the others alone', async () => {
    const world = new World(
      topologyOf({
        creating: { state: 'creating', operations },
        configuring: { state: 'configuring', operations },
        starting: { state: 'starting', operations },
        started: { state: 'started', operations },
        stopped: { state: 'stopped', operations },
      }),
    );
    expect(await new Simulation(world).execute(rollback)).to.equal(undefined);
    expect(world.states()).to.deep.equal({
      creating: 'uninitialized',
      configuring: 'uninitialized',
      starting: 'configured',
      started: 'started',
      stopped: 'stopped',
    });
    expect(world.operations().sort()).to.deep.equal(
      [
        'creating.delete',
        'creating.postdelete',
        'configuring.delete',
        'configuring.postdelete',
        'starting.prestop',
        'starting.stop',
      ].sort(),
    );
    expect(world.trace).to.include('creating: Rollback Stop: nothing to do, instance state is creating');
    expect(world.trace).to.include('starting: Rollback Delete: nothing to do, instance state is starting');
    expect(world.trace).to.include('starting: Rollbacked node instance');
  });

  it('goes on after failing operations', async () => {
    const world = new World(topologyOf({ a: { state: 'creating', operations } }));
    expect(await new Simulation(world, { behaviour: () => failFinally() }).execute(rollback)).to.equal(undefined);
    expect(world.states()).to.deep.equal({ a: 'uninitialized' });
  });

  it('uninstalls everything afterwards when it is full', async () => {
    const world = new World(
      topologyOf({ a: { state: 'starting', operations }, b: { state: 'started', operations, relationships: ['a'] } }),
    );
    const simulation = new Simulation(world, { parameters: { full_rollback: true } });
    expect(await simulation.execute(rollback)).to.equal(undefined);
    expect(world.states()).to.deep.equal({ a: 'deleted', b: 'deleted' });
    expect(simulation.graphNames).to.deep.equal(['rollback', 'uninstall-auninstall']);
  });

  it('lets an install go on from where it left the instances', async () => {
    const world = new World(topologyOf({ a: { state: 'starting', operations } }));
    await new Simulation(world).execute(rollback);
    await new Simulation(world).execute(install);
    expect(world.operations()).to.deep.equal(['a.prestop', 'a.stop', 'a.start']);
    expect(world.states()).to.deep.equal({ a: 'started' });
  });
});
