import { expect } from 'chai';
import fc from 'fast-check';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import { LiveProperties } from '../../../src/runtime/session/live-properties.ts';
import {
  deleteByPath,
  findByPath,
  IllegalPathError,
  readByPath,
  setByPath,
} from '../../../src/runtime/session/paths.ts';
import { SecretFilter } from '../../../src/runtime/session/secret-filter.ts';
import { safeName } from '../../../src/runtime/session/operation-session.ts';

describe('Paths', () => {
  const root: JsonObject = { a: { b: [{ c: 1 }, 2], 'x[0]': 'literal' }, n: null, list: [[1]] };

  const reads: [string, Json | undefined][] = [
    ['a', root['a']],
    ['a.b[0].c', 1],
    ['a.b[1]', 2],
    ['a.x[0]', 'literal'],
    ['n', null],
    ['a.b[2]', undefined],
    ['a.b.c', undefined],
    ['n.x', undefined],
    ['', undefined],
    ['constructor', undefined],
    ['a.__proto__', undefined],
    ['toString.name', undefined],
  ];
  for (const [path, expected] of reads) {
    it(`read ${JSON.stringify(expected)} at '${path}'`, () => {
      expect(findByPath(root, path)).to.deep.equal(expected);
    });
  }

  it('refuse to read a missing value, with the message that scripts know', () => {
    expect(() => readByPath(root, 'a.nope')).to.throw(IllegalPathError, 'illegal path: a.nope');
  });

  const writes: [string, JsonObject, JsonObject][] = [
    ['a', {}, { a: 'new' }],
    ['a.b.c', {}, { a: { b: { c: 'new' } } }],
    ['a.b', { a: { c: 1 } }, { a: { c: 1, b: 'new' } }],
    ['a[0]', { a: [1, 2] }, { a: ['new', 2] }],
    ['a[2]', { a: [1, 2] }, { a: [1, 2, 'new'] }],
    ['a[0].b', { a: [{}] }, { a: [{ b: 'new' }] }],
    ['a[0]', {}, { 'a[0]': 'new' }],
  ];
  for (const [path, before, after] of writes) {
    it(`write '${path}' into ${JSON.stringify(before)}`, () => {
      setByPath(before, path, 'new');
      expect(before).to.deep.equal(after);
    });
  }

  for (const [path, before] of [
    ['a.b', { a: 'text' }],
    ['a[5]', { a: [1] }],
    ['a[0].b', { a: [1] }],
  ] as [string, JsonObject][]) {
    it(`refuse to write '${path}' into ${JSON.stringify(before)}`, () => {
      expect(() => setByPath(before, path, 1)).to.throw(IllegalPathError);
    });
  }

  it('never reach a prototype', () => {
    const target: JsonObject = {};
    setByPath(target, '__proto__.polluted', 'yes');
    setByPath(target, 'constructor.prototype.polluted', 'yes');
    expect(Reflect.get({}, 'polluted')).to.equal(undefined);
    expect(findByPath(target, '__proto__.polluted')).to.equal('yes');
  });

  it('delete members and elements, and tell whether there was one', () => {
    const target: JsonObject = { a: { b: 1, c: [1, 2, 3] } };
    expect(deleteByPath(target, 'a.b')).to.equal(true);
    expect(deleteByPath(target, 'a.c[1]')).to.equal(true);
    expect(deleteByPath(target, 'a.c[9]')).to.equal(false);
    expect(deleteByPath(target, 'x.y')).to.equal(false);
    expect(target).to.deep.equal({ a: { c: [1, 3] } });
  });

  it('read back every written value', () => {
    const segment = fc.stringMatching(/^[a-z_]{1,6}$/);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.jsonValue(), (segments, value) => {
        const target: JsonObject = {};
        const written = JSON.parse(JSON.stringify(value)) as Json;
        setByPath(target, segments.join('.'), written);
        expect(findByPath(target, segments.join('.'))).to.deep.equal(written);
      }),
    );
  });
});

