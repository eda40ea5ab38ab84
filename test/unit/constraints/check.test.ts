import { expect } from 'chai';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type { EntityLookup } from '../../../src/dsl/constraints/index.ts';
import { checkConstraints, checkPlainConstraints, validateInputDefaults } from '../../../src/dsl/constraints/index.ts';
import { expectRefusal } from '../functions/evaluation-kit.ts';

interface Lookup extends EntityLookup {
  asked: [string, Json, JsonObject][];
}

function lookupOf(found: Json[], scope: EntityLookup['scope'] = 'none'): Lookup {
  const asked: [string, Json, JsonObject][] = [];
  return {
    asked,
    scope,
    find: (type, value, filters) => {
      asked.push([type, value, filters]);
      return Promise.resolve(found);
    },
  };
}

describe('plain constraints', () => {
  const cases: [JsonObject, Json[], Json[]][] = [
    [{ equal: 2 }, [2, 2.0], [3, '2', null]],
    [{ equal: 1 }, [true], [false]],
    [{ greater_than: 2 }, [3], [2]],
    [{ greater_or_equal: 2 }, [2], [1]],
    [{ less_than: 2 }, [1], [2]],
    [{ less_or_equal: 2 }, [2], [3]],
    [{ in_range: [1, 3] }, [1, 2.5, 3], [0, 4]],
    [{ valid_values: ['a', 1, [1], { k: 'v' }] }, ['a', 1, [1], { k: 'v' }], ['b', 2, [2], {}]],
    [{ length: 2 }, ['ab', [1, 2], { a: 1, b: 2 }, '😀😀'], ['a', []]],
    [{ min_length: 2 }, ['ab'], ['a']],
    [{ max_length: 2 }, ['ab', ''], ['abc']],
    [{ pattern: 'a+' }, ['aab'], ['baa', '']],
  ];
  for (const [constraint, good, bad] of cases) {
    it(`${JSON.stringify(constraint)} holds for what it should`, () => {
      for (const value of good) {
        checkPlainConstraints({ name: 'x', constraints: [constraint] }, value);
      }
    });
    it(`${JSON.stringify(constraint)} does not hold for anything else`, async () => {
      for (const value of bad) {
        await expectRefusal(
          () => {
            checkPlainConstraints({ name: 'x', constraints: [constraint] }, value);
          },
          'ConstraintException',
          /violates constraint|Value/,
        );
      }
    });
  }

  const uncheckable: [JsonObject, Json, string][] = [
    [{ greater_than: 1 }, 'text', "Constraint argument type  is 'int' but value type is 'str'"],
    [{ in_range: [1, 2] }, null, "is 'list' but value type is 'NoneType'"],
    [{ length: 1 }, 5, "length could not be computed. Value type is 'int'"],
    [{ pattern: 'a' }, 5, "must be of type string, got type 'int'"],
    [{ tenants: ['a'] }, 'x', "'tenants' constraint is not defined for 'string' data types"],
  ];
  for (const [constraint, value, text] of uncheckable) {
    it(`${JSON.stringify(constraint)} cannot be checked for ${JSON.stringify(value)}`, async () => {
      await expectRefusal(
        () => {
          checkPlainConstraints({ name: 'x', type: 'string', constraints: [constraint] }, value);
        },
        'ConstraintException',
        text,
      );
    });
  }

  it('says which constraint is violated', async () => {
    await expectRefusal(
      () => {
        checkPlainConstraints({ name: 'n', constraints: [{ in_range: [1, 2] }] }, 3);
      },
      'ConstraintException',
      'Value 3 of input n violates constraint in_range(1, 2) operator.',
    );
  });

  it('says what the author wants to be said', async () => {
    await expectRefusal(
      () => {
        checkPlainConstraints({ name: 'n', constraints: [{ equal: 1, error_message: 'One, please.' }] }, 3);
      },
      'ConstraintException',
      'Value 3 of input n is invalid. One, please.',
    );
  });

  it('holds for every item of a list with typed items', async () => {
    const subject = { name: 'l', type: 'list', itemType: 'string', constraints: [{ max_length: 2 }] };
    checkPlainConstraints(subject, ['a', 'bb']);
    await expectRefusal(
      () => {
        checkPlainConstraints(subject, ['a', 'ccc']);
      },
      'ConstraintException',
      'Value ccc',
    );
  });

  it('holds for a list as a whole without typed items', () => {
    checkPlainConstraints({ name: 'l', type: 'list', constraints: [{ length: 1 }] }, ['long text']);
  });

  it('refuses items of another type', async () => {
    await expectRefusal(
      () => {
        checkPlainConstraints({ name: 'l', type: 'list', itemType: 'integer' }, [1, 'x']);
      },
      'DSLParsingLogicException',
      "the defined type is 'integer'",
    );
  });

  it('refuses a function beside constraints only', async () => {
    checkPlainConstraints({ name: 'f' }, { get_secret: 's' });
    await expectRefusal(
      () => {
        checkPlainConstraints({ name: 'f', constraints: [{ length: 1 }] }, { get_secret: 's' });
      },
      'DSLParsingException',
      'cannot contain an intrinsic function and also have constraints',
    );
  });

  it('enforces every operator of one mapping', async () => {
    const subject = { name: 'm', constraints: [{ min_length: 2, max_length: 3 }] };
    checkPlainConstraints(subject, 'ab');
    await expectRefusal(
      () => {
        checkPlainConstraints(subject, 'a');
      },
      'ConstraintException',
      'min_length(2)',
    );
    await expectRefusal(
      () => {
        checkPlainConstraints(subject, 'abcd');
      },
      'ConstraintException',
      'max_length(3)',
    );
  });
});

