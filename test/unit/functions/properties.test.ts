import { expect } from 'chai';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import { DslError } from '../../../src/dsl/errors.ts';
import { evaluateFunctions } from '../../../src/dsl/functions/index.ts';
import { planNode, planOf, prepare } from '../prepare/plan-kit.ts';
import { node, storageOf } from './evaluation-kit.ts';

const NAMES = ['a', 'b', 'c', 'd'];

/** Values made of data and functions that refer to properties and inputs at will, in circles too. */
const { value: values } = fc.letrec<{ value: Json }>((tie) => {
  const inner = fc.array(tie('value'), { maxLength: 3 });
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<Json>('text', 1, true, null),
      fc
        .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES))
        .map(([owner, name]): Json => ({ get_property: [owner, name] })),
      fc.constantFrom(...NAMES).map((name): Json => ({ get_input: name })),
      inner.map((items): Json => ({ concat: items })),
      inner.map((items): Json => items),
      fc
        .dictionary(fc.constantFrom('x', 'y', '__proto__'), tie('value'), { maxKeys: 2 })
        .map((mapping): Json => mapping as JsonObject),
      tie('value').map((item): Json => ({ merge: [{ k: item }, { l: 1 }] })),
    ),
  };
});

const bags = fc.record({ a: values, b: values, c: values, d: values });
const deployments = fc.record({ inputs: bags, a: bags, b: bags, c: bags, d: bags });

type Settled = { value: unknown } | { error: string };

async function settle(work: () => Promise<unknown>): Promise<Settled> {
  try {
    return { value: await work() };
  } catch (error) {
    expect(error).to.be.instanceOf(DslError);
    return { error: (error as DslError).className };
  }
}

describe('any evaluation', () => {
  it('ends, with a value or a clear error, and leaves what it was given alone', async () => {
    await fc.assert(
      fc.asyncProperty(deployments, async ({ inputs, ...properties }) => {
        const nodes = NAMES.map((name) => node(name, properties[name as 'a']));
        const payload: JsonObject = Object.fromEntries(NAMES.map((name) => [name, { get_property: [name, 'a'] }]));
        const before = structuredClone({ inputs, properties });
        await settle(() => evaluateFunctions(payload, {}, storageOf({ inputs, nodes })));
        expect({ inputs, properties }).to.deep.equal(before);
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same before a deployment exists and after', async () => {
    await fc.assert(
      fc.asyncProperty(deployments, async ({ inputs, ...properties }) => {
        const nodes = NAMES.map((name) => node(name, properties[name as 'a']));
        const declared = Object.fromEntries(NAMES.map((name) => [name, {}]));
        const plan = planOf({
          inputs: declared,
          nodes: NAMES.map((name) => planNode(name, { properties: properties[name as 'a'] })),
        });
        const early = await settle(async () =>
          (await prepare(plan, { inputs })).nodes.map((prepared) => prepared.properties),
        );
        const late = await settle(async () => {
          const payload = Object.fromEntries(NAMES.map((name) => [name, properties[name as 'a']]));
          return Object.values(await evaluateFunctions(payload, {}, storageOf({ inputs, nodes })));
        });
        // One level more of the payload, and a property that is only itself, are told apart by the two.
        if ('value' in early && 'value' in late) {
          expect(JSON.stringify(early.value)).to.equal(JSON.stringify(late.value));
        } else if ('error' in early) {
          expect(late).to.have.property('error');
        }
      }),
      { numRuns: 300 },
    );
  });
});
