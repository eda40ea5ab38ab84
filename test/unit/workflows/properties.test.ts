import { expect } from 'chai';
import fc from 'fast-check';
import type { WorkflowFunction } from '../../../src/workflows/context.ts';
import { WorkflowFailed } from '../../../src/workflows/errors.ts';
import { install } from '../../../src/workflows/install.ts';
import { uninstall } from '../../../src/workflows/uninstall.ts';
import { Crash, failFinally, failForNow, Simulation, World } from './simulation.ts';
import type { Behaviour, SimulationOptions } from './simulation.ts';
import { topologyOf } from './topology-kit.ts';
import type { MutableTopology, NodeSpec } from './topology-kit.ts';

const lifecycle = ['precreate', 'create', 'configure', 'start', 'poststart', 'prestop', 'stop', 'delete', 'postdelete'];

interface NodeShape {
  operations: string[];
  instances: number;
  relationships: { target: number; isContained: boolean; hasOperations: boolean; operation: string | undefined }[];
}

const nodeShape: fc.Arbitrary<NodeShape> = fc.record({
  operations: fc.subarray(lifecycle),
  instances: fc.integer({ min: 1, max: 3 }),
  relationships: fc.array(
    fc.record({
      target: fc.nat(),
      isContained: fc.boolean(),
      hasOperations: fc.boolean(),
      operation: fc.constantFrom(undefined, undefined, 'create', 'start'),
    }),
    { maxLength: 3 },
  ),
});

/** Node i may only have relationships to nodes before it, so there are no cycles. */
const shapes = fc.array(nodeShape, { minLength: 1, maxLength: 6 });

function topologyFrom(nodes: readonly NodeShape[], state = 'uninitialized'): MutableTopology {
  const specs: Record<string, NodeSpec> = {};
  nodes.forEach((node, index) => {
    specs[`n${index}`] = {
      state,
      operations: node.operations,
      instances: node.instances,
      relationships:
        index === 0
          ? []
          : node.relationships.map(({ target, isContained, hasOperations, operation }) => ({
              target: `n${target % index}`,
              type: isContained ? 'cloudify.relationships.contained_in' : 'cloudify.relationships.connected_to',
              properties: operation === undefined ? {} : { operation },
              ...(hasOperations
                ? { source: ['preconfigure', 'establish', 'unlink'], targetOperations: ['establish', 'unlink'] }
                : {}),
            })),
    };
  });
  return topologyOf(specs);
}

type Fate = 'fine' | 'fails' | 'recovers' | 'gives up';

/** The same operation of the same instance always has the same fate. */
function behaviourOf(fates: readonly Fate[]): Behaviour {
  const keys = new Map<string, Fate>();
  return (call, attempt) => {
    const key = `${call.instanceId}.${call.operation}.${call.related?.instanceId ?? ''}`;
    const fate = keys.get(key) ?? fates[hash(key) % fates.length] ?? 'fine';
    keys.set(key, fate);
    if (fate === 'fails') {
      return failFinally(key);
    }
    if (fate === 'gives up' || (fate === 'recovers' && attempt === 0)) {
      return failForNow(key);
    }
    return undefined;
  };
}

function hash(text: string): number {
  return [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 1_000_003, 7);
}

const fates: fc.Arbitrary<Fate[]> = fc.array(
  fc.constantFrom<Fate>('fine', 'fine', 'fine', 'fine', 'fails', 'recovers', 'gives up'),
  { minLength: 1, maxLength: 40 },
);

async function runToEnd(
  world: World,
  workflow: WorkflowFunction,
  options: SimulationOptions,
): Promise<Error | undefined> {
  return new Simulation(world, options).execute(workflow);
}

