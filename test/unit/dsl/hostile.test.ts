import { expect } from 'chai';
import fc from 'fast-check';
import { dump } from 'js-yaml';
import { DslError } from '../../../src/dsl/errors.ts';
import type { Plan } from '../../../src/domain/plan.ts';
import { describeError } from '../../../src/dsl/report/problem.ts';
import { expectFailure, nodeOf, parse, typesText } from './support.ts';
import type { World } from './support.ts';

const valid = `tosca_definitions_version: cloudify_dsl_1_5
description: An example with a bit of everything.
imports:
  - types.yaml
  - lib--lib.yaml
inputs:
  port: {type: integer, default: 80, constraints: [{in_range: [1, 65535]}]}
data_types:
  endpoint: {properties: {host: {default: localhost}, port: {type: integer, default: 1}}}
node_types:
  app:
    derived_from: cloudify.nodes.SoftwareComponent
    properties:
      endpoint: {type: endpoint, default: {host: example.org}}
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: "#!/bin/sh\\necho created\\n"
          inputs: {size: {type: integer, default: 3}}
node_templates:
  vm: &vm
    type: cloudify.nodes.Compute
    properties: {agent_config: {install_method: none}}
  vm2: *vm
  app:
    type: app
    properties: {endpoint: {port: {get_input: port}}}
    interfaces: {cloudify.interfaces.lifecycle: {create: {inputs: {size: {get_input: port}}, max_retries: 2}}}
    relationships:
      - {type: cloudify.relationships.contained_in, target: vm}
      - {type: cloudify.relationships.connected_to, target: lib--db}
groups:
  scaled: {members: [vm, app]}
policies:
  scaling: {type: cloudify.policies.scaling, targets: [scaled], properties: {default_instances: 2}}
outputs:
  url: {value: {concat: [http://, {get_attribute: [vm, ip]}, ':', {get_input: port}]}}
labels: {env: {values: [test]}}
`;
const world: World = {
  files: {
    'types.yaml': typesText(),
    'lib.yaml': 'imports: [types.yaml]\nnode_templates: {db: {type: cloudify.nodes.DBMS}}',
  },
};

/** A blueprint is parsed, or refused with an error that says what and where; anything else is a defect. */
async function outcome(text: string, given: World = world): Promise<Plan | DslError> {
  try {
    return await parse(text, given);
  } catch (error) {
    if (!(error instanceof DslError)) {
      throw new Error(`Neither a plan nor an error of the language for:\n${text}`, { cause: error });
    }
    expect(error.message).not.to.equal('');
    for (const each of [error, ...error.others]) {
      expect(describeError(each)).to.contain(each.message);
    }
    return error;
  }
}

describe('any text', () => {
  it('that is a valid blueprint parses', async () => {
    expect(await outcome(valid)).not.to.be.instanceOf(DslError);
  });

  it('cut off anywhere parses or is refused', async () => {
    for (let end = 0; end < valid.length; end += 7) {
      await outcome(valid.slice(0, end));
    }
  }).timeout(60_000);

  it('with a line left out or twice parses or is refused, at a place', async () => {
    const lines = valid.split('\n');
    for (let at = 1; at < lines.length - 1; at++) {
      for (const changed of [lines.toSpliced(at, 1), lines.toSpliced(at, 0, lines[at] ?? '')]) {
        const result = await outcome(changed.join('\n'));
        if (result instanceof DslError) {
          expect(result.location?.line, describeError(result)).to.be.a('number');
        }
      }
    }
  }).timeout(60_000);

  it('with any word replaced by another parses or is refused', async () => {
    const words = [...new Set(valid.match(/[\w.]+/g) ?? [])];
    const spots = [...valid.matchAll(/[\w.]+/g)];
    const property = fc.asyncProperty(
      fc.constantFrom(...spots),
      fc.constantFrom(...words, '~', '[]', '{}', '-1', '1.5', '{get_input: x}'),
      async (spot, word) => {
        await outcome(valid.slice(0, spot.index) + word + valid.slice(spot.index + spot[0].length));
      },
    );
    await fc.assert(property, { numRuns: 200 });
  }).timeout(60_000);

  it('of any characters parses or is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200, unit: 'binary' }), async (text) => void (await outcome(text))),
      { numRuns: 500 },
    );
  }).timeout(60_000);

  const sections =
    'imports inputs plugins node_types relationships node_templates policy_types policy_triggers groups policies workflows outputs data_types capabilities labels blueprint_labels deployment_settings resource_tags metadata dsl_definitions imported_blueprints namespaces_mapping'.split(
      ' ',
    );
  const keys =
    'type properties derived_from interfaces relationships target members targets values value default constraints mapping parameters implementation inputs executor since workflow default_schedules a'.split(
      ' ',
    );

  it('with any values in its sections parses or is refused', async () => {
    const values = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, -1, 1.5, '', 'a', 'string', 'integer', 'p.f', { get_input: 'a' }),
        fc.dictionary(fc.constantFrom(...keys), tie('node'), { maxKeys: 4 }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    })).node;
    const blueprints = fc.dictionary(
      fc.constantFrom(...sections),
      fc.oneof(values, fc.dictionary(fc.constantFrom('a', 'b'), values)),
      { maxKeys: 4 },
    );
    const property = fc.asyncProperty(blueprints, async (content) => {
      await outcome(dump({ tosca_definitions_version: 'cloudify_dsl_1_5', ...content }));
      await outcome('imports: [a.yaml, ns--a.yaml]', { files: { 'a.yaml': dump(content) } });
    });
    await fc.assert(property, { numRuns: 400 });
  }).timeout(60_000);
});

