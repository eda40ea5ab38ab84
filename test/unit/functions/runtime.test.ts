import { expect } from 'chai';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type { PayloadContext } from '../../../src/dsl/functions/index.ts';
import { evaluateFunctions } from '../../../src/dsl/functions/index.ts';
import { evaluate, expectRefusal, SHOP, storageOf } from './evaluation-kit.ts';

describe('evaluation against a running deployment', () => {
  const cases: [string, Json, Json, PayloadContext?][] = [
    ['gives an input', { get_input: 'port' }, 8080],
    ['walks into an input', { get_input: ['web', 'hosts', 1] }, 'b'],
    ['counts negative indexes from the end', { get_input: ['web', 'hosts', -1] }, 'b'],
    ['evaluates what an input holds', { get_input: 'lazy' }, 't0k3n'],
    ['takes the name of an input from a function', { get_input: { concat: ['po', 'rt'] } }, 8080],
    ['accepts an input of the declared type', { get_input: 'port', type: 'integer' }, 8080],
    ['gives a property', { get_property: ['vm', 'ip'] }, '10.0.0.1'],
    ['walks into a property', { get_property: ['vm', 'list', 2, 'deep'] }, 'x'],
    ['follows properties that refer to others', { get_property: ['app', 'chained'] }, 8080],
    ['knows SELF by its instance', { get_property: ['SELF', 'ip'] }, '10.0.0.1', { self: 'vm_1' }],
    [
      'knows SOURCE and TARGET by their instances',
      [{ get_property: ['SOURCE', 'port'] }, { get_property: ['TARGET', 'ip'] }],
      [8080, '10.0.0.1'],
      { source: 'app_1', target: 'vm_1' },
    ],
    [
      'knows SOURCE and TARGET by their nodes',
      { get_property: ['TARGET', 'ip'] },
      '10.0.0.1',
      { source: 'app_1', target: 'vm_1', sourceNode: 'app', targetNode: 'vm' },
    ],
    ['evaluates a property of another node as that node', { get_property: ['vm', 'url'] }, '192.168.0.1'],
    ['gives a runtime property', { get_attribute: ['vm', 'ip'] }, '192.168.0.1'],
    ['walks into a runtime property', { get_attribute: ['vm', 'nested', 'a', 1] }, 20],
    ['falls back to properties', { get_attribute: ['vm', 'tags', 'env'] }, 'prod'],
    ['gives null for an attribute nobody has', { get_attribute: ['vm', 'nothing', 'x'] }, null],
    ['evaluates what an attribute holds', { get_attribute: ['app', 'from_vm'] }, '192.168.0.1'],
    ['gives the id of an instance', { get_attribute: ['app', 'node_instance_id'] }, 'app_1'],
    ['gives the index of an instance', { get_attribute: ['app', 'node_instance_index'] }, 7],
    ['reads attributes of SELF', { get_attribute: ['SELF', 'started'] }, true, { self: 'app_1' }],
    [
      'reads attributes of TARGET',
      { get_attribute: ['TARGET', 'ip'] },
      '192.168.0.1',
      { source: 'app_1', target: 'vm_1' },
    ],
    ['lists an attribute of all instances', { get_attributes_list: ['db', 'role'] }, ['primary', 'replica']],
    ['lists null for instances without it', { get_attributes_list: ['db', 'size'] }, [null, null]],
    [
      'lists attributes of the node of SELF',
      { get_attributes_list: ['SELF', 'role'] },
      ['primary', 'replica'],
      { self: 'db_2' },
    ],
    [
      'gives attributes by instance',
      { get_attributes_dict: ['vm', 'ip', ['nested', 'a']] },
      { vm_1: { ip: '192.168.0.1', 'nested.a': [10, 20] } },
    ],
    ['gives a secret', { get_secret: 'token' }, 't0k3n'],
    [
      'walks into a secret of JSON',
      [{ get_secret: ['json', 'user', 'name'] }, { get_secret: ['json', 'keys', 0] }],
      ['ada', 'k0'],
    ],
    ['takes the name of a secret from a function', { get_secret: { concat: ['tok', 'en'] } }, 't0k3n'],
    ['gives all values of a label', { get_label: 'zone' }, ['eu', 'us']],
    ['gives one value of a label', [{ get_label: ['zone', 1] }, { get_label: ['zone', '0'] }], ['us', 'eu']],
    ['tells ids of consumers', { get_consumers: 'ids' }, ['c1', 'c2']],
    ['tells names of consumers', { get_consumers: 'names' }, ['First', 'Second']],
    ['tells how many consumers there are', { get_consumers: 'count' }, 2],
    [
      'tells facts about the system',
      [
        { get_sys: ['tenant', 'name'] },
        { get_sys: ['deployment', 'id'] },
        { get_sys: ['deployment', 'name'] },
        { get_sys: ['deployment', 'blueprint'] },
        { get_sys: ['deployment', 'owner'] },
      ],
      ['default_tenant', 'shop', 'Shop', 'shop-blueprint', 'ada'],
    ],
    ['joins texts', { concat: ['a', 1, true, null, [1], { k: 'v' }] }, "a1TrueNone[1]{'k': 'v'}"],
    [
      'joins what functions give',
      { concat: ['http://', { get_attribute: ['vm', 'ip'] }, ':', { get_input: 'port' }] },
      'http://192.168.0.1:8080',
    ],
    ['merges mappings, the later one winning', { merge: [{ a: 1, b: 1 }, { b: 2 }] }, { a: 1, b: 2 }],
    ['merges what functions give', { merge: [{ get_property: ['vm', 'tags'] }, { x: 1 }] }, { env: 'prod', x: 1 }],
    ['finds text', [{ string_find: ['haystack', 'stack'] }, { string_find: ['haystack', 'needle'] }], [3, -1]],
    ['finds text by characters', { string_find: ['😀x', 'x'] }, 1],
    ['replaces text', { string_replace: ['a-a-a', 'a', 'b'] }, 'b-b-b'],
    ['replaces text some times', { string_replace: ['a-a-a', 'a', 'b', 2] }, 'b-b-a'],
    ['replaces between characters', { string_replace: ['ab', '', '.'] }, '.a.b.'],
    ['splits text', { string_split: ['a,b,c', ','] }, ['a', 'b', 'c']],
    ['gives one part of text', [{ string_split: ['a,b,c', ',', 0] }, { string_split: ['a,b,c', ',', -1] }], ['a', 'c']],
    ['changes case', [{ string_lower: 'AbC' }, { string_upper: { get_input: 'name' } }], ['abc', 'SHOP']],
    ['leaves unknown functions as data', { get_weather: ['x', { get_input: 'port' }] }, { get_weather: ['x', 8080] }],
    ['evaluates deep inside of data', { a: [{ b: { get_input: 'port' } }] }, { a: [{ b: 8080 }] }],
  ];
  for (const [name, value, expected, context] of cases) {
    it(name, async () => {
      expect(await evaluate(value, context)).to.deep.equal(expected);
    });
  }

  const refusals: [string, Json, string, string | RegExp, PayloadContext?][] = [
    ['an unknown input', { get_input: 'nope' }, 'UnknownInputError', "unknown input 'nope'"],
    [
      'a missing key of an input',
      { get_input: ['web', 'x'] },
      'InputEvaluationError',
      "Input attribute 'x' of 'web', doesn't exist.",
    ],
    [
      'a key for a list in an input',
      { get_input: ['web', 'hosts', 'x'] },
      'InputEvaluationError',
      'expected to be an int but got str',
    ],
    [
      'an index out of range',
      { get_input: ['web', 'hosts', 5] },
      'InputEvaluationError',
      "List size of 'web.hosts' is 2 but index 5",
    ],
    [
      'a path into a plain input',
      { get_input: ['port', 'x'] },
      'FunctionEvaluationError',
      'Object port has no attribute x',
    ],
    [
      'an input of another type',
      { get_input: 'port', type: 'string_list' },
      'InputEvaluationError',
      "declared for 'payload.v': 'string_list'",
    ],
    [
      'a number where a boolean is declared',
      { get_input: 'port', type: 'boolean' },
      'InputEvaluationError',
      'does not match data type',
    ],
    [
      'a missing property',
      { get_property: ['vm', 'nope'] },
      'FunctionEvaluationError',
      "'vm.properties.nope' referenced from 'payload.v' doesn't exist",
    ],
    [
      'a key for a list in a property',
      { get_property: ['vm', 'list', 'x'] },
      'FunctionEvaluationError',
      'expected x to be an int but it is a str',
    ],
    [
      'an index out of a property',
      { get_property: ['vm', 'list', 9] },
      'FunctionEvaluationError',
      'Got 9 but list size is 3',
    ],
    [
      'SELF where there is none',
      { get_property: ['SELF', 'ip'] },
      'ValueError',
      'SELF can only be used in a context of node template',
    ],
    [
      'SOURCE outside of relationships',
      { get_property: ['SOURCE', 'ip'] },
      'ValueError',
      'only be used within a relationship',
      { self: 'vm_1' },
    ],
    ['an unknown node', { get_property: ['nope', 'ip'] }, 'KeyError', 'Node not found: nope'],
    [
      'an unknown instance',
      { get_attribute: ['SELF', 'ip'] },
      'KeyError',
      'Node instance not found: vm_9',
      { self: 'vm_9' },
    ],
    [
      'attributes of a node without instances',
      { get_attribute: ['nope', 'ip'] },
      'FunctionEvaluationError',
      'Node nope has no instances.',
    ],
    [
      'attributes of SELF without context',
      { get_attribute: ['SELF', 'ip'] },
      'FunctionEvaluationError',
      'Node SELF has no instances.',
    ],
    [
      'attributes of TARGET without context',
      { get_attribute: ['TARGET', 'ip'] },
      'FunctionEvaluationError',
      'TARGET is missing in request context in payload.v',
    ],
    [
      'one of several instances',
      { get_attribute: ['db', 'role'] },
      'FunctionEvaluationError',
      'More than one node instance found for node "db"',
    ],
    [
      'a key for a list in an attribute',
      { get_attribute: ['vm', 'nested', 'a', 'x'] },
      'FunctionEvaluationError',
      'expected x to be an int',
    ],
    ['attributes of an unknown node', { get_attributes_list: ['nope', 'x'] }, 'KeyError', 'Node not found: nope'],
    [
      'attributes asked for twice',
      { get_attributes_dict: ['vm', 'a.b', ['a', 'b']] },
      'FunctionEvaluationError',
      'duplicated or ambiguous attribute paths found: a.b',
    ],
    [
      'attributes of SELF of nobody',
      { get_attributes_list: ['SELF', 'x'] },
      'FunctionEvaluationError',
      'SELF is missing',
    ],
    ['an unknown secret', { get_secret: 'nope' }, 'UnknownSecretError', 'Secret `nope` does not exist'],
    [
      'a secret that is no JSON',
      { get_secret: ['token', 'x'] },
      'FunctionEvaluationError',
      /^(?!.*t0k3n).*Could not parse secret "token" as json/,
    ],
    [
      'a missing key of a secret',
      { get_secret: ['json', 'nope'] },
      'FunctionEvaluationError',
      'Could not find "nope" in nested lookup on secret "json"',
    ],
    ['an unknown label', { get_label: 'nope' }, 'FunctionEvaluationError', 'does not have a label with the key `nope`'],
    [
      'a label value out of range',
      { get_label: ['zone', 2] },
      'FunctionEvaluationError',
      'The key `zone` has 2 values',
    ],
    ['an unknown entity of the system', { get_sys: ['moon', 'name'] }, 'UnknownSysEntityError', 'entity: moon'],
    ['an unknown fact of the system', { get_sys: ['tenant', 'id'] }, 'UnknownSysPropertyError', 'property: tenant id'],
    [
      'a merge with something else',
      { merge: [{ a: 1 }, { get_input: 'port' }] },
      'FunctionEvaluationError',
      'Encountered non-dict element for merge: 8080',
    ],
    [
      'text functions over something else',
      { string_find: [{ get_input: 'port' }, 'x'] },
      'FunctionEvaluationError',
      "should be of type <class 'str'> but is <class 'int'> (8080)",
    ],
    ['a part of text out of range', { string_split: ['a', ',', 3] }, 'FunctionEvaluationError', 'out of range'],
    ['an empty separator', { string_split: ['a', ''] }, 'FunctionEvaluationError', 'should not be empty'],
  ];
  for (const [name, value, className, text, context] of refusals) {
    it(`refuses ${name}`, async () => {
      await expectRefusal(() => evaluate(value, context), className, text);
    });
  }

  it('treats the payload itself as data, whatever its keys', async () => {
    const payload = await evaluateFunctions({ get_input: 'port' }, {}, storageOf(SHOP));
    expect(payload).to.deep.equal({ get_input: 'port' });
  });

  it('does not change the payload', async () => {
    const payload = { a: [{ get_input: 'port' }] };
    await evaluateFunctions(payload, {}, storageOf(SHOP));
    expect(payload).to.deep.equal({ a: [{ get_input: 'port' }] });
  });

  it('keeps a key called __proto__', async () => {
    const payload = JSON.parse('{"a": {"__proto__": {"get_input": "port"}}}') as JsonObject;
    const result = await evaluateFunctions(payload, {}, storageOf(SHOP));
    expect(JSON.stringify(result)).to.equal('{"a":{"__proto__":8080}}');
    expect(({} as JsonObject)['a']).to.equal(undefined);
  });

  it('names the place of a function that fails', async () => {
    try {
      await evaluate({ deep: [{ get_input: 'nope' }] });
      expect.fail('nothing was refused');
    } catch (error) {
      expect(error).to.have.nested.property('location.path', 'payload.v.deep[0]');
    }
  });
});
