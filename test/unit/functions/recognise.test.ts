import { expect } from 'chai';
import { pythonRepr, pythonText, pythonTypeName } from '../../../src/domain/python-text.ts';
import { FUNCTION_NAMES, parseFunction } from '../../../src/dsl/functions/index.ts';

describe('recognition of intrinsic functions', () => {
  for (const name of FUNCTION_NAMES) {
    it(`knows ${name}`, () => {
      expect(parseFunction({ [name]: 'x' })).to.include({ name, argument: 'x' });
    });
  }

  it('takes a sibling type as the type of the result', () => {
    expect(parseFunction({ get_input: 'x', type: 'integer' })).to.include({ name: 'get_input', returnType: 'integer' });
  });

  it('takes the last of two function names', () => {
    expect(parseFunction({ get_input: 'x', concat: [] })).to.include({ name: 'concat' });
  });

  const data: [string, unknown][] = [
    ['text', 'get_input'],
    ['null', null],
    ['a list', ['get_input']],
    ['an empty mapping', {}],
    ['a type alone', { type: 'string' }],
    ['an unknown function', { get_weather: 'x' }],
    ['a function beside another key', { get_input: 'x', default: 1 }],
    ['a function beside two keys', { get_input: 'x', type: 'string', default: 1 }],
    ['inherited names', { constructor: 1 }],
  ];
  for (const [name, value] of data) {
    it(`leaves ${name} as data`, () => {
      expect(parseFunction(value)).to.equal(undefined);
    });
  }
});

describe('texts as Cloudify writes them', () => {
  const texts: [unknown, string][] = [
    ['plain', 'plain'],
    [true, 'True'],
    [false, 'False'],
    [null, 'None'],
    [3, '3'],
    [1.5, '1.5'],
    [1e21, '1000000000000000000000'],
    [1e-7, '1e-07'],
    [[1, 'a', null], "[1, 'a', None]"],
    [{ a: 1, b: [true] }, "{'a': 1, 'b': [True]}"],
    [["it's"], '["it\'s"]'],
    [['a\nb\\'], "['a\\nb\\\\']"],
    [['\u0001'], "['\\x01']"],
  ];
  for (const [value, text] of texts) {
    it(`writes ${JSON.stringify(value)} as ${text}`, () => {
      expect(pythonText(value)).to.equal(text);
    });
  }

  it('quotes text inside of other values only', () => {
    expect(pythonRepr('a')).to.equal("'a'");
  });

  it('names types', () => {
    expect([null, true, 1, 1.5, 'a', [], {}].map((value) => pythonTypeName(value))).to.deep.equal([
      'NoneType',
      'bool',
      'int',
      'float',
      'str',
      'list',
      'dict',
    ]);
  });
});
