import { expect } from 'chai';
import { DslError } from '../../../src/dsl/errors.ts';
import { defaultYamlLimits, loadYaml } from '../../../src/dsl/yaml/load.ts';
import type { SourceDocument } from '../../../src/dsl/yaml/load.ts';
import { isWholeFloat, oddKeyOf } from '../../../src/dsl/yaml/marks.ts';
import { locationIn } from '../../../src/dsl/yaml/positions.ts';

function load(text: string): SourceDocument {
  return loadYaml(text, 'f.yaml', 'Failed to parse DSL');
}

function valueOf(text: string): unknown {
  return (load(`v: ${text}`).root as { v: unknown }).v;
}

function refused(text: string, limits = defaultYamlLimits): DslError {
  try {
    loadYaml(text, 'f.yaml', 'Failed to parse DSL', limits);
  } catch (error) {
    expect(error).to.be.instanceOf(DslError);
    return error as DslError;
  }
  throw new Error(`This should not load:\n${text}`);
}

describe('YAML of blueprints', () => {
  const scalars: [string, unknown][] = [
    ...['yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((text): [string, unknown] => [text, true]),
    ...['no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map((text): [string, unknown] => [
      text,
      false,
    ]),
    ['y', 'y'],
    ['n', 'n'],
    ['tRue', 'tRue'],
    ['~', null],
    ['null', null],
    ['Null', null],
    ['NULL', null],
    ['', null],
    ["''", ''],
    ['017', 15],
    ['0o17', '0o17'],
    ['08', '08'],
    ['0x1F', 31],
    ['0b11', 3],
    ['1_000', 1000],
    ['-5', -5],
    ['+5', 5],
    ['1:30', 90],
    ['190:20:30', 685230],
    ['1.0e+3', 1000],
    ['.5', 0.5],
    ['1e3', '1e3'],
    ['1e+3', '1e+3'],
    ['.inf', Infinity],
    ['"2020-01-01"', '2020-01-01'],
    ['!!str 12', '12'],
    ['!!int "12"', 12],
  ];
  for (const [text, value] of scalars) {
    it(`reads ${text || 'nothing'} as ${typeof value} ${String(value)}`, () => {
      expect(valueOf(text)).to.equal(value);
    });
  }

  it('reads an empty file, and one of comments, as an empty mapping', () => {
    expect(load('').root).to.deep.equal({});
    expect(load('# nothing\n').root).to.deep.equal({});
    expect(load('---\n').root).to.deep.equal({});
  });

  it('lets the last of equal keys win', () => {
    expect(load('a: 1\na: 2').root).to.deep.equal({ a: 2 });
  });

  it('merges with <<, keys beside it winning', () => {
    expect(load('x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz:\n  <<: [*x, {c: 4}]').root).to.deep.equal({
      x: { a: 1, b: 2 },
      y: { a: 1, b: 3 },
      z: { a: 1, b: 2, c: 4 },
    });
  });

  const merges: [string, object][] = [
    ['{<<: {a: 1, b: 1}, <<: {a: 2, c: 2}, b: 3}', { a: 2, b: 3, c: 2 }],
    ['{<<: [{a: 1, b: 1}, {a: 3}], x: {<<: {q: 1}, <<: {q: 2}}, <<: {a: 2}}', { a: 2, b: 1, x: { q: 2 } }],
    ['{<<: {a: 2}, <<: [{a: 1, b: 1}, {a: 3}]}', { a: 1, b: 1 }],
    ['{k: &k {a: 1}, l: &l {a: 2}, m: {<<: *k, <<: *l}}', { k: { a: 1 }, l: { a: 2 }, m: { a: 2 } }],
    ['{"<<": 1, a: "<<"}', { '<<': 1, a: '<<' }],
  ];
  for (const [text, expected] of merges) {
    it(`lets the last of several merges win in ${text}`, () => {
      expect(valueOf(text)).to.deep.equal(expected);
    });
  }

  it('accepts brackets and quotes that are continued or closed at any indentation', () => {
    const text = 'a:\n    b: { c:\n             [1,\n  2],\n  d: "x\n y" \n}\n    e: 1\n';
    expect(load(text).root).to.deep.equal({ a: { b: { c: [1, 2], d: 'x y' }, e: 1 } });
  });

  it('finds places right after lines it had to move', () => {
    const document = load('a:\n    b: { c: 1,\n  d: 2\n  }\n    e: 1\n');
    expect(locationIn(document, ['a', 'b', 'd'])).to.include({ line: 3, column: 2, excerpt: '  d: 2\n  ^' });
    expect(locationIn(document, ['a', 'e'])).to.include({ line: 5, column: 4 });
  });

  it('keeps __proto__ an ordinary key', () => {
    const root = load('a: {__proto__: {polluted: 1}}').root as { a: object };
    expect(Object.keys(root.a)).to.deep.equal(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  it('remembers keys that are not text, and floats that are whole', () => {
    const root = load('a: {1: x, b: 5.0, c: 5}').root as { a: object };
    expect(oddKeyOf(root.a)).to.deep.equal({ text: '1', typeName: 'number' });
    expect(isWholeFloat(root.a, 'b')).to.equal(true);
    expect(isWholeFloat(root.a, 'c')).to.equal(false);
  });

  const malformed: [string, string][] = [
    ['an unclosed bracket', 'a: [1, 2'],
    ['an unclosed quote', 'a: "x'],
    ['bad indentation', 'a: 1\n  b: 2'],
    ['tabs as indentation', 'a:\n\tb: 1'],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['an unknown tag', 'a: !thing x'],
    ['a Python tag', 'a: !!python/object:os.system x'],
    ['binary data', 'a: !!binary aGk='],
    ['an unknown alias', 'a: *b'],
    ['a mapping as a key', '? {a: 1}\n: 2'],
    ['a merge of something else', '<<: 3'],
    ['a key of which nothing is written', 'a: 1\n: 2'],
    ['such a key in brackets', 'a: {b: 1, : 2}'],
    ['such a key in a list', 'a: [: 2]'],
  ];
  for (const [what, text] of malformed) {
    it(`refuses ${what} as malformed`, () => {
      const error = refused(text);
      expect([error.className, error.code]).to.deep.equal(['DSLParsingFormatException', -1]);
      expect(error.message).to.match(/^Failed to parse DSL: Illegal yaml; /);
      expect(error.location?.file).to.equal('f.yaml');
    });
  }

  it('shows where a key is missing', () => {
    expect(refused('a:\n  b: 1\n  : {c: 2}\n').location).to.include({ line: 3, column: 2, excerpt: '  : {c: 2}\n  ^' });
  });

  it('refuses dates, and says what to do', () => {
    const error = refused('a:\n  b: 2020-01-01');
    expect(error.code).to.equal(1);
    expect(error.message).to.contain('quotes');
    expect(error.location).to.include({ line: 2, column: 2, path: 'a.b' });
  });

  const beyondAscii: [string, number, number][] = [
    ['a: [1, é]', 1, 7],
    ['é: 1', 1, 0],
    ['a:\n  b: "caf\\u00e9"', 2, 5],
  ];
  for (const [text, line, column] of beyondAscii) {
    it(`refuses characters beyond ASCII in ${JSON.stringify(text)}`, () => {
      const error = refused(text);
      expect([error.className, error.code]).to.deep.equal(['DSLParsingInputTypeException', 108]);
      expect(error.message).to.equal(
        `illegal characters in line: ${String(line - 1)}, column: ${String(column)}. Only valid ascii chars are supported.`,
      );
      expect(error.location).to.include({ line, column });
    });
  }

  it('allows them in comments', () => {
    expect(load('# é\na: 1').root).to.deep.equal({ a: 1 });
  });

  it('refuses aliases that expand beyond measure, without expanding them', () => {
    const levels = Array.from({ length: 40 }, (_, level) => {
      const items = Array.from({ length: 10 }, () => (level === 0 ? 'x' : `*a${String(level - 1)}`));
      return `a${String(level)}: &a${String(level)} [${items.join(', ')}]`;
    });
    expect(refused(levels.join('\n')).message).to.contain('Aliases expand to more than');
  });

  it('refuses loops of aliases', () => {
    expect(refused('a: &a {b: *a}').message).to.contain('part of');
  });

  it('refuses nesting that is too deep, written out or by aliases', () => {
    expect(refused('['.repeat(5000)).code).to.equal(-1);
    const chain = Array.from(
      { length: 300 },
      (_, at) => `a${String(at)}: &a${String(at)} [${at === 0 ? '1' : `*a${String(at - 1)}`}]`,
    );
    expect(refused(chain.join('\n')).message).to.contain('nested deeper');
  });

  it('refuses files that are too large', () => {
    expect(refused(`a: ${'x'.repeat(200)}`, { ...defaultYamlLimits, maxTextLength: 100 }).message).to.contain(
      'too large',
    );
  });

  describe('positions', () => {
    const document = load('# hi\na: &x\n  b: [1, {c: 2}]\n  "q r": y\ne:\n  <<: *x\n  d: 5\n');
    const places: [(string | number)[], number, number][] = [
      [['a'], 2, 0],
      [['a', 'b'], 3, 2],
      [['a', 'b', 1, 'c'], 3, 10],
      [['a', 'q r'], 4, 2],
      [['e', 'b', 0], 3, 6],
      [['e', 'd'], 7, 2],
      [['ns--e', 'd'], 7, 2],
      [['e', 'missing', 'deeper'], 5, 0],
    ];
    for (const [path, line, column] of places) {
      it(`finds ${path.join('.')}`, () => {
        expect(locationIn(document, path)).to.include({ line, column });
      });
    }
  });
});
