import { expect } from 'chai';
import type { Json } from '../../../src/domain/plan.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import { readExpiration } from '../../../src/services/expiration.ts';
import { parseFilterRules, rulesOfConstraints } from '../../../src/services/filter-rules.ts';
import { checkIdentifier } from '../../../src/services/identifiers.ts';
import { parseLabels } from '../../../src/services/labels.ts';

describe('expiration dates', () => {
  const now = Date.parse('2024-01-31T10:20:30Z');
  const cases: [string, string][] = [
    ['2024-02-01 08:15', '2024-02-01T08:15:00.000Z'],
    ['23:00', '2024-01-31T23:00:00.000Z'],
    ['+10h', '2024-01-31T20:20:00.000Z'],
    ['+30 minutes', '2024-01-31T10:50:00.000Z'],
    ['+1day+10min', '2024-02-01T10:30:00.000Z'],
    ['+1 month', '2024-02-29T10:20:00.000Z'],
    ['+1y', '2025-01-31T10:20:00.000Z'],
    ['+2w', '2024-02-14T10:20:00.000Z'],
  ];
  for (const [text, expected] of cases) {
    it(`reads ${text}`, () => {
      expect(readExpiration(text, now).toISOString()).to.equal(expected);
    });
  }
  for (const text of ['09:00', '2020-01-01 00:00', '+0h']) {
    it(`refuses ${text}, which is over`, () => {
      expect(() => readExpiration(text, now)).to.throw(GantryError, 'Expiration date was in the past.');
    });
  }
  for (const text of ['', 'tomorrow', '+1 parsec', '25:99', '+h', '+9999999y']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => readExpiration(text, now)).to.throw(GantryError);
    });
  }
});

describe('labels', () => {
  const readable: [Json, string[]][] = [
    [[{ Env: 'Prod' }], ['env=Prod']],
    [
      [{ a: ['x', 'y'] }, { b: 'z' }],
      ['a=x', 'a=y', 'b=z'],
    ],
    [[{ key: 'a', value: 'x' }], ['a=x']],
    [[{ 'csys-obj-type': 'Environment' }], ['csys-obj-type=environment']],
    [[{ 'csys-location-lat': '32.5' }], ['csys-location-lat=32.5']],
    [[], []],
  ];
  for (const [given, expected] of readable) {
    it(`reads ${JSON.stringify(given)}`, () => {
      expect(parseLabels(given).map(({ key, value }) => `${key}=${value}`)).to.deep.equal(expected);
    });
  }
  const refused: [Json, RegExp][] = [
    [{ a: 'b' }, /list of 1-entry dictionaries/],
    [['a'], /1-entry dictionaries/],
    [[{ a: 1 }], /must be a text/],
    [[{ 'a b': 'c' }], /illegal characters/],
    [[{ a: 'say "x"' }], /quotes/],
    [[{ a: 'x\ny' }], /control characters/],
    [[{ a: 'x' }, { A: 'x' }], /same label twice/],
    [[{ 'csys-other': 'x' }], /reserved/],
    [[{ 'csys-location-long': '181' }], /from -180 to 180/],
    [[{ a: 'x'.repeat(300) }], /too long/],
  ];
  for (const [given, message] of refused) {
    it(`refuses ${JSON.stringify(given).slice(0, 60)}`, () => {
      expect(() => parseLabels(given)).to.throw(GantryError, message);
    });
  }
});

describe('filter rules', () => {
  const rule = { key: 'Env', values: ['prod'], operator: 'any_of', type: 'label' };

  it('are lower-cased in their keys and collapse when equal', () => {
    expect(parseFilterRules([rule, { ...rule, key: 'env' }], 'deployments')).to.deep.equal([{ ...rule, key: 'env' }]);
  });

  const refused: [Json, string][] = [
    [{ ...rule, extra: 1 }, 'an unknown member'],
    [{ ...rule, operator: 'like' }, 'an unknown operator'],
    [{ ...rule, values: [] }, 'no values'],
    [{ ...rule, operator: 'is_null' }, 'values where none may be'],
    [{ ...rule, values: 'prod' }, 'values that are no list'],
    [{ ...rule, type: 'attribute' }, 'an unknown attribute'],
    [{ ...rule, type: 'thing' }, 'an unknown type'],
    ['text', 'something else'],
  ];
  for (const [given, what] of refused) {
    it(`are refused with ${what}`, () => {
      let thrown: unknown;
      try {
        parseFilterRules([given], 'deployments');
      } catch (error) {
        thrown = error;
      }
      expect((thrown as GantryError).code).to.equal('invalid_filter_rule');
      expect((thrown as GantryError).details).to.have.keys(['err_filter_rule', 'err_reason']);
    });
  }

  it('are made of constraints', () => {
    const constraints = {
      labels: [{ A: 'x' }, { b: ['y', 'z'] }],
      name_pattern: { equals_to: 'n' },
      valid_values: ['v'],
    };
    expect(rulesOfConstraints(constraints, 'blueprints')).to.deep.equal([
      { type: 'label', key: 'a', operator: 'any_of', values: ['x'] },
      { type: 'label', key: 'b', operator: 'any_of', values: ['y', 'z'] },
      { type: 'attribute', key: 'id', operator: 'any_of', values: ['n'] },
      { type: 'attribute', key: 'id', operator: 'any_of', values: ['v'] },
    ]);
  });
});

describe('ids', () => {
  it('are letters, digits and some marks, starting with a letter', () => {
    expect(() => checkIdentifier('id', 'a-B_c.1~')).to.not.throw();
    expect(() => checkIdentifier('id', '1a', { mayStartWithDigit: true })).to.not.throw();
    for (const id of ['', '1a', 'a b', 'a/b', '..', 'ä', 'a%20b', 'x'.repeat(257)]) {
      expect(() => checkIdentifier('id', id), id).to.throw(GantryError, /The `id` argument/);
    }
  });
});
