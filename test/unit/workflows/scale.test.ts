import { expect } from 'chai';
import type { Modification, ModificationRequest, WorkflowContext } from '../../../src/workflows/context.ts';
import { scale, scaleNode } from '../../../src/workflows/scale.ts';
import { Crash, failFinally, resetForResume, Simulation, World } from './simulation.ts';
import type { Behaviour, SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';

const operations = ['create', 'start', 'stop', 'delete'];

/** `app` instances are targets of `client`; scaling `app` extends or reduces the relationships of `client`. */
function makeWorld(instances = 2): World {
  return new World(
    topologyOf({
      app: { instances, operations, state: 'started' },
      client: {
        state: 'started',
        relationships: [{ target: 'app', source: ['establish', 'unlink'] }],
      },
    }),
  );
}

type Kept = Modification & { before: World['topology']; planned: number; nodeId: string };

/** Modifications as a manager keeps them, for one node whose instances `client` is connected to. */
class FakeModifications {
  readonly world: World;
  readonly requests: ModificationRequest[] = [];
  readonly ended: string[] = [];
  started: Kept[] = [];

  constructor(world: World) {
    this.world = world;
  }

  get api(): WorkflowContext['modifications'] {
    return {
      listStarted: async () => this.started,
      start: async (request) => this.#start(request),
      finish: async (id) => this.#end(id, 'finished'),
      rollback: async (id) => this.#end(id, 'rolledback'),
    };
  }

  #start(request: ModificationRequest): Modification {
    this.requests.push(request);
    const [nodeId, { instances, removedIdsIncludeHint }] = Object.entries(request)[0] as [
      string,
      ModificationRequest[string],
    ];
    const { topology } = this.world;
    const present = [...topology.instances.values()].filter((instance) => instance.nodeId === nodeId);
    const before = structuredClone(topology);
    const addedIds: string[] = [];
    for (let index = present.length; index < instances; index += 1) {
      const id = `${nodeId}_new${index}`;
      addedIds.push(id);
      topology.instances.set(id, {
        ...(present[0] as (typeof present)[0]),
        id,
        state: 'uninitialized',
        index: index + 1,
      });
    }
    const client = this.world.instance('client');
    topology.instances.set('client', {
      ...client,
      relationships: [
        ...client.relationships,
        ...addedIds.map((targetId) => ({ type: 'cloudify.relationships.connected_to', targetName: nodeId, targetId })),
      ],
    });
    const removable = [...removedIdsIncludeHint, ...present.map(({ id }) => id)];
    const removedIds = [...new Set(removable)].slice(0, Math.max(0, present.length - instances));
    const modification: Kept = {
      id: `modification-${this.requests.length}`,
      added: { instanceIds: addedIds, relatedIds: ['client'] },
      removed: { instanceIds: removedIds, relatedIds: ['client'] },
      before,
      planned: instances,
      nodeId,
    };
    this.started.push(modification);
    return modification;
  }

  #end(id: string, how: string): void {
    const modification = this.started.find((each) => each.id === id);
    if (!modification) {
      throw new Error(`${id} has ended`);
    }
    this.started = this.started.filter((each) => each.id !== id);
    this.ended.push(`${id} ${how}`);
    const gone = how === 'finished' ? modification.removed.instanceIds : modification.added.instanceIds;
    gone.forEach((instanceId) => this.world.topology.instances.delete(instanceId));
    const node = this.world.topology.nodes.get(modification.nodeId);
    if (how === 'finished' && node) {
      this.world.topology.nodes.set(node.id, { ...node, numberOfInstances: modification.planned });
    }
  }
}

const failing =
  (pattern: RegExp): Behaviour =>
  (call) =>
    pattern.test(`${call.instanceId}.${call.operation.split('.').at(-1) ?? ''}`) ? failFinally() : undefined;

async function run(options: SimulationOptions, world = makeWorld(), modifications = new FakeModifications(world)) {
  const simulation = new Simulation(world, {
    ...options,
    parameters: { scalable_entity_name: 'app', ...options.parameters },
    modifications: modifications.api,
  });
  const error = await simulation.execute(scale);
  return { world, modifications, error, simulation };
}

