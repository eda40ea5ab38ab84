import { expect } from 'chai';
import { runChanges, runRemovals } from '../../../src/workflows/update.ts';
import type { UpdateInput } from '../../../src/workflows/update.ts';
import type { WorkflowContext } from '../../../src/workflows/context.ts';
import { Crash, failFinally, Simulation, succeedWith, World } from './simulation.ts';
import type { Behaviour } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const none = { instanceIds: [], relatedIds: [] };
const noRelationships = { ...none, relationships: [] };
const nothing: UpdateInput = {
  added: none,
  removed: none,
  extended: noRelationships,
  reduced: noRelationships,
  changedNodeIds: new Set(),
  reinstallIds: [],
  isFailureIgnored: false,
  skipsInstall: false,
  skipsUninstall: false,
  skipsReinstall: false,
  skipsDriftCheck: false,
  skipsHeal: false,
  forcesReinstall: false,
  decisions: { once: async (_name, choose) => [...choose()] },
};

const between = (sourceId: string, targetId: string) => ({
  sourceId,
  targetId,
  type: 'cloudify.relationships.connected_to',
});

async function runUpdate(context: WorkflowContext, input: UpdateInput): Promise<void> {
  await runRemovals(context, input);
  await runChanges(context, input);
}

async function run(specs: Readonly<Record<string, NodeSpec>>, input: Partial<UpdateInput>, behaviour?: Behaviour) {
  const world = new World(topologyOf(specs));
  const simulation = new Simulation(world, behaviour ? { behaviour } : {});
  const error = await simulation.execute(async (context) => {
    await runUpdate(context, { ...nothing, ...input });
    return undefined;
  });
  return { world, error, simulation };
}

const running = (operations: readonly string[] = [], relationships: NodeSpec['relationships'] = []): NodeSpec => ({
  state: 'started',
  operations: ['create', 'delete', ...operations],
  relationships,
});

const drifting =
  (...ids: string[]): Behaviour =>
  (call) =>
    call.operation.endsWith('check_drift') && ids.includes(call.instanceId)
      ? succeedWith({ changed: true })
      : undefined;

describe('update of a deployment', () => {
  it('unlinks, uninstalls, reinstalls, installs and establishes in this order', async () => {
    const specs: Readonly<Record<string, NodeSpec>> = {
      old: running(),
      fresh: { operations: ['create'] },
      changed: running(),
      source: running(
        [],
        [
          { target: 'old', source: ['unlink'] },
          { target: 'fresh', source: ['establish'] },
        ],
      ),
    };
    const { world, error, simulation } = await run(specs, {
      added: { instanceIds: ['fresh'], relatedIds: [] },
      removed: { instanceIds: ['old'], relatedIds: [] },
      extended: { instanceIds: ['source'], relatedIds: ['fresh'], relationships: [between('source', 'fresh')] },
      reduced: { instanceIds: ['source'], relatedIds: ['old'], relationships: [between('source', 'old')] },
      changedNodeIds: new Set(['changed']),
    });
    expect(error).to.equal(undefined);
    expect(world.operations()).to.deep.equal([
      'source.unlink',
      'old.delete',
      'changed.delete',
      'changed.create',
      'fresh.create',
      'source.establish',
    ]);
    expect(simulation.graphNames.filter((name) => !name.includes('check'))).to.deep.equal([
      'unlink-uninstall',
      'uninstall',
      'reinstall-uninstall',
      'reinstall-install',
      'install',
      'establish-install',
    ]);
  });

  it('leaves out the operations of parts that are skipped', async () => {
    const specs = { old: running(), fresh: { operations: ['create'] } };
    const { world } = await run(specs, {
      added: { instanceIds: ['fresh'], relatedIds: [] },
      removed: { instanceIds: ['old'], relatedIds: [] },
      skipsInstall: true,
      skipsUninstall: true,
    });
    expect(world.operations()).to.deep.equal([]);
  });

  it('updates a changed instance that has an update operation, without reinstalling it', async () => {
    const { world, error } = await run(
      { a: running(['preupdate', 'update', 'update_apply']) },
      { changedNodeIds: new Set(['a']) },
    );
    expect(error).to.equal(undefined);
    expect(world.operations()).to.deep.equal(['a.preupdate', 'a.update', 'a.update_apply']);
    expect(world.trace).to.include('a: Node instance updated');
    expect(world.instance('a').systemProperties).not.to.have.property('configuration_drift');
  });

  it('leaves a changed instance alone whose own check finds no drift', async () => {
    const { world } = await run({ a: running(['check_drift', 'update']) }, { changedNodeIds: new Set(['a']) });
    expect(world.operations()).to.deep.equal(['a.check_drift']);
  });

  it('reinstalls a drifted instance that cannot be updated, with what it contains', async () => {
    const specs = {
      host: running(['check_drift']),
      web: running([], [{ target: 'host', type: 'cloudify.relationships.contained_in' }]),
    };
    const { world } = await run(specs, {}, drifting('host'));
    expect(world.operations()).to.deep.equal([
      'host.check_drift',
      'web.delete',
      'host.delete',
      'host.create',
      'web.create',
    ]);
  });

  it('runs the update operations of drifted relationships only', async () => {
    const specs = {
      b: running(),
      a: running(['update'], [{ target: 'b', source: ['check_drift', 'update'], targetOperations: ['update'] }]),
    };
    const { world } = await run(specs, {}, drifting('a'));
    expect(world.operations()).to.deep.equal(['a.check_drift', 'a.update']);
    expect(world.operationStarts[1]?.call.related?.instanceId).to.equal('b');
  });

  it('reinstalls where the drift check or the update fails', async () => {
    const failing: Behaviour = (call) =>
      /\.(check_drift|update)$/.test(call.operation) && call.instanceId !== 'ok' ? failFinally() : undefined;
    const specs = {
      checked: running(['check_drift', 'update']),
      updated: running(['update']),
      ok: running(['update']),
    };
    const { world, error } = await run(specs, { changedNodeIds: new Set(['updated', 'ok']) }, failing);
    expect(error).to.equal(undefined);
    expect(
      world
        .operations()
        .filter((name) => name.endsWith('create'))
        .sort(),
    ).to.deep.equal(['checked.create', 'updated.create']);
    expect(world.instance('updated').systemProperties).not.to.have.property('update_failed');
  });

  it('heals an instance before it is updated, and reinstalls it when that is not possible', async () => {
    const ill: Behaviour = (call) =>
      call.operation.endsWith('check_status') || (call.operation.endsWith('.heal') && call.instanceId === 'b')
        ? failFinally()
        : undefined;
    const specs = {
      a: running(['check_status', 'heal', 'update']),
      b: running(['check_status', 'heal', 'update']),
      c: running(['check_status', 'update']),
    };
    const { world } = await run(specs, { changedNodeIds: new Set(['a', 'b', 'c']) }, ill);
    expect(world.operations().filter((name) => name.endsWith('update'))).to.deep.equal(['a.update']);
    expect(
      world
        .operations()
        .filter((name) => name.endsWith('create'))
        .sort(),
    ).to.deep.equal(['b.create', 'c.create']);
  });

  it('reinstalls only the instances asked for when reinstalling is skipped', async () => {
    const specs = { asked: running(), changed: running() };
    const { world } = await run(specs, {
      changedNodeIds: new Set(['changed']),
      reinstallIds: ['asked'],
      skipsReinstall: true,
    });
    expect(world.operations()).to.deep.equal(['asked.delete', 'asked.create']);
  });

  it('reinstalls instead of updating when forced', async () => {
    const { world } = await run({ a: running(['update']) }, { changedNodeIds: new Set(['a']), forcesReinstall: true });
    expect(world.operations()).to.deep.equal(['a.delete', 'a.create']);
  });

  it('does not touch instances that were not started', async () => {
    const specs = { a: { ...running(['update']), state: 'stopped' } };
    const { world } = await run(specs, { changedNodeIds: new Set(['a']), reinstallIds: ['a'] });
    expect(world.operations()).to.deep.equal([]);
  });
});

