import { expect } from 'chai';
import { install } from '../../../src/workflows/install.ts';
import { Simulation, World } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';

describe('install', () => {
  it('emits events and states of an instance with create, configure and start in the known order', async () => {
    const world = new World(topologyOf({ a: { operations: ['create', 'configure', 'start'] } }));
    expect(await new Simulation(world).execute(install)).to.equal(undefined);
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
});
