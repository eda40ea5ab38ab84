import { expect } from 'chai';
import type { Json, Plan } from '../../../src/domain/plan.ts';
import type { DslError } from '../../../src/dsl/errors.ts';
import { planRequirements, validatePlanFunctions } from '../../../src/dsl/functions/index.ts';
import { operation, planNode, planOf, planRelationship } from '../prepare/plan-kit.ts';
import { expectRefusal } from './evaluation-kit.ts';

const other = planNode('other', { properties: { p: 1, list: [1, 2], late: { get_input: 'i' } } });

function withProperty(value: Json): Plan {
  return planOf({ inputs: { i: {} }, nodes: [planNode('n', { properties: { own: 1, p: value } }), other] });
}

function withOutput(value: Json): Plan {
  return planOf({ inputs: { i: {} }, nodes: [other], outputs: { o: { value } } });
}

function withRelationshipInput(value: Json): Plan {
  const relationship = planRelationship('other', { source_operations: { op: operation({ x: value }) } });
  return planOf({ inputs: { i: {} }, nodes: [planNode('n', { relationships: [relationship] }), other] });
}

describe('validation of functions in a blueprint', () => {
  const valid: [string, Plan][] = [
    ['an input', withProperty({ get_input: 'i' })],
    ['an input by a function', withProperty({ get_input: [{ get_secret: 'x' }, 'k'] })],
    ['a property', withProperty({ get_property: ['other', 'list', 1] })],
    ['an own property', withProperty({ get_property: ['SELF', 'own'] })],
    ['a property behind a function', withProperty({ get_property: ['other', 'late', 'deep'] })],
    ['a property by a function', withProperty({ get_property: ['other', { get_input: 'i' }] })],
    ['SOURCE in a relationship', withRelationshipInput({ get_attribute: ['SOURCE', 'x'] })],
    ['TARGET in a relationship', withRelationshipInput({ get_property: ['TARGET', 'p'] })],
    ['attributes of SELF', withProperty({ get_attributes_list: ['SELF', 'x'] })],
    ['a secret', withOutput({ get_secret: ['x', 'y'] })],
    ['a capability', withOutput({ get_capability: ['d', 'c', 0] })],
    ['capabilities of a group', withOutput({ get_group_capability: ['g', ['a', 'b']] })],
    ['a capability of the environment', withOutput({ get_environment_capability: ['c', 'k'] })],
    ['a label', withOutput({ get_label: ['k', '1'] })],
    ['a fact about the system', withOutput({ get_sys: ['deployment', 'owner'] })],
    ['consumers', withOutput({ get_consumers: 'count' })],
    ['texts', withOutput({ string_replace: ['a', 'b', { get_input: 'i' }, 1] })],
    ['data that looks like a function', withOutput({ get_weather: 'x' })],
  ];
  for (const [name, plan] of valid) {
    it(`accepts ${name}`, () => {
      validatePlanFunctions(plan);
    });
  }

  const invalid: [Json, string, ('output' | 'relationship')?][] = [
    [{ get_input: 'x' }, 'UnknownInputError'],
    [{ get_input: ['constructor'] }, 'UnknownInputError'],
    [{ get_input: [] }, 'ValueError'],
    [{ get_input: {} }, 'ValueError'],
    [{ get_input: [[1]] }, 'ValueError'],
    [{ get_property: ['other'] }, 'ValueError'],
    [{ get_property: 'other' }, 'ValueError'],
    [{ get_property: ['other', 'x'] }, 'FunctionEvaluationError'],
    [{ get_property: ['other', 'list', 'x'] }, 'FunctionEvaluationError'],
    [{ get_property: ['other', 'list', 7] }, 'FunctionEvaluationError'],
    [{ get_property: ['nobody', 'x'] }, 'KeyError'],
    [{ get_property: ['SELF', 'x'] }, 'ValueError', 'output'],
    [{ get_property: ['SOURCE', 'x'] }, 'ValueError'],
    [{ get_attribute: ['nobody', 'x'] }, 'KeyError'],
    [{ get_attribute: 'x' }, 'ValueError'],
    [{ get_attribute: ['SELF', 'x'] }, 'ValueError', 'output'],
    [{ get_attribute: ['SELF', 'x'] }, 'ValueError', 'relationship'],
    [{ get_attribute: ['TARGET', 'x'] }, 'ValueError'],
    [{ get_attributes_list: ['nobody', 'x'] }, 'KeyError'],
    [{ get_attributes_dict: ['nobody', 'x'] }, 'KeyError'],
    [{ get_attributes_dict: 'x' }, 'ValueError'],
    [{ get_attributes_dict: ['other', [{}]] }, 'ValueError'],
    [{ get_secret: [] }, 'FunctionValidationError'],
    [{ get_secret: ['one'] }, 'FunctionValidationError'],
    [{ get_secret: 1 }, 'FunctionValidationError'],
    [{ concat: 'x' }, 'ValueError'],
    [{ merge: { a: 1 } }, 'ValueError'],
    [{ merge: [1] }, 'FunctionValidationError'],
    [{ get_capability: 'x' }, 'ValueError'],
    [{ get_capability: ['x'] }, 'ValueError'],
    [{ get_capability: [['x'], 'y'] }, 'ValueError'],
    [{ get_group_capability: 1 }, 'ValueError'],
    [{ get_group_capability: ['g'] }, 'ValueError'],
    [{ get_group_capability: ['g', 'c', [1]] }, 'ValueError'],
    [{ get_environment_capability: { get_input: 'i' } }, 'FunctionValidationError'],
    [{ get_environment_capability: ['one'] }, 'FunctionValidationError'],
    [{ get_environment_capability: ['c', {}] }, 'ValueError'],
    [{ get_label: ['k'] }, 'FunctionValidationError'],
    [{ get_label: [['k'], 0] }, 'FunctionValidationError'],
    [{ get_label: ['k', 'x'] }, 'FunctionValidationError'],
    [{ get_label: ['k', { get_input: 'i' }] }, 'FunctionValidationError'],
    [{ get_sys: 'tenant' }, 'ValueError'],
    [{ get_sys: ['moon', 'name'] }, 'UnknownSysEntityError'],
    [{ get_sys: ['tenant', 'id'] }, 'UnknownSysPropertyError'],
    [{ get_consumers: 'all' }, 'ValueError'],
    [{ string_find: ['x'] }, 'FunctionValidationError'],
    [{ string_find: ['x', 1] }, 'FunctionValidationError'],
    [{ string_replace: ['a', 'b'] }, 'FunctionValidationError'],
    [{ string_replace: ['a', 'b', 'c', 'd'] }, 'FunctionValidationError'],
    [{ string_split: 'x' }, 'FunctionValidationError'],
    [{ string_split: ['a', 'b', 'c'] }, 'FunctionValidationError'],
    [{ string_lower: ['x'] }, 'FunctionValidationError'],
    [{ string_upper: { a: 1, b: 2 } }, 'FunctionValidationError'],
    [{ string_upper: { a: 1 } }, 'FunctionValidationError'],
  ];
  for (const [value, className, where] of invalid) {
    it(`refuses ${JSON.stringify(value)} in a ${where ?? 'property'} as ${className}`, async () => {
      const plan =
        where === 'output'
          ? withOutput(value)
          : where === 'relationship'
            ? withRelationshipInput(value)
            : withProperty(value);
      await expectRefusal(() => {
        validatePlanFunctions(plan);
      }, className);
    });
  }

  it('looks into data and arguments, and tells the place', () => {
    try {
      validatePlanFunctions(withProperty([{ deep: { concat: ['x', { get_input: 'nope' }] } }]));
      expect.fail('nothing was refused');
    } catch (error) {
      expect((error as DslError).path).to.equal('nodes.n.properties.p[0].deep.concat[1]');
    }
  });

  for (const [name, minor] of [
    ['concat', 0],
    ['merge', 2],
  ] as const) {
    it(`refuses ${name} in blueprints of version 1_${String(minor)}`, async () => {
      const version = {
        raw: `cloudify_dsl_1_${String(minor)}`,
        definitions_name: 'cloudify_dsl',
        definitions_version: [1, minor],
      };
      await expectRefusal(
        () => {
          validatePlanFunctions({ ...withOutput({ [name]: [] }), version });
        },
        'FunctionValidationError',
        `Using ${name} requires using dsl version 1_${String(minor + 1)}`,
      );
    });
  }

  it('refuses values nested without end', async () => {
    let value: Json = 'x';
    for (let level = 0; level < 3000; level += 1) {
      value = [value];
    }
    await expectRefusal(() => {
      validatePlanFunctions(withOutput(value));
    }, 'EvaluationRecursionLimitReached');
  });
});

describe('requirements of a blueprint', () => {
  it('are secrets and capabilities of the environment as written, wherever they stand', () => {
    const plan = planOf({
      nodes: [
        planNode('n', { properties: { a: { get_secret: 's' }, b: { concat: [{ get_environment_capability: 'c' }] } } }),
      ],
      outputs: {
        o: { value: [{ get_secret: ['s', 'k'] }, { get_environment_capability: ['c', { get_secret: 'inner' }] }] },
      },
    });
    expect(planRequirements(plan)).to.deep.equal({
      secrets: ['s', ['s', 'k'], 'inner'],
      parent_capabilities: [['c'], ['c', { get_secret: 'inner' }]],
    });
  });
});