describe('scale', () => {
  it('does nothing for a delta of 0', async () => {
    const { modifications, error, world } = await run({ parameters: { delta: 0 } });
    expect(error).to.equal(undefined);
    expect(modifications.requests).to.deep.equal([]);
    expect(world.logs).to.include('info: delta parameter is 0, so no scaling will take place.');
  });

  it('installs added instances and establishes relationships of instances that stay', async () => {
    const { world, modifications, error, simulation } = await run({ parameters: { delta: '1' } });
    expect(error).to.equal(undefined);
    expect(world.operations()).to.deep.equal(['app_new2.create', 'app_new2.start', 'client.establish']);
    expect(world.operationStarts[2]?.call.related?.instanceId).to.equal('app_new2');
    expect(modifications.requests).to.deep.equal([
      { app: { instances: 3, removedIdsIncludeHint: [], removedIdsExcludeHint: [] } },
    ]);
    expect(modifications.ended).to.deep.equal(['modification-1 finished']);
    expect(simulation.graphNames).to.deep.equal(['app_install']);
  });

  it('unlinks relationships of instances that stay, and uninstalls removed instances', async () => {
    const { world, modifications } = await run({ parameters: { delta: -1, include_instances: 'app_1' } });
    expect(world.operations()).to.deep.equal(['client.unlink', 'app_1.stop', 'app_1.delete']);
    expect(modifications.ended).to.deep.equal(['modification-1 finished']);
    expect(Object.keys(world.states())).to.deep.equal(['app_0', 'client']);
  });

  it('changes nothing in a dry run', async () => {
    const { modifications, error } = await run({ isDryRun: true, parameters: { delta: 1 } });
    expect(error).to.equal(undefined);
    expect(modifications.requests).to.deep.equal([]);
  });

  describe('that fails on the way out', () => {
    it('uninstalls everything it has installed, drops it, and fails with the original error', async () => {
      const { world, modifications, error, simulation } = await run({
        parameters: { delta: 2 },
        behaviour: failing(/app_new3\.start/),
      });
      expect(error?.message).to.contain('test.start (app_new3:');
      const undone = [
        'app_new3.stop',
        'client.unlink',
        'client.unlink',
        'app_new2.stop',
        'app_new3.delete',
        'app_new2.delete',
      ];
      expect(world.operations().slice(4)).to.deep.equal(undone);
      expect(modifications.ended).to.deep.equal(['modification-1 rolledback']);
      expect(Object.keys(world.states())).to.deep.equal(['app_0', 'app_1', 'client']);
      expect(simulation.graphNames).to.deep.equal(['app_install', 'app_rollback', 'app_uninstall']);
    });

    it('still fails with the original error when scaling back in fails', async () => {
      const { modifications, error, world } = await run({
        parameters: { delta: 1 },
        behaviour: failing(/app_new2\.(start|stop)/),
      });
      expect(error?.message).to.contain('test.start (app_new2:');
      expect(modifications.ended).to.deep.equal(['modification-1 rolledback']);
      expect(world.logs.some((line) => line.startsWith('error: Scaling back in failed'))).to.equal(true);
    });

    it('keeps its modification without rollback, and a resume completes it', async () => {
      const world = makeWorld();
      const modifications = new FakeModifications(world);
      const parameters = { delta: 1, rollback_if_failed: false };
      const first = await run({ parameters, behaviour: failing(/app_new2\.start/) }, world, modifications);
      expect(first.error?.message).to.contain('test.start (app_new2:');
      expect(modifications.ended).to.deep.equal([]);
      resetForResume(world);
      const second = await run({ parameters, isResume: true }, world, modifications);
      expect(second.error).to.equal(undefined);
      expect(modifications.ended).to.deep.equal(['modification-1 finished']);
      expect(world.operations().filter((name) => name === 'app_new2.create')).to.have.length(1);
    });
  });

  it('keeps its modification when it is cancelled, so that it can be resumed', async () => {
    const world = makeWorld();
    const modifications = new FakeModifications(world);
    await run({ parameters: { delta: 1 }, cancelAfter: 1 }, world, modifications);
    expect(modifications.started).to.have.length(1);
    const resumed = await run({ parameters: { delta: 1 }, isResume: true }, world, modifications);
    expect(resumed.error).to.equal(undefined);
    expect(world.states()['app_new2']).to.equal('started');
  });

  describe('resumed', () => {
    const resumeAfter = async (first: SimulationOptions, reset = true) => {
      const world = makeWorld();
      const modifications = new FakeModifications(world);
      await run({ parameters: { delta: 1 }, ...first }, world, modifications).catch((error: unknown) => {
        expect(error).to.be.instanceOf(Crash);
      });
      if (reset) {
        resetForResume(world);
      }
      return run({ parameters: { delta: 1 }, isResume: true }, world, modifications);
    };

    it('refuses when there are several modifications', async () => {
      const world = makeWorld();
      const modifications = new FakeModifications(world);
      await modifications.api.start({ app: { instances: 3, removedIdsIncludeHint: [], removedIdsExcludeHint: [] } });
      await modifications.api.start({ app: { instances: 4, removedIdsIncludeHint: [], removedIdsExcludeHint: [] } });
      const { error } = await run({ parameters: { delta: 1 }, isResume: true }, world, modifications);
      expect(error?.message).to.contain('only one started deployment modification, but found 2');
    });

    it('refuses when its modification was rolled back', async () => {
      const { error, modifications } = await resumeAfter({ behaviour: failing(/start/) });
      expect(error?.message).to.contain('scale cannot be resumed');
      expect(modifications.requests).to.have.length(1);
    });

    it('begins when it had died before its modification', async () => {
      const world = makeWorld();
      const { error, modifications } = await run({ parameters: { delta: 1 }, isResume: true }, world);
      expect(error).to.equal(undefined);
      expect(modifications.ended).to.deep.equal(['modification-1 finished']);
    });

    it('goes on with its modification when it died in the middle', async () => {
      const { error, modifications, world } = await resumeAfter({ crashAt: 3 }, false);
      expect(error).to.equal(undefined);
      expect(modifications.requests).to.have.length(1);
      expect(world.operations()).to.deep.equal(['app_new2.create', 'app_new2.start', 'client.establish']);
    });

    it('succeeds when it died after its modification had been finished', async () => {
      const first = await run({ parameters: { delta: 1 } });
      const { error } = await run({ parameters: { delta: 1 }, isResume: true }, first.world, first.modifications);
      expect(error).to.equal(undefined);
      expect(first.modifications.requests).to.have.length(1);
    });

    it('fails as before when it died after its modification had been rolled back', async () => {
      const { error } = await resumeAfter({ behaviour: failing(/start/) }, false);
      expect(error?.message).to.contain('test.start (app_new2:');
    });
  });

  it('uninstalls and rolls back modifications left over by others when asked', async () => {
    const world = makeWorld();
    const modifications = new FakeModifications(world);
    await run(
      { parameters: { delta: 1, rollback_if_failed: false }, behaviour: failing(/start/) },
      world,
      modifications,
    );
    world.graphs.clear();
    const { error } = await run({ parameters: { delta: 1, abort_started: true } }, world, modifications);
    expect(error).to.equal(undefined);
    expect(modifications.ended).to.deep.equal(['modification-1 rolledback', 'modification-2 finished']);
    expect(world.operations().slice(2, 5)).to.deep.equal(['client.unlink', 'app_new2.stop', 'app_new2.delete']);
  });

  describe('refuses', () => {
    const cases: readonly [string, SimulationOptions['parameters'], string][] = [
      ['a delta that is no number', { delta: 'many' }, 'The delta parameter must be a number. Got: many'],
      ['an unknown entity', { scalable_entity_name: 'gone' }, 'No scalable entity named gone was found'],
      [
        'less than no instances',
        { delta: -3 },
        'Provided delta: -3 is illegal. current number of instances of entity app is 2',
      ],
      ['included instances on the way out', { delta: 1, include_instances: ['app_0'] }, 'when scaling up'],
      ['unknown included instances', { delta: -1, include_instances: ['x'] }, 'included instances did not exist: x.'],
      ['unknown excluded instances', { delta: -1, exclude_instances: ['y'] }, 'excluded instances did not exist: y.'],
      [
        'instances that are both included and excluded',
        { delta: -1, include_instances: ['app_0'], exclude_instances: ['app_0'] },
        'both excluded and included: app_0.',
      ],
      [
        'too many excluded instances',
        { delta: -1, exclude_instances: ['app_0', 'app_1'] },
        'less than excluded instance count',
      ],
      [
        'chosen instances together with scale_compute',
        { delta: -1, include_instances: ['app_0'], scale_compute: true },
        'while scale_compute is True',
      ],
    ];
    for (const [what, parameters, message] of cases) {
      it(what, async () => {
        const { error, modifications } = await run({ parameters: { delta: 1, ...parameters } });
        expect(error?.message).to.contain(message);
        expect(modifications.requests).to.deep.equal([]);
      });
    }
  });

  it('scales a group by its own number of instances', async () => {
    const world = makeWorld();
    world.topology.scalingGroups.set('group', {
      members: ['app'],
      properties: {
        min_instances: 0,
        max_instances: -1,
        default_instances: 1,
        current_instances: 4,
        planned_instances: 4,
      },
    });
    const modifications = new FakeModifications(world);
    modifications.api.start = async () => Promise.reject(new Error('enough'));
    const requests: ModificationRequest[] = [];
    const api = {
      ...modifications.api,
      start: async (request: ModificationRequest) => {
        requests.push(request);
        return Promise.reject(new Error('enough'));
      },
    };
    await new Simulation(world, {
      parameters: { scalable_entity_name: 'group', delta: -1 },
      modifications: api,
    }).execute(scale);
    expect(requests[0]).to.have.nested.property('group.instances', 3);
  });

  it('scales the host of a node instead of the node when asked, which the old form does by itself', async () => {
    const world = makeWorld();
    const node = world.topology.nodes.get('client');
    world.topology.nodes.set('client', { ...(node as NonNullable<typeof node>), hostId: 'app' });
    const requests: ModificationRequest[] = [];
    const api = {
      start: async (request: ModificationRequest) => {
        requests.push(request);
        return Promise.reject(new Error('enough'));
      },
    };
    const parameters = { scalable_entity_name: 'client', node_id: 'client', delta: 1 };
    await new Simulation(world, { parameters: { ...parameters, scale_compute: true }, modifications: api }).execute(
      scale,
    );
    await new Simulation(world, { parameters, modifications: api }).execute(scaleNode);
    await new Simulation(world, { parameters, modifications: api }).execute(scale);
    expect(requests.map((request) => Object.keys(request)[0])).to.deep.equal(['app', 'app', 'client']);
  });
});