describe('an update whose process died', () => {
  const specs: Readonly<Record<string, NodeSpec>> = {
    old: running(),
    fresh: { operations: ['create'] },
    plain: running(),
    smooth: running(['update']),
    source: running(
      [],
      [
        { target: 'old', source: ['unlink'] },
        { target: 'fresh', source: ['establish'] },
      ],
    ),
  };
  const failing: Behaviour = (call) => (call.operation.endsWith('.update') ? failFinally() : undefined);

  /** Runs to the end with a kill at every `crashAt`-th commit; choices and store outlive it. */
  async function runWithCrashes(crashAt: number | undefined): Promise<{ world: World; crashes: number }> {
    const world = new World(topologyOf(specs));
    const kept = new Map<string, readonly string[]>();
    const input: UpdateInput = {
      ...nothing,
      added: { instanceIds: ['fresh'], relatedIds: [] },
      removed: { instanceIds: ['old'], relatedIds: [] },
      extended: { instanceIds: ['source'], relatedIds: ['fresh'], relationships: [between('source', 'fresh')] },
      reduced: { instanceIds: ['source'], relatedIds: ['old'], relationships: [between('source', 'old')] },
      changedNodeIds: new Set(['plain', 'smooth']),
      decisions: {
        once: async (name, choose) => {
          const choice = kept.get(name) ?? [...choose()];
          kept.set(name, choice);
          return choice;
        },
      },
    };
    for (let crashes = 0; ; crashes += 1) {
      const isLast = crashAt === undefined || crashes > 0;
      const options = { behaviour: failing, isResume: crashes > 0, ...(isLast ? {} : { crashAt }) };
      const simulation = new Simulation(world, options);
      try {
        const error = await simulation.execute(async (context) => {
          await runUpdate(context, input);
          return undefined;
        });
        expect(error).to.equal(undefined);
        return { world, crashes };
      } catch (error) {
        expect(error).to.be.instanceOf(Crash);
      }
    }
  }

  it('continues with the same decisions, wherever it was', async () => {
    const whole = await runWithCrashes(undefined);
    const expected = [...whole.world.operations()].sort();
    let crashes = 0;
    for (let crashAt = 1; crashAt < 60; crashAt += 1) {
      const broken = await runWithCrashes(crashAt);
      crashes += broken.crashes;
      expect([...broken.world.operations()].sort(), `killed at commit ${crashAt}`).to.deep.equal(expected);
      expect(broken.world.states(), `killed at commit ${crashAt}`).to.deep.equal(whole.world.states());
    }
    expect(crashes).to.be.greaterThan(10);
  });
});
