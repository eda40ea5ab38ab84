import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import { blueprintJsonSchema } from '../../../src/dsl/json-schema.ts';
import { supportedVersions } from '../../../src/dsl/versions.ts';
import { loadYaml } from '../../../src/dsl/yaml/load.ts';
import { typesText } from './support.ts';

function accepts(text: string, version?: string): boolean {
  const ajv = new Ajv2020({ allowUnionTypes: true });
  return ajv.validate(blueprintJsonSchema(version), loadYaml(text, undefined, '').root);
}

const head = 'tosca_definitions_version: cloudify_dsl_1_5\n';

describe('the JSON Schema of blueprints', () => {
  for (const version of supportedVersions) {
    it(`is a valid schema for ${version}`, () => {
      expect(new Ajv2020({ allowUnionTypes: true }).validateSchema(blueprintJsonSchema(version))).to.equal(true);
    });
  }

  it('accepts the built-in types', () => {
    expect(accepts(typesText())).to.equal(true);
  });

  const rows: [text: string, isValid: boolean][] = [
    [head, true],
    ['inputs: {}', false],
    [`${head}nodes: {}`, false],
    [`${head}imports: [a, {b: {c: 1}}]`, true],
    [`${head}imports: [{b: {}, c: {}}]`, false],
    [`${head}inputs: {a: }`, true],
    [`${head}inputs: {a: {typ: string}}`, false],
    [`${head}node_templates: {n: {type: t}}`, true],
    [`${head}node_templates: {n: {}}`, false],
    [`${head}plugins: {p: {executor: nowhere}}`, false],
    [`${head}workflows: {w: p.f, x: {mapping: p.g}}`, true],
    [`${head}workflows: {w: }`, false],
    [`${head}node_types: {t: {interfaces: {i: {o: p.f, q: , r: {implementation: p.f, max_retries: 3}}}}}`, true],
  ];
  for (const [text, isValid] of rows) {
    it(`${isValid ? 'accepts' : 'refuses'} ${text.replace(head, '').replace('\n', ' ')}`, () => {
      expect(accepts(text)).to.equal(isValid);
    });
  }

  it('leaves out what a version does not have', () => {
    expect(accepts('tosca_definitions_version: cloudify_dsl_1_0\ndata_types: {}', 'cloudify_dsl_1_0')).to.equal(false);
    expect(accepts('tosca_definitions_version: cloudify_dsl_1_2\ndata_types: {}', 'cloudify_dsl_1_2')).to.equal(true);
  });

  it('knows no other versions', () => {
    expect(() => blueprintJsonSchema('cloudify_dsl_9_9')).to.throw(RangeError, 'There is no version cloudify_dsl_9_9');
  });
});
