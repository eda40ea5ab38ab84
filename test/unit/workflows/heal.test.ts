import { expect } from 'chai';
import { heal } from '../../../src/workflows/heal.ts';
import { failFinally, Simulation, World } from './simulation.ts';
import type { Behaviour, SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const containedIn = 'cloudify.relationships.contained_in';

const checkable = (operations: readonly string[] = [], relationships: NodeSpec['relationships'] = []): NodeSpec => ({
  state: 'started',
  operations: ['check_status', 'create', 'delete', ...operations],
  relationships,
});

async function run(
  specs: Readonly<Record<string, NodeSpec>>,
  options: SimulationOptions = {},
): Promise<{ world: World; error: Error | undefined; simulation: Simulation }> {
  const world = new World(topologyOf(specs));
  for (const instance of world.topology.instances.values()) {
    world.topology.instances.set(instance.id, {
      ...instance,
      systemProperties: { status: { ok: true, result: null, task: null } },
    });
  }
  const simulation = new Simulation(world, options);
  return { world, simulation, error: await simulation.execute(heal) };
}

/** Fails the named operations, e.g. `a.check_status`, at their first attempt. */
const failing =
  (...names: string[]): Behaviour =>
  (call, attempt) =>
    names.includes(`${call.instanceId}.${call.operation.split('.').at(-1) ?? ''}`) && attempt === 0
      ? failFinally()
      : undefined;

describe('heal', () => {
  it('only checks a deployment that is healthy', async () => {
    const { world, simulation } = await run({ a: checkable(['heal']), b: { state: 'started' } });
    expect(world.operations()).to.deep.equal(['a.check_status']);
    expect(simulation.graphNames).to.deep.equal(['check_status']);
  });

  it('heals an instance that fails its check and can be healed, targets first', async () => {
    const specs = {
      b: checkable(['heal'], ['a']),
      a: checkable(['preheal', 'heal', 'postheal']),
      c: checkable(['heal']),
    };
    const { world, error, simulation } = await run(specs, { behaviour: failing('a.check_status', 'b.check_status') });
    expect(error).to.equal(undefined);
    expect(world.operations().slice(3)).to.deep.equal(['a.preheal', 'a.heal', 'a.postheal', 'b.heal']);
    expect(world.instance('a').systemProperties['status']).to.deep.include({ ok: true, task: null, healed: true });
    expect(simulation.graphNames).to.deep.equal(['check_status', 'heal']);
    expect(world.trace).to.include('a: Healing node instance');
    expect(world.trace).to.include('a: Node instance healed');
  });

  it('reinstalls an instance that cannot be healed, with everything contained in it', async () => {
    const specs = {
      host: checkable(),
      web: checkable(['heal'], [{ target: 'host', type: containedIn }]),
      other: checkable(['heal']),
    };
    const { world } = await run(specs, { behaviour: failing('host.check_status', 'web.check_status') });
    expect(world.operations().slice(3)).to.deep.equal(['web.delete', 'host.delete', 'host.create', 'web.create']);
  });

  it('reinstalls an instance whose healing fails, and removes the marker', async () => {
    const { world, error, simulation } = await run(
      { a: checkable(['heal']) },
      { behaviour: failing('a.check_status', 'a.heal') },
    );
    expect(error).to.equal(undefined);
    expect(world.operations()).to.deep.equal(['a.check_status', 'a.heal', 'a.delete', 'a.create']);
    expect(simulation.graphNames).to.deep.equal(['check_status', 'heal', 'reinstall-uninstall', 'reinstall-install']);
    expect(world.instance('a').systemProperties).not.to.have.property('heal_failed');
  });

  it('refuses to reinstall when that is not allowed, before anything is uninstalled', async () => {
    const specs = Object.fromEntries(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => [id, checkable()]));
    const { world, error } = await run(specs, {
      parameters: { allow_reinstall: false },
      behaviour: failing(...Object.keys(specs).map((id) => `${id}.check_status`)),
    });
    expect(error?.message).to.equal(
      'allow_reinstall is false, but would need to reinstall instances: a, b, c, d, e (and 1 more)',
    );
    expect(world.operations().filter((name) => name.endsWith('delete'))).to.deep.equal([]);
  });

  it('reinstalls without check and healing when forced', async () => {
    const { world } = await run({ a: checkable(['heal']) }, { parameters: { force_reinstall: true } });
    expect(world.operations()).to.deep.equal(['a.delete', 'a.create']);
  });

  it('looks at the host of the given instance and everything on it', async () => {
    const specs: Readonly<Record<string, NodeSpec>> = {
      host: { ...checkable(), types: ['cloudify.nodes.Compute'], properties: { install_agent: false } },
      web: { ...checkable([], [{ target: 'host', type: containedIn }]), hostId: 'host' },
      other: checkable(),
    };
    const { world } = await run(specs, { parameters: { node_instance_id: 'web' } });
    expect(world.operations().sort()).to.deep.equal(['host.check_status', 'web.check_status']);
  });

  it('names an instance that does not exist', async () => {
    const { error } = await run({ a: checkable() }, { parameters: { node_instance_id: 'gone' } });
    expect(error?.message).to.equal('No node instance with id `gone` was found');
  });

  it('ignores failures of uninstall operations unless told otherwise', async () => {
    const behaviour = failing('a.check_status', 'a.delete');
    expect((await run({ a: checkable() }, { behaviour })).error).to.equal(undefined);
    const strict = await run({ a: checkable() }, { behaviour, parameters: { ignore_failure: false } });
    expect(strict.error?.message).to.contain('test.delete (a:');
  });
});
