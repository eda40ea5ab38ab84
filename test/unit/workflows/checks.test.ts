import { expect } from 'chai';
import { checkDrift } from '../../../src/workflows/check-drift.ts';
import { checkStatus } from '../../../src/workflows/check-status.ts';
import { askForRetry, failFinally, failForNow, Simulation, succeedWith, World } from './simulation.ts';
import type { Behaviour } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { NodeSpec } from './topology-kit.ts';

const failing =
  (...ids: string[]): Behaviour =>
  (call) =>
    ids.includes(call.instanceId) ? failForNow('down') : succeedWith('fine');

describe('check_status', () => {
  const specs: Readonly<Record<string, NodeSpec>> = {
    a: { operations: ['check_status'] },
    b: { operations: ['check_status'], relationships: ['a'] },
    c: {},
  };

  it('attempts each check once, notes every result and fails if a check failed', async () => {
    const world = new World(topologyOf(specs));
    const error = await new Simulation(world, { taskRetries: 9, behaviour: failing('a') }).execute(checkStatus);
    expect(world.operations()).to.deep.equal(['a.check_status', 'b.check_status']);
    expect(error?.message).to.contain('RecoverableError `down`');
    expect(world.instance('a').systemProperties).to.deep.equal({
      previous_status: null,
      status: { ok: false, timestamp: '1970-01-01T00:00:00.000', task: 'test.check_status', result: 'down' },
    });
    expect(world.instance('b').systemProperties['status']).to.deep.include({ ok: true, result: 'fine' });
    expect(world.instance('c').systemProperties).to.deep.equal({});
  });

  it('keeps the status before as the previous one', async () => {
    const world = new World(topologyOf({ a: { operations: ['check_status'] } }));
    await new Simulation(world, { behaviour: failing('a') }).execute(checkStatus);
    await new Simulation(world, { behaviour: failing() }).execute(checkStatus);
    world.graphs.clear();
    await new Simulation(world, { behaviour: failing() }).execute(checkStatus);
    expect(world.instance('a').systemProperties['previous_status']).to.deep.include({ ok: false, result: 'down' });
  });

  it('does not run checks behind a failed one when it follows dependencies', async () => {
    const world = new World(topologyOf(specs));
    const parameters = { run_by_dependency_order: true };
    await new Simulation(world, { parameters, behaviour: failing('a') }).execute(checkStatus);
    expect(world.operations()).to.deep.equal(['a.check_status']);
  });

  it('honours a retry the check asks for only as far as the operation itself allows', async () => {
    const world = new World(
      topologyOf({
        a: { operations: { check_status: { max_retries: 1 } } },
        b: { operations: ['check_status'] },
      }),
    );
    await new Simulation(world, { taskRetries: 9, behaviour: () => askForRetry() }).execute(checkStatus);
    expect(world.operations().sort()).to.deep.equal(['a.check_status', 'a.check_status', 'b.check_status']);
  });
});

describe('check_drift', () => {
  const specs: Readonly<Record<string, NodeSpec>> = {
    a: { operations: ['check_drift'] },
    b: {
      operations: ['check_drift'],
      relationships: [{ target: 'a', source: ['check_drift'], targetOperations: ['check_drift'] }],
    },
  };
  const names = (world: World): string[] =>
    world.operationStarts.map(({ call }) => `${call.instanceId} ${call.related?.instanceId ?? ''}`.trim());

  it('checks targets first, an instance before its relationships, and notes each result where it belongs', async () => {
    const world = new World(topologyOf(specs));
    const behaviour: Behaviour = (call) => succeedWith(call.related ? { end: call.instanceId } : null);
    expect(await new Simulation(world, { behaviour }).execute(checkDrift)).to.equal(undefined);
    expect(names(world)).to.deep.equal(['a', 'b', 'b a', 'a b']);
    expect(world.instance('b').systemProperties['configuration_drift']).to.deep.include({ ok: true, result: null });
    expect(world.instance('b').systemProperties['source_relationships_configuration_drift']).to.have.nested.property(
      'a.result.end',
      'b',
    );
    expect(world.instance('a').systemProperties['target_relationships_configuration_drift']).to.have.nested.property(
      'b.result.end',
      'a',
    );
  });

  it('does not check the relationships of an instance whose own check failed', async () => {
    const world = new World(topologyOf(specs));
    const behaviour: Behaviour = (call) => (call.instanceId === 'b' ? failFinally('cannot tell') : undefined);
    const error = await new Simulation(world, { behaviour }).execute(checkDrift);
    expect(names(world)).to.deep.equal(['a', 'b']);
    expect(error?.message).to.contain('cannot tell');
    expect(world.instance('b').systemProperties['configuration_drift']).to.deep.include({
      ok: false,
      result: 'cannot tell',
    });
  });
});
