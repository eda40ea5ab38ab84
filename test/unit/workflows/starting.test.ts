import { expect } from 'chai';
import type { Json, JsonObject, PropertySchema } from '../../../src/domain/plan.ts';
import { isWorkflowAvailable } from '../../../src/workflows/availability.ts';
import { mergeWorkflowParameters } from '../../../src/workflows/declared-parameters.ts';

function merge(declared: Record<string, PropertySchema>, given: JsonObject, allowCustom = false): JsonObject {
  return mergeWorkflowParameters('w', { parameters: declared }, given, { allowCustom });
}

describe('parameters of a workflow', () => {
  it('takes defaults for what is not given', () => {
    expect(merge({ a: { default: 1 }, b: { default: null }, c: { required: false } }, { a: 2 })).to.deep.equal({
      a: 2,
      b: null,
    });
  });

  const conversions: [string, Json, Json][] = [
    ['integer', '12', 12],
    ['integer', 12, 12],
    ['float', '1.5', 1.5],
    ['boolean', 'True', true],
    ['boolean', false, false],
    ['string', 'x', 'x'],
    ['list', [1], [1]],
    ['dict', { a: 1 }, { a: 1 }],
    ['integer', null, null],
    ['integer', { get_input: 'x' }, { get_input: 'x' }],
    ['my.type', 'anything', 'anything'],
  ];
  for (const [type, given, expected] of conversions) {
    it(`reads ${JSON.stringify(given)} as ${type}`, () => {
      expect(merge({ p: { type } }, { p: given })).to.deep.equal({ p: expected });
    });
  }

  const refusals: [Record<string, PropertySchema>, JsonObject, RegExp][] = [
    [{}, { bad: 1 }, /does not have the following parameters declared: bad\. Remove these parameters/],
    [{ a: {} }, {}, /must be provided with the following parameters to execute: a/],
    [{ a: { type: 'integer' } }, { a: 'x' }, /^Parameter "a" must be of type integer$/],
    [{ a: { type: 'integer' } }, { a: 1.5 }, /must be of type integer/],
    [{ a: { type: 'string' } }, { a: 1 }, /must be of type string/],
    [{ a: { type: 'list', item_type: 'integer' } }, { a: ['x'] }, /must be of type list of integers/],
    [
      { a: { type: 'integer', constraints: [{ in_range: [1, 5] }] } },
      { a: 9 },
      /^Parameter "a" does not meet its constraints/,
    ],
    [{ a: { constraints: [{ valid_values: ['x', 'y'] }] } }, { a: 'z' }, /does not meet its constraints/],
    [{ a: { type: 'integer' }, b: { type: 'boolean' } }, { a: 'x', b: 'y' }, /"a".*\n.*"b"/],
  ];
  for (const [declared, given, message] of refusals) {
    it(`refuses ${JSON.stringify(given)} for ${JSON.stringify(declared)}`, () => {
      expect(() => merge(declared, given)).to.throw(message);
    });
  }

  it('takes custom parameters where they are allowed', () => {
    expect(merge({ a: { default: 1 } }, { extra: 'x' }, true)).to.deep.equal({ a: 1, extra: 'x' });
  });
});

describe('whether a workflow can be started', () => {
  const cases: [JsonObject | null, string[], boolean][] = [
    [null, [], true],
    [{}, ['started'], true],
    [{ available: false }, [], false],
    [{ node_instances_active: ['all'] }, ['started'], true],
    [{ node_instances_active: ['all'] }, ['started', 'deleted'], false],
    [{ node_instances_active: ['partial'] }, ['started', 'deleted'], true],
    [{ node_instances_active: ['partial'] }, ['uninitialized', 'deleted'], false],
    [{ node_instances_active: ['none'] }, ['uninitialized'], true],
    [{ node_instances_active: ['none', 'all'] }, ['started'], true],
    [{ node_instances_active: ['none'] }, ['started', 'stopped'], false],
    [{ node_types_required: ['t.a'] }, [], true],
    [{ node_types_required: ['t.b'] }, [], false],
    [{ node_types_required: ['t.b', 't.a'], available: null }, [], true],
  ];
  for (const [rules, instanceStates, expected] of cases) {
    it(`${JSON.stringify(rules)} with instances ${instanceStates.join(', ') || 'none'}: ${expected}`, () => {
      const now = { instanceStates, types: new Set(['t.a']) };
      expect(isWorkflowAvailable({ availability_rules: rules }, now)).to.equal(expected);
    });
  }
});