describe('random deployments', () => {
  it('install every instance, each operation once, targets before sources', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.array(fc.nat(), { minLength: 1 }), async (nodes, picks) => {
        const world = new World(topologyFrom(nodes));
        let pick = 0;
        const error = await runToEnd(world, install, {
          pick: (count) => (picks[(pick += 1) % picks.length] ?? 0) % count,
        });
        expect(error).to.equal(undefined);
        expect(new Set(Object.values(world.states()))).to.deep.equal(new Set(['started']));
        const keys = world.operationStarts.map(
          ({ call }) => `${call.instanceId} ${call.operation} ${call.related?.instanceId ?? ''}`,
        );
        const relationshipOperations = keys.filter((key) => key.includes('relationship'));
        const own = keys.filter((key) => !key.includes('relationship'));
        expect(new Set(own).size).to.equal(own.length);
        for (const key of new Set(relationshipOperations)) {
          const [source, , target] = key.split(' ') as [string, string, string];
          const between = (from: string, to: string): number =>
            world.instance(from).relationships.filter(({ targetId }) => targetId === to).length;
          const bound = Math.max(between(source, target), between(target, source));
          expect(relationshipOperations.filter((each) => each === key).length).to.be.at.most(bound);
        }
        expectOrder(world);
      }),
      { numRuns: 80 },
    );
  });

  it('always come to an end, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fates,
        fc.nat({ max: 2 }),
        fc.boolean(),
        fc.constantFrom(0, 5, 600),
        async (nodes, chosen, subgraphRetries, isInstall, waitAfterFail) => {
          const world = new World(topologyFrom(nodes, isInstall ? 'uninitialized' : 'started'));
          const error = await runToEnd(world, isInstall ? install : uninstall, {
            behaviour: behaviourOf(chosen),
            subgraphRetries,
            taskRetries: 1,
            waitAfterFail,
          });
          if (error) {
            expect(error).to.be.instanceOf(WorkflowFailed);
            expect(error.message).to.match(/^Task failed: |operation errors:/);
          }
        },
      ),
      { numRuns: 120 },
    );
  });

  for (const [name, workflow, state] of [
    ['install', install, 'uninitialized'],
    ['uninstall', uninstall, 'started'],
  ] as const) {
    it(`${name} with the same result when the executor dies at any point, again and again`, async () => {
      await fc.assert(
        fc.asyncProperty(
          shapes,
          fates,
          fc.nat({ max: 1 }),
          fc.boolean(),
          fc.array(fc.record({ isAtSend: fc.boolean(), at: fc.integer({ min: 1, max: 12 }) }), { maxLength: 4 }),
          async (nodes, chosen, subgraphRetries, isFailureIgnored, crashes) => {
            // Operations that only a cleanup runs would shift attempts, so they always work.
            const base = behaviourOf(chosen);
            const behaviour: Behaviour = (call, attempt) =>
              name === 'install' && /\.(prestop|stop|delete|postdelete)$/.test(call.operation)
                ? undefined
                : base(call, attempt);
            const parameters = { ignore_failure: isFailureIgnored };
            const options = { behaviour, subgraphRetries, taskRetries: 1, parameters };
            const calm = new World(topologyFrom(nodes, state));
            const expected = await runToEnd(calm, workflow, options);

            const world = new World(topologyFrom(nodes, state));
            let error: Error | undefined;
            for (const crash of [...crashes, undefined]) {
              try {
                error = await runToEnd(world, workflow, {
                  ...options,
                  isResume: world.graphs.size > 0,
                  ...(crash === undefined ? {} : crash.isAtSend ? { crashAtSend: crash.at } : { crashAt: crash.at }),
                });
                break;
              } catch (thrown) {
                expect(thrown).to.be.instanceOf(Crash);
              }
            }
            expect(world.states()).to.deep.equal(calm.states());
            expect(error === undefined).to.equal(expected === undefined);
          },
        ),
        { numRuns: 120 },
      );
    });
  }
});

/** A source does nothing of its own before its targets are started, or beyond the operation it waits for. */
function expectOrder(world: World): void {
  const startedAt = new Map<string, number>();
  const firstOperation = new Map<string, number>();
  world.trace.forEach((entry, position) => {
    const [id, sign, what] = entry.split(' ') as [string, string, string];
    if (sign === '=' && what === 'started') {
      startedAt.set(id, position);
    }
    if (sign === '>' && lifecycle.includes(what) && !firstOperation.has(id)) {
      firstOperation.set(id, position);
    }
  });
  for (const instance of world.topology.instances.values()) {
    const definitions = world.topology.nodes.get(instance.nodeId)?.relationships ?? [];
    const isPlain = definitions.every(({ properties }) => properties['operation'] === undefined);
    const first = firstOperation.get(instance.id);
    if (isPlain && first !== undefined) {
      for (const { targetId } of instance.relationships) {
        expect(startedAt.get(targetId), `${instance.id} -> ${targetId}`).to.be.lessThan(first);
      }
    }
  }
}
