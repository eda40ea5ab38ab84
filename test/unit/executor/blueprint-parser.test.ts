import { expect } from 'chai';
import { logicError } from '../../../src/dsl/errors.ts';
import type { ImportResolver } from '../../../src/dsl/parse.ts';
import { BlueprintParser, ParseFailure } from '../../../src/executor/system/blueprint-parser.ts';

const types = `
node_types: {t: {}}
`;
const blueprint = `
tosca_definitions_version: cloudify_dsl_1_4
imports: [types.yaml]
node_templates: {web: {type: t}}
`;
const resolver: ImportResolver = {
  fetch: async (location) => {
    if (!location.endsWith('types.yaml')) {
      throw logicError(13, `no ${location}`);
    }
    return { kind: 'file', text: types };
  },
  locateFile: async () => undefined,
  resourceExists: async () => false,
};
const never = new AbortController().signal;

describe('blueprint parser', function () {
  this.timeout(60_000);
  let parser: BlueprintParser;

  afterEach(async () => {
    await parser.stop();
  });

  it('parses in a thread and reaches imports through the resolver of the caller', async () => {
    parser = new BlueprintParser();
    const plan = await parser.parse({ text: blueprint, resolver }, never);
    expect(plan.nodes.map(({ id }) => id)).to.deep.equal(['web']);
  });

  it('tells mistakes of the blueprint with their place', async () => {
    parser = new BlueprintParser();
    const text = blueprint.replace('type: t', 'type: other');
    const failure = await parser
      .parse({ text, location: 'file:///b/web.yaml', directory: '/b', resolver }, never)
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(ParseFailure);
    const { plain, message } = failure as ParseFailure;
    expect(plain.isInvalidBlueprint).to.equal(true);
    expect(message).to.match(/^web\.yaml:4:24: [^\n]+\n {2}path: node_templates\.web\.type\n/);
  });

  it('stops a blueprint that takes too long, and goes on with others', async () => {
    parser = new BlueprintParser({ time: 300, threads: 1 });
    const slow: ImportResolver = { ...resolver, fetch: () => new Promise(() => undefined) };
    const failure = await parser.parse({ text: blueprint, resolver: slow }, never).catch((error: Error) => error);
    expect((failure as Error).message).to.contain('took more than');
    await parser.stop();
    parser = new BlueprintParser({ threads: 1 });
    expect(await parser.parse({ text: blueprint, resolver }, never)).to.have.property('nodes');
  });

  it('stops at an abort', async () => {
    parser = new BlueprintParser();
    const cancelling = new AbortController();
    const slow: ImportResolver = {
      ...resolver,
      fetch: () => {
        cancelling.abort();
        return new Promise(() => undefined);
      },
    };
    const failure = await parser.parse({ text: blueprint, resolver: slow }, cancelling.signal).catch((e: Error) => e);
    expect((failure as Error).name).to.equal('AbortError');
  });
});