describe('a random valid topology', () => {
  const topologies = fc.array(
    fc.record({
      container: fc.option(fc.nat()),
      uses: fc.array(fc.nat(), { maxLength: 3 }),
      size: fc.nat({ max: 5 }),
      isHost: fc.boolean(),
    }),
    { minLength: 1, maxLength: 25 },
  );

  it('has a node for each template, on the host it is contained in', async () => {
    const property = fc.asyncProperty(topologies, async (nodes) => {
      const name = (at: number): string => `n${String(at)}`;
      const templates = nodes.map((node, at) => {
        const target = (choice: number): string => name(choice % at);
        const container =
          at > 0 && node.container !== null
            ? [`{type: cloudify.relationships.contained_in, target: ${target(node.container)}}`]
            : [];
        const uses =
          at > 0 ? node.uses.map((use) => `{type: cloudify.relationships.connected_to, target: ${target(use)}}`) : [];
        const type = node.isHost ? 'cloudify.nodes.Compute' : 'cloudify.nodes.Root';
        return `  ${name(at)}: {type: ${type}, instances: {deploy: ${String(node.size)}}, relationships: [${[...container, ...uses].join(', ')}]}`;
      });
      const plan = await parse(`imports: [types.yaml]\nnode_templates:\n${templates.join('\n')}`, world);
      expect(plan.nodes.map(({ id }) => id)).to.deep.equal(nodes.map((_, at) => name(at)));
      nodes.forEach((node, at) => {
        const planned = nodeOf(plan, name(at));
        const container = planned.relationships.find(({ type }) => type === 'cloudify.relationships.contained_in');
        const host = node.isHost ? name(at) : container && nodeOf(plan, container.target_id).host_id;
        expect(planned.host_id).to.equal(host);
        expect(planned.capabilities.scalable.properties.current_instances).to.equal(node.size);
      });
    });
    await fc.assert(property, { numRuns: 60 });
  }).timeout(60_000);
});

describe('hostile blueprints', () => {
  it('cannot make the parser expand aliases', async () => {
    const levels = Array.from(
      { length: 30 },
      (_, at) =>
        `  a${String(at)}: &a${String(at)} [${Array.from({ length: 10 }, () => (at === 0 ? '1' : `*a${String(at - 1)}`)).join(', ')}]`,
    );
    await expectFailure(`dsl_definitions:\n${levels.join('\n')}`, 'F 1', 'Aliases expand');
  });

  it('cannot exhaust the stack', async () => {
    await expectFailure(`metadata: ${'{a: '.repeat(2000)}1${'}'.repeat(2000)}`, 'F -1');
    const chain = Array.from(
      { length: 20_000 },
      (_, at) =>
        `  n${String(at)}: {type: t, relationships: [{type: cloudify.relationships.contained_in, target: n${String(at + 1)}}]}`,
    );
    const types = 'node_types: {t: {}}\nrelationships: {cloudify.relationships.contained_in: {}}\n';
    const plan = await parse(`${types}node_templates:\n${chain.join('\n')}\n  n20000: {type: t}`);
    expect(plan.nodes).to.have.length(20_001);
  }).timeout(60_000);

  it('cannot abuse names of built-in object members', async () => {
    const text = `inputs: {__proto__: {default: 1}, toString: {default: 2}}
data_types: {constructor: {properties: {valueOf: {default: 1}}}}
plugins: {__proto__: {executor: central_deployment_agent, install: false}}
node_types: {hasOwnProperty: {properties: {x: {type: constructor}}, interfaces: {__proto__: {constructor: __proto__.f}}}}
node_templates: {__proto__: {type: hasOwnProperty}}
workflows: {valueOf: __proto__.g}
outputs: {__proto__: {value: {get_input: toString}}}
`;
    const plan = await parse(text);
    expect(nodeOf(plan, '__proto__').properties).to.deep.equal({ x: { valueOf: 1 } });
    expect(Object.keys(plan.inputs)).to.deep.equal(['__proto__', 'toString']);
    expect(Object.keys(nodeOf(plan, '__proto__').operations)).to.deep.equal(['constructor', '__proto__.constructor']);
    expect(Object.getPrototypeOf(plan.outputs)).to.equal(Object.prototype);
  });
});
