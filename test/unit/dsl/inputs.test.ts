import { expect } from 'chai';
import { itRefuses, parse } from './support.ts';

describe('inputs', () => {
  itRefuses([
    [
      'refuses a default of a wrong type',
      'inputs: {a: {type: integer, default: x}}',
      'L 105',
      "Property type validation failed in 'a': the defined type is 'integer', yet it was assigned with the value 'x'",
    ],
    ['refuses a float default for an integer', 'inputs: {a: {type: integer, default: 5.0}}', 'L 105'],
    ['refuses an unknown type', 'inputs: {a: {type: x}}', 'L 103'],
    [
      'refuses a hidden required input without default',
      'inputs: {a: {hidden: true}}',
      'L 215',
      "Input is both hidden and required thus it should have a default value: 'a'.",
    ],
    [
      'refuses item_type of what is no list',
      'inputs: {a: {type: string, item_type: string}}',
      'L 218',
      "Property item_type defined for unsupported type: 'string'",
    ],
    ['refuses item_type without type', 'inputs: {a: {item_type: string}}', 'L 218'],
    [
      'refuses item_type that is not primitive',
      'data_types: {d: {}}\ninputs: {a: {type: list, item_type: d}}',
      'L 217',
      "Illegal item_type 'd'",
    ],
    [
      'refuses display of what is no textarea',
      'inputs: {a: {type: string, display: {rows: 2}}}',
      'I 216',
      '`display` property defined for unsupported input type (string) for input `a`.',
    ],
    ['refuses an empty display of what is no textarea', 'inputs: {a: {display: {}}}', 'I 216'],
    [
      'refuses incomplete defaults of data types',
      'data_types: {d: {properties: {x: {}}}}\ninputs: {a: {type: d, default: {}}}',
      'L 107',
      'Value of input a is missing property x.',
    ],
    [
      'refuses unknown fields in such a default',
      'data_types: {d: {}}\ninputs: {a: {type: d, default: {x: 1}}}',
      'L 106',
      'Undefined property x in default value of input a.',
    ],
    ['refuses an unknown constraint', 'inputs: {a: {constraints: [{above: 1}]}}', 'L 103'],
    ['refuses a constraint with a wrong argument', 'inputs: {a: {constraints: [{in_range: [1]}]}}', 'L 212'],
    ['refuses an empty constraint', 'inputs: {a: {constraints: [{}]}}', 'L 103'],
    ['refuses constraints that are no list', 'inputs: {a: {constraints: {equal: 1}}}', 'F 1'],
    [
      'refuses a default that breaks a constraint',
      'inputs: {a: {default: 5, constraints: [{less_than: 3}]}}',
      'ConstraintException',
    ],
    [
      'refuses a function as default of a constrained input',
      'inputs: {a: {default: {get_secret: x}, constraints: [{less_than: 3}]}}',
      'D 213',
    ],
  ]);

  const fine: [behaviour: string, text: string, plan: object][] = [
    ['are required when nothing is written', 'inputs: {a: }', { a: {} }],
    [
      'keep only what is written',
      'inputs: {a: {type: string, description: about, required: false}}',
      { a: { type: 'string', description: 'about', required: false } },
    ],
    [
      'may be hidden when not required',
      'inputs: {a: {hidden: true, required: false}}',
      { a: { hidden: true, required: false } },
    ],
    [
      'may be hidden with a null default',
      'inputs: {a: {hidden: true, default: ~}}',
      { a: { hidden: true, default: null } },
    ],
    [
      'complete defaults of data types',
      'data_types: {d: {properties: {x: {default: 1}, y: {default: 2}}}}\ninputs: {a: {type: d, default: {x: 5}}}',
      { a: { type: 'd', default: { x: 5, y: 2 } } },
    ],
    [
      'get no default from data types',
      'data_types: {d: {properties: {x: {default: 1}}}}\ninputs: {a: {type: d}}',
      { a: { type: 'd' } },
    ],
    [
      'may be text areas of some height',
      'inputs: {a: {type: textarea, display: {rows: 3}}}',
      { a: { type: 'textarea', display: { rows: 3 } } },
    ],
    [
      'may be lists of something',
      'inputs: {a: {type: list, item_type: integer}}',
      { a: { type: 'list', item_type: 'integer' } },
    ],
    [
      'may have functions in constraints',
      'inputs: {a: {constraints: [{valid_values: {get_secret: x}}]}}',
      { a: { constraints: [{ valid_values: { get_secret: 'x' } }] } },
    ],
    [
      'may have functions as defaults',
      'inputs: {a: {type: integer, default: {get_secret: x}}}',
      { a: { type: 'integer', default: { get_secret: 'x' } } },
    ],
  ];
  for (const [behaviour, text, plan] of fine) {
    it(behaviour, async () => {
      expect((await parse(text)).inputs).to.deep.equal(plan);
    });
  }

  it('are not checked against constraints when the caller says so', async () => {
    await parse('inputs: {a: {default: 5, constraints: [{less_than: 3}]}}', {}, { validateInputDefaults: false });
  });
});
