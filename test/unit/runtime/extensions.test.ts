import { expect } from 'chai';
import fc from 'fast-check';
import { complaintsOf } from '../../../src/runtime/extensions/component-checks.ts';
import type { ManagedDeployment } from '../../../src/runtime/extensions/manager.ts';
import { labelsOf } from '../../../src/runtime/extensions/operation.ts';
import { checkRule, makePassword } from '../../../src/runtime/extensions/password-secret.ts';

const classes = { uppercase: /[A-Z]/g, lowercase: /[a-z]/g, digits: /[0-9]/g, symbols: /[^A-Za-z0-9]/g };
type ClassName = keyof typeof classes;
const classNames = Object.keys(classes) as ClassName[];

describe('generated passwords', () => {
  const fewest = fc.record({
    uppercase: fc.integer({ min: -1, max: 5 }),
    lowercase: fc.integer({ min: -1, max: 5 }),
    digits: fc.integer({ min: -1, max: 5 }),
    symbols: fc.integer({ min: -1, max: 5 }),
  });

  it('have the length and the characters that were asked for', () => {
    fc.assert(
      fc.property(fewest, fc.integer({ min: 20, max: 40 }), (numbers, length) => {
        fc.pre(Object.values(numbers).some((number) => number >= 0));
        const password = makePassword({ length, fewest: numbers });
        expect(password).to.have.length(length);
        for (const name of classNames) {
          const found = password.match(classes[name])?.length ?? 0;
          if (numbers[name] === -1) {
            expect(found, name).to.equal(0);
          } else {
            expect(found, name).to.be.at.least(numbers[name]);
          }
        }
      }),
    );
  });

  const none = { uppercase: -1, lowercase: -1, digits: -1, symbols: -1 };
  const refusals: [string, Parameters<typeof checkRule>[0], RegExp][] = [
    ['no characters at all', { length: 8, fewest: none }, /not all of/],
    ['more characters than fit', { length: 3, fewest: { ...none, digits: 2, symbols: 2 } }, /at least 4/],
    ['an odd number', { length: 3, fewest: { ...none, digits: -2 } }, /property digits/],
    ['nothing', { length: 0, fewest: { ...none, digits: 0 } }, /length is 0/],
  ];
  for (const [what, rule, text] of refusals) {
    it(`refuse ${what}`, () => {
      expect(() => checkRule(rule)).to.throw(text);
    });
  }
});

describe('the deployment of a component', () => {
  const good: ManagedDeployment = {
    id: 'd',
    blueprintId: 'b',
    inputs: {},
    labels: [],
    installationStatus: 'active',
    deploymentStatus: 'good',
    unavailableInstances: 0,
    driftedInstances: 0,
    createExecutionId: undefined,
    latestExecution: undefined,
  };
  const failed = { id: 'e', workflowId: 'heal', status: 'failed' as const, error: 'x' };
  const cases: [string, Partial<ManagedDeployment>, boolean, number][] = [
    ['well', {}, true, 0],
    ['not installed', { installationStatus: 'inactive' }, true, 1],
    ['in need of attention', { deploymentStatus: 'requires_attention' }, true, 1],
    ['failed at last', { latestExecution: failed }, true, 1],
    ['partly unavailable', { unavailableInstances: 2 }, true, 1],
    ['drifted', { driftedInstances: 1 }, true, 1],
    ['drifted, where that does not count', { driftedInstances: 1 }, false, 0],
  ];
  for (const [what, change, isDriftCounted, count] of cases) {
    it(`is ${what}`, () => {
      expect(complaintsOf({ ...good, ...change }, isDriftCounted)).to.have.length(count);
    });
  }

  it('has labels of one entry each', () => {
    expect(labelsOf([{ a: 'b' }])).to.deep.equal([{ a: 'b' }]);
    expect(labelsOf(null)).to.deep.equal([]);
    expect(() => labelsOf([{ a: 'b', c: 'd' }])).to.throw('one entry');
    expect(() => labelsOf('a')).to.throw('one entry');
  });
});
