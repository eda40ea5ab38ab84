import { expect } from 'chai';
import { expectFailure, itRefuses, nodeOf, parse, propertiesOf } from './support.ts';

const nested = `data_types:
  d0: {properties: {k: {default: k0}, l: {default: l0}}}
  d1: {properties: {x: {default: 1}, y: {default: 2}, n: {type: d0}}}
`;

describe('types', () => {
  itRefuses([
    [
      'refuses an unknown parent of a node type',
      'node_types: {t: {derived_from: u}}',
      'L 103',
      "Missing definition for type 'u' which is declared as derived by type 't'",
    ],
    [
      'refuses an unknown parent of a relationship',
      'relationships: {t: {derived_from: u}}',
      'L 103',
      "Missing definition for relationship 'u'",
    ],
    [
      'refuses an unknown parent of a data type',
      'data_types: {t: {derived_from: u}}',
      'L 103',
      "Missing definition for data type 'u'",
    ],
    [
      'refuses node types that derive from each other',
      'node_types: {a: {derived_from: b}, b: {derived_from: a}}',
      'L 100',
      'Circular dependency detected: a --> b --> a',
    ],
    ['refuses a type that derives from itself', 'relationships: {a: {derived_from: a}}', 'L 100', 'a --> a'],
    [
      'refuses data types that hold each other',
      'data_types: {a: {properties: {x: {type: b}}}, b: {properties: {x: {type: a}}}}',
      'L 100',
    ],
    ['refuses a data type that holds itself', 'data_types: {a: {properties: {x: {type: a}}}}', 'L 100'],
    [
      'refuses redefining a primitive type',
      'data_types: {string: {}}',
      'L 104',
      "Can't redefine primitive type string",
    ],
    [
      'refuses an unknown type of a property',
      'node_types: {t: {properties: {a: {type: strnig}}}}',
      'L 103',
      "Illegal type name 'strnig'",
    ],
    [
      'refuses an unknown type of a plugin property',
      'plugins: {p: {executor: host_agent, install: false, properties: {a: {type: x}}}}',
      'L 103',
    ],
    [
      'refuses a default that is not of its type',
      'node_types: {t: {properties: {a: {type: integer, default: x}}}}',
      'L 105',
      "Property type validation failed in 't': property 'a' type is 'integer', yet it was assigned with the value 'x'",
    ],
    [
      'refuses unknown fields in a default',
      `${nested}node_types: {t: {properties: {a: {type: d1, default: {z: 1}}}}}`,
      'L 106',
      'Undefined property a.z in default value of type t',
    ],
    [
      'refuses a default that is wrong deep inside',
      `${nested}node_types: {t: {properties: {a: {type: d1, default: {n: 5}}}}}`,
      'L 105',
      "property 'a.n' type is 'd0'",
    ],
    ['checks runtime properties, too', 'node_types: {t: {runtime_properties: {a: {type: x}}}}', 'L 103'],
    ['checks types nothing uses', 'relationships: {r: {properties: {a: {type: boolean, default: maybe}}}}', 'L 105'],
  ]);

  it('hints at the type that was probably meant', async () => {
    const error = await expectFailure('node_types: {t: {properties: {a: {type: strnig}}}}', 'L 103');
    expect(error.remedy).to.equal("Did you mean 'string'?");
  });

  it('list their hierarchy from the root to themselves', async () => {
    const plan = await parse(
      'node_types: {c: {derived_from: b}, b: {derived_from: a}, a: {}}\nnode_templates: {n: {type: c}}',
    );
    expect(nodeOf(plan, 'n').type_hierarchy).to.deep.equal(['a', 'b', 'c']);
  });

  it('inherit properties, their own coming first', async () => {
    const text =
      'node_types: {a: {properties: {x: {default: 1}, y: {default: 2}}}, b: {derived_from: a, properties: {z: {default: 3}, x: {default: 4}}}}\nnode_templates: {n: {type: b}}';
    const properties = await propertiesOf(text);
    expect(Object.entries(properties)).to.deep.equal([
      ['z', 3],
      ['x', 4],
      ['y', 2],
    ]);
  });

  it('replace the whole schema of an inherited property', async () => {
    const text =
      'node_types: {a: {properties: {x: {type: integer, default: 1}}}, b: {derived_from: a, properties: {x: {default: text}}}}\nnode_templates: {n: {type: b}}';
    expect(await propertiesOf(text)).to.deep.equal({ x: 'text' });
  });

  it('complete defaults of one data type along the hierarchy, at every level', async () => {
    const text = `${nested}node_types:
  base: {properties: {c: {type: d1, default: {x: 10, n: {k: kb}}}}}
  derived: {derived_from: base, properties: {c: {type: d1, default: {y: 20}}}}
node_templates: {n: {type: derived, properties: {c: {n: {l: lt}}}}}`;
    expect(await propertiesOf(text)).to.deep.equal({ c: { x: 10, y: 20, n: { k: 'kb', l: 'lt' } } });
  });

  it('inherit fields of data types', async () => {
    const text = `${nested}  d2: {derived_from: d0, properties: {l: {default: own}}}
node_types: {t: {properties: {a: {type: d2}}}}
node_templates: {n: {type: t}}`;
    const plan = await parse(text);
    expect(nodeOf(plan, 'n').properties).to.deep.equal({ a: { l: 'own', k: 'k0' } });
    expect(plan.data_types['d2']).to.deep.equal({
      properties: { l: { default: 'own' }, k: { default: 'k0' } },
      description: null,
      derived_from: 'd0',
      version: null,
    });
  });

  it('give a property of a data type a default of its own', async () => {
    const text = `${nested}node_types: {t: {properties: {a: {type: d1}, b: {type: d0, default: {k: set}}}}}\nnode_templates: {n: {type: t}}`;
    expect(await propertiesOf(text)).to.deep.equal({
      a: { x: 1, y: 2, n: { k: 'k0', l: 'l0' } },
      b: { k: 'set', l: 'l0' },
    });
  });

  it('find types defined later in the file', async () => {
    await parse('data_types: {a: {properties: {x: {type: b}}}, b: {derived_from: c}, c: {}}');
  });

  it('put relationship types into the plan', async () => {
    const plan = await parse(
      'relationships: {a: {properties: {p: {default: 1}}}, b: {derived_from: a, source_interfaces: {i: {o: }}}}',
    );
    expect(plan.relationships['b']).to.deep.equal({
      derived_from: 'a',
      properties: { p: { default: 1 } },
      source_interfaces: {
        i: {
          o: {
            implementation: '',
            inputs: {},
            executor: null,
            max_retries: null,
            retry_interval: null,
            timeout: null,
            timeout_recoverable: null,
          },
        },
      },
      target_interfaces: {},
      name: 'b',
      type_hierarchy: ['a', 'b'],
    });
  });

  it('work in hierarchies of any depth', async () => {
    const types = Array.from({ length: 3000 }, (_, at) => `  t${String(at)}: {derived_from: t${String(at + 1)}}`);
    const plan = await parse(`node_types:\n${types.join('\n')}\n  t3000: {}\nnode_templates: {n: {type: t0}}`);
    expect(nodeOf(plan, 'n').type_hierarchy).to.have.length(3001);
  });
});
