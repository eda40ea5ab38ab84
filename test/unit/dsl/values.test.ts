import { expect } from 'chai';
import { expectFailure, propertiesOf } from './support.ts';

const typed = (type: string, value: string): string =>
  `data_types: {d: {properties: {x: {type: integer, default: 1}, y: {required: false}, z: {}}}}
node_types: {t: {properties: {a: {type: ${type}}}}}
node_templates: {n: {type: t, properties: {a: ${value}}}}`;

describe('values of properties', () => {
  const accepted: [type: string, value: string, result: unknown][] = [
    ['integer', '5', 5],
    ['float', '5', 5],
    ['float', '5.5', 5.5],
    ['boolean', 'true', true],
    ['string', '5', 5],
    ['string', '[1]', [1]],
    ['string', '~', null],
    ['textarea', 'x', 'x'],
    ['regex', "'^a+$'", '^a+$'],
    ['list', '[1, a]', [1, 'a']],
    ['dict', '{a: 1}', { a: 1 }],
    ['node_id', 'x', 'x'],
    ['d', '{z: 1}', { x: 1, z: 1 }],
    ['d', '{x: 5, y: 6, z: 7}', { x: 5, y: 6, z: 7 }],
    ['integer', '{get_secret: a}', { get_secret: 'a' }],
    ['d', '{get_secret: a}', { get_secret: 'a' }],
    ['d', '{x: {get_secret: a}, z: 1}', { x: { get_secret: 'a' }, z: 1 }],
  ];
  for (const [type, value, result] of accepted) {
    it(`of type ${type} may be ${value}`, async () => {
      expect(await propertiesOf(typed(type, value))).to.deep.equal({ a: result });
    });
  }

  const refused: [type: string, value: string, error: string][] = [
    ['integer', 'x', 'L 105'],
    ['integer', 'true', 'L 105'],
    ['integer', '5.5', 'L 105'],
    ['integer', '5.0', 'L 105'],
    ['integer', '~', 'L 105'],
    ['float', "'5'", 'L 105'],
    ['float', 'true', 'L 105'],
    ['boolean', '1', 'L 105'],
    ['boolean', "'yes'", 'L 105'],
    ['regex', "'('", 'L 105'],
    ['regex', '5', 'L 105'],
    ['list', '{}', 'L 105'],
    ['list', '~', 'L 105'],
    ['dict', '[]', 'L 105'],
    ['d', '[]', 'L 105'],
    ['d', '~', 'L 105'],
    ['d', '{x: text, z: 1}', 'L 105'],
    ['d', '{z: 1, other: 2}', 'L 106'],
    ['d', '{x: 1}', 'L 107'],
    ['d', '{type: x, other: 1}', 'L 106'],
  ];
  for (const [type, value, error] of refused) {
    it(`of type ${type} may not be ${value}`, async () => {
      await expectFailure(typed(type, value), error);
    });
  }

  const node = (properties: string, given: string): string =>
    `data_types: {d: {properties: {in: {properties: }}}}
node_types: {t: {properties: ${properties}}}
node_templates: {n: {type: t, properties: ${given}}}`.replace('{in: {properties: }}', '{in: {}}');

  it('must be those of the type', async () => {
    const error = await expectFailure(
      node('{size: {}}', '{szie: 1}'),
      'L 106',
      "'n' node 'szie' property is not part of the derived type properties schema",
    );
    expect(error.remedy).to.equal("Did you mean 'size'?");
    expect(error.location?.path).to.equal('node_templates.n.properties.szie');
  });

  it('are named by dotted paths deep inside', async () => {
    await expectFailure(node('{a: {type: d}}', '{a: {x: 1}}'), 'L 106', "'n' node 'a.x' property");
    await expectFailure(
      node('{a: {type: d}}', '{a: {}}'),
      'L 107',
      "'n' node does not provide a value for mandatory 'a.in' property which is part of its type schema",
    );
  });

  it('are needed unless the schema says otherwise', async () => {
    await expectFailure(node('{a: {}}', '{}'), 'L 107');
    expect(await propertiesOf(node('{a: {required: false}}', '{}'))).to.deep.equal({});
    expect(await propertiesOf(node('{a: {default: 1}}', '{}'))).to.deep.equal({ a: 1 });
    expect(await propertiesOf(node('{a: {default: ~}}', '{}'))).to.deep.equal({ a: null });
  });

  it('are needed in data types even when the property is not', async () => {
    await expectFailure(node('{a: {type: d, required: false}}', '{}'), 'L 107', "'a.in'");
  });

  it('are not needed for external resources', async () => {
    expect(
      await propertiesOf(node('{use_external_resource: {default: false}, a: {}}', '{use_external_resource: true}')),
    ).to.deep.equal({
      use_external_resource: true,
    });
    expect(await propertiesOf(node('{use_external_resource: {default: true}, a: {}}', '{}'))).to.deep.equal({
      use_external_resource: true,
    });
    expect(
      await propertiesOf(node("{use_external_resource: {default: ''}, a: {}}", "{use_external_resource: 'no'}")),
    ).to.have.keys('use_external_resource');
    await expectFailure(node('{use_external_resource: {default: 0}, a: {}}', '{}'), 'L 107');
    await expectFailure(node('{use_external_resource: {default: []}, a: {}}', '{}'), 'L 107');
  });

  it('decide about external resources only as plain values', async () => {
    await expectFailure(node('{use_external_resource: {}}', '{use_external_resource: {get_secret: a}}'), 'L 219');
  });

  it('come in the order of the schema', async () => {
    expect(Object.keys(await propertiesOf(node('{c: {}, b: {default: 1}, a: {}}', '{a: 1, c: 2}')))).to.deep.equal([
      'c',
      'b',
      'a',
    ]);
  });
});
