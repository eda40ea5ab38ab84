import { expect } from 'chai';
import type { WorkflowFunction } from '../../../../src/workflows/context.ts';
import { checkDrift } from '../../../../src/workflows/check-drift.ts';
import { executeOperation } from '../../../../src/workflows/execute-operation.ts';
import { install } from '../../../../src/workflows/install.ts';
import { uninstall } from '../../../../src/workflows/uninstall.ts';
import { failFinally, Simulation, World } from '../simulation.ts';
import type { SimulationOptions } from '../simulation.ts';
import { topologyOf } from '../topology-kit.ts';
import type { NodeSpec } from '../topology-kit.ts';

const containedIn = 'cloudify.relationships.contained_in';

async function run(
  workflow: WorkflowFunction,
  specs: Readonly<Record<string, NodeSpec>>,
  options: SimulationOptions = {},
): Promise<{ world: World; error: Error | undefined }> {
  const world = new World(topologyOf(specs));
  const error = await new Simulation(world, options).execute(workflow);
  return { world, error };
}

/** The state an instance has while an operation of it starts. */
function stateDuring(world: World, instance: string, operation: string, occurrence = 0): string | undefined {
  let state: string | undefined;
  let seen = 0;
  for (const entry of world.trace) {
    if (entry.startsWith(`${instance} = `)) {
      state = entry.slice(`${instance} = `.length);
    } else if (entry === `${instance} > ${operation}` && seen++ === occurrence) {
      return state;
    }
  }
  return undefined;
}

describe('rules of lifecycle workflows', () => {
  describe('install', () => {
    const everything = {
      operations: ['precreate', 'create', 'configure', 'start', 'poststart'],
    };

    it('an instance is creating, configuring and starting while these operations run', async () => {
      const { world } = await run(install, { a: everything });
      const states = ['create', 'configure', 'start'].map((name) => stateDuring(world, 'a', name));
      expect(states).to.deep.equal(['creating', 'configuring', 'starting']);
    });

    it('an instance passes through the states of the operations it has, and through no others', async () => {
      const passed = {
        create: ['creating', 'created'],
        configure: ['configuring', 'configured'],
        start: ['starting'],
      } as const;
      const names = ['create', 'configure', 'start'] as const;
      for (let choice = 1; choice < 8; choice += 1) {
        const operations = names.filter((_, index) => (choice & (1 << index)) !== 0);
        const { world } = await run(install, { a: { operations } });
        const states = world.trace.filter((entry) => entry.startsWith('a = ')).map((entry) => entry.slice(4));
        const expected = operations.flatMap((name) => [...passed[name]]);
        expect(states, operations.join()).to.deep.equal(['initializing', ...expected, 'started']);
      }
    });

    it('an instance is initializing while it is validated and precreated', async () => {
      const { world } = await run(install, {
        a: { operations: ['cloudify.interfaces.validation.create', ...everything.operations] },
      });
      expect([stateDuring(world, 'a', 'create'), stateDuring(world, 'a', 'precreate')]).to.deep.equal([
        'initializing',
        'initializing',
      ]);
      expect(stateDuring(world, 'a', 'create', 1)).to.equal('creating');
    });

    it('an instance is still starting while it is poststarted, monitored and established', async () => {
      const { world } = await run(install, {
        b: { state: 'started' },
        a: {
          operations: ['start', 'poststart', 'cloudify.interfaces.monitoring.start'],
          relationships: [{ target: 'b', source: ['establish'] }],
        },
      });
      const states = [
        stateDuring(world, 'a', 'poststart'),
        stateDuring(world, 'a', 'start', 1),
        stateDuring(world, 'a', 'establish'),
      ];
      expect(states).to.deep.equal(['starting', 'starting', 'starting']);
      expect(world.states()['a']).to.equal('started');
    });

    it('an operation that is not implemented has its "nothing to do" event instead', async () => {
      const { world } = await run(install, { a: { operations: ['precreate'] } });
      const told = world.trace.filter((entry) => entry.endsWith('nothing to do'));
      expect(told).to.deep.equal([
        'a: Validating node instance before creation: nothing to do',
        'a: Creating node instance: nothing to do',
        'a: Configuring node instance: nothing to do',
        'a: Starting node instance: nothing to do',
        'a: Poststarting node instance: nothing to do',
      ]);
    });

    it('the operations of both sides of a relationship may overlap', async () => {
      const { world } = await run(install, {
        b: { state: 'started' },
        a: {
          operations: ['start'],
          relationships: [{ target: 'b', source: ['establish'], targetOperations: ['establish'] }],
        },
      });
      const starts = world.operationStarts.filter(({ call }) => call.operation.endsWith('.establish'));
      expect(starts).to.have.length(2);
      expect(new Set(starts.map(({ at }) => at)).size).to.equal(1);
    });

    it('the error of the execution holds the text of the operation and nothing of the engine', async () => {
      const { error } = await run(
        install,
        { a: { operations: ['create'] } },
        { behaviour: () => failFinally('no disk') },
      );
      expect(error?.message).to.include('no disk').and.to.not.include('src/').and.to.not.include('    at ');
    });
  });

  describe('uninstall', () => {
    const all = (names: readonly string[]): NodeSpec => ({ operations: names, state: 'started' });

    it('what is contained goes before its container', async () => {
      const { world } = await run(uninstall, {
        vm: all(['stop', 'delete']),
        app: { ...all(['stop', 'delete']), relationships: [{ target: 'vm', type: containedIn }] },
      });
      expect(world.operations()).to.deep.equal(['app.stop', 'app.delete', 'vm.stop', 'vm.delete']);
    });

    it('an instance is stopping, stopped and deleting while it is stopped, unlinked and deleted', async () => {
      const { world } = await run(uninstall, {
        b: { state: 'started' },
        a: {
          ...all(['prestop', 'stop', 'delete']),
          relationships: [{ target: 'b', source: ['unlink'] }],
        },
      });
      const states = ['prestop', 'stop', 'unlink', 'delete'].map((name) => stateDuring(world, 'a', name));
      expect(states).to.deep.equal(['stopping', 'stopping', 'stopped', 'deleting']);
    });

    it('instances that are not chosen keep their state', async () => {
      const { world } = await run(
        uninstall,
        { a: all(['stop']), b: { ...all(['stop']), relationships: ['a'] } },
        { parameters: { node_ids: ['a'] } },
      );
      expect(world.states()).to.deep.equal({ a: 'deleted', b: 'started' });
    });
  });

  describe('other workflows', () => {
    it('execute_operation runs everything side by side unless it is to follow dependencies', async () => {
      const { world } = await run(
        executeOperation,
        { a: { operations: ['my.op'] }, b: { operations: ['my.op'], relationships: ['a'] } },
        { parameters: { operation: 'my.op' } },
      );
      expect(world.operationStarts.map(({ at }) => at)).to.deep.equal([0, 0]);
    });

    it('check_drift keeps a result per end of a relationship', async () => {
      const check = 'cloudify.interfaces.relationship_lifecycle';
      const { world } = await run(checkDrift, {
        b: { state: 'started' },
        a: {
          state: 'started',
          operations: ['check_drift'],
          relationships: [
            { target: 'b', source: [`${check}.check_drift`], targetOperations: [`${check}.check_drift`] },
          ],
        },
      });
      const own = world.instance('a').systemProperties;
      expect(own).to.have.nested.property('configuration_drift.ok', true);
      expect(own).to.have.nested.property('source_relationships_configuration_drift.b.ok', true);
      expect(world.instance('b').systemProperties).to.have.nested.property(
        'target_relationships_configuration_drift.a.ok',
        true,
      );
    });
  });
});
