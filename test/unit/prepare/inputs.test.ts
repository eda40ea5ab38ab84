import { expect } from 'chai';
import type { Json, JsonObject, PropertySchema } from '../../../src/domain/plan.ts';
import type { PrepareOptions } from '../../../src/dsl/prepare/index.ts';
import { expectRefusal, storageOf } from '../functions/evaluation-kit.ts';
import { planOf, prepare } from './plan-kit.ts';

const DATA_TYPES = {
  size: { properties: { cpus: { type: 'integer', default: 2 }, ram: { type: 'integer', default: 4 } } },
  disk: { properties: { path: { type: 'string' }, size: { type: 'size' } } },
};

type Inputs = Record<string, PropertySchema>;

async function inputsOf(inputs: Inputs, given: JsonObject = {}, options: Partial<PrepareOptions> = {}) {
  const plan = await prepare(planOf({ inputs, data_types: DATA_TYPES }), { inputs: given, ...options });
  return plan.inputs;
}

describe('inputs of a deployment', () => {
  const cases: [string, Inputs, JsonObject, JsonObject][] = [
    ['take the given value', { a: { default: 1 } }, { a: 2 }, { a: 2 }],
    ['take the default', { a: { default: 1 } }, {}, { a: 1 }],
    ['keep a null that is given', { a: { default: 1 } }, { a: null }, { a: null }],
    ['are null when not required', { a: { required: false } }, {}, { a: null }],
    [
      'are null when not required, whatever the constraints',
      { a: { required: false, constraints: [{ length: 3 }] } },
      {},
      { a: null },
    ],
    ['take a null default for none', { a: { default: null, required: false } }, {}, { a: null }],
    ['are built from data types whose fields have defaults', { a: { type: 'size' } }, {}, { a: { cpus: 2, ram: 4 } }],
    [
      'are completed with defaults of data types',
      { a: { type: 'size' } },
      { a: { cpus: 8 } },
      { a: { cpus: 8, ram: 4 } },
    ],
    [
      'are completed at every level',
      { a: { type: 'disk' } },
      { a: { path: '/', size: { ram: 1 } } },
      { a: { path: '/', size: { cpus: 2, ram: 1 } } },
    ],
    ['keep functions unevaluated', { a: { default: { get_secret: 's' } } }, {}, { a: { get_secret: 's' } }],
    [
      'accept functions for any type',
      { a: { type: 'integer' } },
      { a: { get_secret: 's' } },
      { a: { get_secret: 's' } },
    ],
    ['accept text that is not ASCII', { a: {} }, { a: 'größer 😀' }, { a: 'größer 😀' }],
    ['accept whole numbers as floats', { a: { type: 'float' } }, { a: 1 }, { a: 1 }],
    ['accept anything as text', { a: { type: 'string' } }, { a: [1] }, { a: [1] }],
  ];
  for (const [name, inputs, given, expected] of cases) {
    it(name, async () => {
      expect(await inputsOf(inputs, given)).to.deep.equal(expected);
    });
  }

  const refusals: [string, Inputs, JsonObject, string, string][] = [
    [
      'all that are missing',
      { a: {}, b: {}, c: {} },
      { b: 1 },
      'MissingRequiredInputError',
      "Required inputs ['a', 'c'] were not specified - expected inputs: ['a', 'b', 'c']",
    ],
    [
      'all that are unknown',
      { a: {} },
      { a: 1, x: 1, y: 1 },
      'UnknownInputError',
      "Unknown inputs ['x', 'y'] specified",
    ],
    ['missing ones before unknown ones', { a: {} }, { x: 1 }, 'MissingRequiredInputError', ''],
    ['names every mapping has', { a: {} }, { a: 1, constructor: 1 }, 'UnknownInputError', 'constructor'],
    [
      'text for a number',
      { a: { type: 'integer' } },
      { a: '1' },
      'DSLParsingException',
      "the defined type is 'integer', yet it was assigned with the value '1'",
    ],
    ['a boolean for a number', { a: { type: 'integer' } }, { a: true }, 'DSLParsingException', ''],
    ['null for a list', { a: { type: 'list' } }, { a: null }, 'DSLParsingException', ''],
    [
      'fields a data type has not',
      { a: { type: 'size' } },
      { a: { gpus: 1 } },
      'DSLParsingException',
      'Undefined property gpus in value of input a.',
    ],
    [
      'data without required fields',
      { a: { type: 'disk' } },
      { a: {} },
      'DSLParsingException',
      'Value of input a is missing property path.',
    ],
    ['data that cannot be built from defaults', { a: { type: 'disk' } }, {}, 'MissingRequiredInputError', "['a']"],
    [
      'values against constraints',
      { a: { constraints: [{ max_length: 1 }] } },
      { a: 'hi' },
      'ConstraintException',
      'max_length(1)',
    ],
    [
      'defaults against constraints',
      { a: { default: 'hi', constraints: [{ max_length: 1 }] } },
      {},
      'ConstraintException',
      '',
    ],
    [
      'functions where there are constraints',
      { a: { constraints: [{ max_length: 1 }] } },
      { a: { get_secret: 's' } },
      'DSLParsingException',
      'cannot contain an intrinsic function',
    ],
    [
      'half characters',
      { a: {} },
      { a: { deep: ['\ud800'] } },
      'DSLParsingInputTypeException',
      'Illegal characters in input: a',
    ],
    [
      'names of entities without a place to look them up',
      { a: { type: 'deployment_id' } },
      { a: 'd' },
      'ConstraintException',
      '',
    ],
  ];
  for (const [name, inputs, given, className, text] of refusals) {
    it(`refuse ${name}`, async () => {
      await expectRefusal(() => inputsOf(inputs, given), className, text);
    });
  }

  it('look up names of entities', async () => {
    const find = (_type: string, value: Json) => Promise.resolve(value === 'known' ? ['known'] : []);
    const lookup = { scope: 'blueprint' as const, find };
    expect(await inputsOf({ a: { type: 'secret_key' } }, { a: 'known' }, { lookup })).to.deep.equal({ a: 'known' });
    await expectRefusal(
      () => inputsOf({ a: { type: 'secret_key' } }, { a: 'other' }, { lookup }),
      'ConstraintException',
    );
  });

  const corrections: [string, string, Json][] = [
    ['integer', '12', 12],
    ['integer', ' -1_000 ', -1000],
    ['float', '1.5', 1.5],
    ['float', '.5e3', 500],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
  ];
  for (const [type, text, value] of corrections) {
    it(`read '${text}' as ${type} when asked to`, async () => {
      expect(await inputsOf({ a: { type } }, { a: text }, { correctsTypes: true })).to.deep.equal({ a: value });
    });
  }

  for (const [type, text] of [
    ['integer', '1.5'],
    ['integer', ''],
    ['float', '.'],
    ['boolean', 'True'],
  ] as const) {
    it(`do not read '${text}' as ${type}`, async () => {
      await expectRefusal(() => inputsOf({ a: { type } }, { a: text }, { correctsTypes: true }), 'DSLParsingException');
    });
  }

  it('evaluate functions in constraints first', async () => {
    const inputs: Inputs = { a: { constraints: [{ valid_values: { get_secret: ['zones', 'all'] } }] } };
    const storage = storageOf({ secrets: { zones: '{"all": ["eu", "us"]}' } });
    expect(await inputsOf(inputs, { a: 'eu' }, { storage })).to.deep.equal({ a: 'eu' });
    await expectRefusal(
      () => inputsOf(inputs, { a: 'mars' }, { storage }),
      'ConstraintException',
      'valid_values(eu, us)',
    );
  });
});