describe('Runtime properties in work', () => {
  it('are clean until something changes, and never change what was read', () => {
    const stored = { a: { b: 1 } };
    const live = new LiveProperties(stored);
    expect(live.isDirty).to.equal(false);
    const copy = live.get('a') as JsonObject;
    copy['b'] = 2;
    expect(live.get('a.b')).to.equal(1);
    live.set('a.b', 3);
    expect(stored).to.deep.equal({ a: { b: 1 } });
    expect(live.changedKeys).to.deep.equal(['a']);
  });

  it('are not changed by deleting what is not there', () => {
    const live = new LiveProperties({});
    expect(live.delete('nope')).to.equal(false);
    expect(live.isDirty).to.equal(false);
  });

  it('keep what changed while a save was under way', () => {
    const live = new LiveProperties({});
    live.set('first', 1);
    const saved = live.toJSON();
    live.set('second', 2);
    live.markSaved(saved);
    expect(live.changedKeys).to.deep.equal(['second']);
  });

  const merges: [string, JsonObject, (live: LiveProperties) => void, JsonObject, JsonObject | string[]][] = [
    ['other properties', { a: 1 }, (live) => live.set('b', 2), { a: 9, c: 3 }, { a: 9, b: 2, c: 3 }],
    ['a removed one', { a: 1, b: 1 }, (live) => live.delete('a'), { a: 1, b: 2 }, { b: 2 }],
    ['the same value', { a: 1 }, (live) => live.set('a', 2), { a: 2 }, { a: 2 }],
    ['different values', { a: 1 }, (live) => live.set('a', 2), { a: 3 }, ['a']],
    ['a change and a removal', { a: 1 }, (live) => live.set('a', 2), {}, ['a']],
    ['additions of one name', {}, (live) => live.set('a', 1), { a: 2 }, ['a']],
  ];
  for (const [what, base, change, stored, expected] of merges) {
    it(`${Array.isArray(expected) ? 'clash over' : 'join with what others stored:'} ${what}`, () => {
      const live = new LiveProperties(base);
      change(live);
      const clashes = live.rebase(stored);
      expect(Array.isArray(expected) ? clashes : live.toJSON()).to.deep.equal(expected);
    });
  }
});

describe('SecretFilter', () => {
  it('masks every known secret, the longest first', () => {
    const filter = new SecretFilter();
    filter.add(['pass', 'password!', undefined, null]);
    expect(filter.apply('a pass, a password!, a compass')).to.equal('a ***, a ***, a com***');
  });

  it('masks the forms a secret takes in JSON and URLs, and the lines of a key', () => {
    const filter = new SecretFilter();
    filter.add(['quo"te&d/+', 'BEGIN LINE\nabcdefghijk\nEND']);
    const text = [JSON.stringify('quo"te&d/+'), encodeURIComponent('quo"te&d/+'), 'abcdefghijk'].join(' ');
    expect(filter.apply(text)).to.equal('"***" *** ***');
  });

  it('masks a secret in base64, at any offset of the encoded text', () => {
    const secret = 'p"a/s s+\u00fc\u00ff\u00ff\u00ff?';
    const filter = new SecretFilter();
    filter.add([secret]);
    for (const before of ['', 'u', 'us', 'user:', 'some user:']) {
      for (const after of ['', '\n', 'xy']) {
        for (const encoding of ['base64', 'base64url'] as const) {
          const encoded = Buffer.from(before + secret + after).toString(encoding);
          const shown = filter.apply(encoded);
          expect(shown, before + after).to.contain('***');
          expect(shown.replace('***', '').length, shown).to.be.at.most(before.length * 2 + after.length * 2 + 8);
        }
      }
    }
  });

  it('masks the texts inside a secret that is a JSON document, but not its names', () => {
    const filter = new SecretFilter();
    filter.add([JSON.stringify({ username: 'someone', inner: [{ password: 'my-password' }], port: 123456, no: 'no' })]);
    expect(filter.apply('username someone password my-password 123456 no')).to.equal(
      'username *** password *** 123456 no',
    );
  });

  it('leaves short values alone', () => {
    const filter = new SecretFilter();
    filter.add(['1', 'no', '  ']);
    expect(filter.apply('1 no way')).to.equal('1 no way');
  });

  it('masks secrets of any characters', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3 }), fc.string(), fc.string(), (secret, before, after) => {
        fc.pre(secret.trim().length >= 3 && !'***'.includes(secret) && !secret.includes('*'));
        const filter = new SecretFilter();
        filter.add([secret]);
        expect(filter.apply(before + secret + after)).to.not.include(secret);
      }),
    );
  });
});

describe('safeName', () => {
  for (const [name, expected] of [
    ['plain-1.0_x', 'plain-1.0_x'],
    ['../up', '..%2fup'],
    ['..', '%..'],
    ['.', '%.'],
    ['ü b', '%fc%20b'],
  ] as const) {
    it(`makes ${expected} of ${name}`, () => {
      expect(safeName(name)).to.equal(expected);
    });
  }
});
