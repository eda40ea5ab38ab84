import { expect } from 'chai';
import fc from 'fast-check';
import type { JsonObject } from '../../../src/domain/plan.ts';
import { ruleCondition } from '../../../src/store/filter-rules.ts';
import { hasDrift, isStatusOk } from '../../../src/store/instance-status.ts';
import { Parameters, assignments, cleanText, toJson, toJsonLines } from '../../../src/store/values.ts';

describe('values for statements', () => {
  it('JSON documents come back, but for what PostgreSQL cannot store', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        const text = toJson(document) ?? '';
        expect(text).not.to.match(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/);
        expect(text).not.to.contain('\n');
        const plain = JSON.stringify(document);
        if (!plain.includes('\\u')) {
          expect(JSON.parse(text)).to.deep.equal(JSON.parse(plain));
        }
      }),
    );
  });

  for (const [given, stored] of [
    ['a\0b', 'a<NUL>b'],
    ['\\u0000', '\\u0000'],
    ['\\\0', '\\<NUL>'],
    ['\ud800', '\ufffd'],
    ['\ud83d\ude00', '\ud83d\ude00'],
    ['line\nline', 'line\nline'],
  ] as const) {
    it(`${JSON.stringify(given)} is stored as ${JSON.stringify(stored)}`, () => {
      expect(JSON.parse(toJson(given) ?? '')).to.equal(stored);
    });
  }

  it('undefined is the null of the database, null is that of JSON', () => {
    expect([toJson(undefined), toJson(null)]).to.deep.equal([null, 'null']);
    expect(toJsonLines([{ a: 1 }, undefined, null, 'x\ny'])).to.equal('{"a":1}\n\nnull\n"x\\ny"');
    expect(cleanText('a\0b')).to.equal('a<NUL>b');
  });

  it('updates name the columns that were given', () => {
    const parameters = new Parameters();
    expect(assignments({ a: 1, b: undefined, c: null }, parameters)).to.equal('a = $1, c = $2');
    expect(parameters.values).to.deep.equal([1, null]);
    expect(assignments({ a: undefined }, parameters)).to.equal(undefined);
  });

  it('of filter rules never enter the text of a statement', () => {
    const shape = {
      kind: 'Thing',
      table: 'things',
      alias: 'thing',
      from: 'things thing',
      scope: { tenant: 't', creator: 'c', visibility: 'v' },
      fields: {},
      defaultOrder: 'id',
      labels: 'things_labels',
      attributes: { id: 'thing.id' },
    };
    fc.assert(
      fc.property(
        fc.constantFrom('any_of', 'not_any_of', 'contains', 'not_contains', 'starts_with', 'ends_with'),
        fc.array(fc.string({ minLength: 12 }), { minLength: 1 }),
        (operator, values) => {
          const parameters = new Parameters();
          const condition = ruleCondition(shape, { type: 'attribute', key: 'id', operator, values }, parameters);
          expect(condition).to.match(/^thing\.id [a-z<>= ]*(any|all)\(\$1::text\[\]\)$/);
          expect(parameters.values).to.have.length(1);
        },
      ),
    );
    for (const rule of [
      { type: 'attribute', key: 'constructor', operator: 'any_of', values: ['x'] },
      { type: 'attribute', key: 'id; drop table x', operator: 'any_of', values: ['x'] },
    ] as const) {
      let code: unknown;
      try {
        ruleCondition(shape, rule, new Parameters());
      } catch (error) {
        ({ code } = error as { code: unknown });
      }
      expect(code).to.equal('invalid_filter_rule');
    }
  });
});

describe('status of a node instance', () => {
  const cases: readonly [JsonObject, boolean, boolean][] = [
    [{}, false, false],
    [{ status: { ok: true } }, true, false],
    [{ status: { ok: 'true' } }, false, false],
    [{ status: 'fine', configuration_drift: [] }, false, false],
    [{ configuration_drift: { ok: true, result: null } }, false, false],
    [{ configuration_drift: { ok: false } }, false, true],
    [{ configuration_drift: { ok: false, result: null } }, false, true],
    [{ configuration_drift: null }, false, false],
    [{ status: { ok: true }, configuration_drift: { ok: true, result: false } }, true, true],
    [{ source_relationships_configuration_drift: { a: { ok: false } } }, false, true],
    [{ configuration_drift: { ok: true, result: { changed: 1 } } }, false, true],
    [{ source_relationships_configuration_drift: { a: { ok: true }, b: { result: 0 } } }, false, true],
    [{ target_relationships_configuration_drift: { a: { ok: true, result: null } } }, false, false],
    [{ target_relationships_configuration_drift: { a: { ok: true }, b: { ok: false } } }, false, true],
  ];

  it('is fine when its last check was', () => {
    for (const [properties, isOk] of cases) {
      expect(isStatusOk(properties), JSON.stringify(properties)).to.equal(isOk);
    }
  });

  it('has drift exactly when a record of it or of one of its relationships has failed or found something', () => {
    for (const [properties, , drifts] of cases) {
      expect(hasDrift(properties), JSON.stringify(properties)).to.equal(drifts);
    }
  });
});
