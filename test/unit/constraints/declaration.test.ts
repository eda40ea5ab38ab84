import { expect } from 'chai';
import type { Json } from '../../../src/domain/plan.ts';
import { validateConstraintDeclarations } from '../../../src/dsl/constraints/index.ts';
import { DslError } from '../../../src/dsl/errors.ts';

type Kind = 'input' | 'parameter';

function codeOf(constraints: Json[], kind: Kind = 'input', version: readonly number[] | undefined = [1, 5]) {
  try {
    validateConstraintDeclarations(constraints, { kind, name: 'size', version, path: ['inputs', 'size'] });
    return undefined;
  } catch (error) {
    expect(error).to.be.instanceOf(DslError);
    return (error as DslError).code;
  }
}

describe('declaration of constraints', () => {
  const valid: Json[] = [
    { equal: 1 },
    { greater_than: 1.5 },
    { greater_or_equal: 0 },
    { less_than: -1 },
    { less_or_equal: 3 },
    { in_range: [1, 2.5] },
    { valid_values: [] },
    { length: 3 },
    { min_length: 0 },
    { max_length: 9 },
    { pattern: '^a+$' },
    { filter_id: 'f' },
    { labels: [{ a: 'b' }] },
    { tenants: ['t'] },
    { name_pattern: { contains: 'x' } },
    { deployment_id: 'd' },
    { valid_values: { get_input: 'allowed' } },
    { pattern: 'a', error_message: 'an a, please' },
    { min_length: 1, max_length: 2 },
  ];
  for (const constraint of valid) {
    it(`accepts ${JSON.stringify(constraint)}`, () => {
      expect(codeOf([constraint])).to.equal(undefined);
    });
  }

  const invalid: [Json, number, Kind?, (readonly number[])?][] = [
    [{}, 103],
    [{ error_message: 'alone' }, 103],
    [{ smaller: 1 }, 103],
    [{ constructor: 1 }, 103],
    [{ equal: true }, 212],
    [{ equal: 'text' }, 212],
    [{ in_range: [1] }, 212],
    [{ in_range: [1, 'x'] }, 212],
    [{ valid_values: 'a' }, 212],
    [{ length: null }, 212],
    [{ pattern: '(' }, 212],
    [{ pattern: 1 }, 212],
    [{ filter_id: 1 }, 212],
    [{ labels: {} }, 212],
    [{ name_pattern: 'x' }, 212],
    [{ deployment_id: ['d'] }, 212],
    [{ min_length: 1, max_length: 'x' }, 212],
    [{ pattern: 'a', error_message: 'm' }, 102, 'input', [1, 4]],
    [{ pattern: 'a', error_message: 'm' }, 103, 'parameter'],
    [{ error_message: 'm' }, 103, 'parameter'],
  ];
  for (const [constraint, code, kind, version] of invalid) {
    it(`refuses ${JSON.stringify(constraint)} of an ${kind ?? 'input'} with ${String(code)}`, () => {
      expect(codeOf([constraint], kind, version)).to.equal(code);
    });
  }

  it('accepts an error message in any version when versions are not validated', () => {
    validateConstraintDeclarations([{ equal: 1, error_message: 'm' }], {
      kind: 'input',
      name: 'a',
      version: undefined,
    });
  });

  it('points at the item that is wrong', () => {
    try {
      validateConstraintDeclarations([{ equal: 1 }, { equal: 'x' }], {
        kind: 'input',
        name: 'a',
        version: [1, 5],
        path: ['inputs', 'a', 'constraints'],
      });
      expect.fail('nothing was refused');
    } catch (error) {
      expect((error as DslError).path).to.deep.equal(['inputs', 'a', 'constraints', 1]);
    }
  });
});