describe('values that name an entity', () => {
  it('must exist', async () => {
    const lookup = lookupOf(['d1']);
    await checkConstraints({ name: 'd', type: 'deployment_id' }, 'd1', lookup);
    await expectRefusal(
      () => checkConstraints({ name: 'd', type: 'deployment_id' }, 'd2', lookup),
      'ConstraintException',
      "Value 'd2' of 'd' is not a valid value for data type 'deployment_id'.",
    );
    expect(lookup.asked[0]).to.deep.equal(['deployment_id', 'd1', {}]);
  });

  it('are checked item by item in lists', async () => {
    const lookup = lookupOf(['d1']);
    await expectRefusal(
      () => checkConstraints({ name: 'd', type: 'list', itemType: 'deployment_id' }, ['d1', 'd2'], lookup),
      'ConstraintException',
      "Value 'd2'",
    );
  });

  const unscoped: [string, EntityLookup['scope'], string][] = [
    ['node_id', 'none', "lacks 'blueprint_id' or 'deployment_id' constraint"],
    ['scaling_group', 'none', "lacks 'blueprint_id' or 'deployment_id' constraint"],
    ['capability_value', 'blueprint', "lacks 'deployment_id' constraint"],
    ['node_instance', 'none', "lacks 'deployment_id' constraint"],
  ];
  for (const [type, scope, text] of unscoped) {
    it(`of type ${type} need a place to look in`, async () => {
      await expectRefusal(
        () => checkConstraints({ name: 'x', type }, 'v', lookupOf(['v'], scope)),
        'ConstraintException',
        text,
      );
    });
  }

  it('are looked for where a constraint says', async () => {
    const lookup = lookupOf(['v']);
    await checkConstraints({ name: 'x', type: 'node_id', constraints: [{ deployment_id: 'd1' }] }, 'v', lookup);
    expect(lookup.asked).to.deep.equal([['node_id', 'v', { deployment_id: 'd1' }]]);
  });

  it('are not looked for when neither a constraint nor the deployment asks for it', async () => {
    const lookup = lookupOf([], 'blueprint');
    await checkConstraints({ name: 'x', type: 'node_id' }, 'v', lookup);
    expect(lookup.asked).to.deep.equal([]);
  });

  const names: [string, string][] = [
    ['blueprint_id', 'id_specs'],
    ['deployment_id', 'display_name_specs'],
    ['secret_key', 'key_specs'],
    ['node_type', 'type_specs'],
    ['capability_value', 'capability_key_specs'],
    ['scaling_group', 'scaling_group_name_specs'],
    ['operation_name', 'operation_name_specs'],
    ['node_instance', 'id_specs'],
  ];
  for (const [type, filter] of names) {
    it(`of type ${type} are filtered by name with ${filter}`, async () => {
      const lookup = lookupOf(['v'], 'deployment');
      await checkConstraints({ name: 'x', type, constraints: [{ name_pattern: { contains: 'v' } }] }, 'v', lookup);
      expect(lookup.asked.at(-1)).to.deep.equal([type, 'v', { [filter]: { contains: 'v' } }]);
    });
  }

  it('must pass all filters', async () => {
    await expectRefusal(
      () =>
        checkConstraints(
          { name: 'x', type: 'node_id', constraints: [{ valid_values: ['a'] }, { deployment_id: 'd' }] },
          'v',
          lookupOf([]),
        ),
      'ConstraintException',
      'violates at least one of the constraints: valid_values(a) operator, deployment_id(d) operator.',
    );
  });

  it('cannot be checked without anything to look them up in', async () => {
    await expectRefusal(
      () => checkConstraints({ name: 'x', type: 'secret_key' }, 'v', undefined),
      'ConstraintException',
    );
  });

  it('may be defaults, which are looked up later', () => {
    validateInputDefaults({ d: { type: 'deployment_id', default: 'later' }, e: { type: 'node_id', default: null } });
  });

  it('of an unsupported filter are refused with the defaults', async () => {
    await expectRefusal(
      () => {
        validateInputDefaults({ s: { type: 'string', default: 'x', constraints: [{ tenants: ['t'] }] } });
      },
      'ConstraintException',
      'is not defined for',
    );
  });
});
