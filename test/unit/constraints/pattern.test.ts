import { expect } from 'chai';
import { compilePattern } from '../../../src/dsl/constraints/index.ts';

describe('patterns written for Python', () => {
  const matching: [pattern: string, text: string, matches: boolean][] = [
    ['abc', 'abcdef', true],
    ['abc', 'xabc', false],
    ['^[\\w.-]+@[\\w-]+\\.\\w+$', 'a.b@c-d.de', true],
    ['(?P<first>a)(?P=first)', 'aa', true],
    ['(a)\\1', 'aa', true],
    ['(?i)ABC', 'abc', true],
    ['(?s)a.b', 'a\nb', true],
    ['a.b', 'a\nb', false],
    ['a.b', 'a\rb', true],
    ['(?x) a b  # comment', 'ab', true],
    ['(?#comment)a', 'a', true],
    ['[]a]+$', 'a]', true],
    ['[^]a]', ']', false],
    ['[\\W_]+$', '_-', true],
    ['a{,2}$', 'aa', true],
    ['a{,2}$', 'aaa', false],
    ['x{', 'x{', true],
    ['{}', '{}', true],
    ['\\d+$', '12\n', true],
    ['\\d+\\Z', '12\n', false],
    ['\\Aa', 'a', true],
    ['\\bfoo\\b', 'foo bar', true],
    ['\\w+$', 'größe', true],
    ['[^/"\\\']+$', 'abc', true],
    ['\\/dev\\/[a-z]+', '/dev/sda', true],
    ['\\-\\_x', '-_x', true],
    ['[&&--@~]', '@', true],
    ['[a\\-z]', '-', true],
    ['\\x41\\u0042', 'AB', true],
    ['a|b', 'b', true],
    ['😀+$', '😀😀', true],
  ];
  for (const [pattern, text, matches] of matching) {
    it(`${pattern} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(text)} from the start`, () => {
      const compiled = compilePattern(pattern, 'start');
      // \103 is no escape Python takes outside of a class once a group reference could be meant.
      if (pattern.includes('\\103')) {
        expect(compiled).to.equal(undefined);
      } else {
        expect(compiled?.test(text)).to.equal(matches);
      }
    });
  }

  for (const pattern of ['(', '[a', 'a**', '\\y', '*a', '(?P<1>a)', '(?(1)a|b)', '\\', '[z-a]', '[\\w-z]', ')']) {
    it(`${pattern} is not valid`, () => {
      expect(compilePattern(pattern)).to.equal(undefined);
    });
  }

  it('may match anywhere', () => {
    expect(compilePattern('b')?.test('abc')).to.equal(true);
  });
});
