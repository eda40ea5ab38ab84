import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import * as tar from 'tar';
import { runCommandLine } from '../../../src/cli/program.ts';
import { fakeTerminal } from '../../kit/fake-terminal.ts';

const valid = `tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
inputs: {name: {type: string}}
node_templates:
  host: {type: cloudify.nodes.Compute}
  app:
    type: cloudify.nodes.Root
    properties: {resource_id: {get_input: name}}
    relationships: [{type: cloudify.relationships.contained_in, target: host}]
`;
const wrong = valid.replace('nodes.Root', 'nodes.Rood').replace('nodes.Compute', 'nodes.Computer');
const wrongUses = `${valid}outputs: {a: {value: {get_input: x}}, b: {value: {get_property: [y, z]}}}\n`;

describe('tools for blueprints', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-tools-'));
    await mkdir(join(folder, 'shop'));
    await write(valid);
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  const write = (text: string): Promise<void> => writeFile(join(folder, 'shop', 'blueprint.yaml'), text);

  async function gantry(...words: string[]): Promise<{ code: number; output: string; errors: string }> {
    const terminal = fakeTerminal({ environment: { GANTRY_PROFILE_DIR: folder } });
    const code = await runCommandLine(['blueprints', ...words], terminal, new AbortController().signal, {
      start: async () => {
        throw new Error('not in this test');
      },
      migrate: async () => [],
      keys: () => Promise.reject(new Error('Not here')),
    });
    return { code, output: terminal.output(), errors: terminal.errors() };
  }

  async function archive(): Promise<string> {
    const file = join(folder, 'shop.tar.gz');
    await tar.create({ file, gzip: true, cwd: folder }, ['shop']);
    return file;
  }

  it('take a file, a folder and an archive', async () => {
    for (const path of [join(folder, 'shop', 'blueprint.yaml'), join(folder, 'shop'), await archive()]) {
      const { code, output } = await gantry('validate', path);
      expect([code, output]).to.deep.equal([0, `${path} is a valid blueprint\n`]);
    }
  });

  it('tell every independent mistake with its place, also in an archive', async () => {
    await write(wrong);
    const { code, errors } = await gantry('validate', await archive());
    expect(code).to.equal(1);
    expect(errors).to.match(/^blueprint\.yaml:5:10: .*Computer/m);
    expect(errors).to.match(/^blueprint\.yaml:7:5: .*Rood[^]*\^\n {2}hint: Did you mean 'cloudify\.nodes\.Root'/m);
  });

  it('tell every function that is wrong', async () => {
    await write(wrongUses);
    const { output } = await gantry('validate', join(folder, 'shop'), '--json');
    const problems = JSON.parse(output) as { path: string; line: number }[];
    expect(problems.map(({ line }) => line)).to.deep.equal([10, 10]);
    expect(problems[0]).to.include.keys('class', 'code', 'message', 'file', 'column', 'value', 'excerpt', 'remedy');
  });

  it('print a list of problems, empty for a valid blueprint', async () => {
    const { code, output } = await gantry('validate', join(folder, 'shop'), '--json');
    expect([code, JSON.parse(output)]).to.deep.equal([0, []]);
  });

  it('print SARIF', async () => {
    await write(wrong);
    const { code, output } = await gantry('validate', join(folder, 'shop'), '--sarif');
    const log = JSON.parse(output) as { version: string; runs: { results: { level: string }[] }[] };
    expect([code, log.version, log.runs[0]?.results.length]).to.deep.equal([1, '2.1.0', 2]);
  });

  it('print the plan of a deployment when there are inputs', async () => {
    const { output } = await gantry('plan', join(folder, 'shop'), '-i', 'name=eve');
    const plan = JSON.parse(output) as { nodes: { id: string; properties: object }[]; node_instances: object[] };
    expect(plan.nodes.find(({ id }) => id === 'app')?.properties).to.include({ resource_id: 'eve' });
    expect(plan.node_instances).to.have.length(2);
    const refused = await gantry('plan', join(folder, 'shop'), '-i', 'other=1');
    expect([refused.code, refused.errors]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && text.includes('inputs'),
    );
  });

  it('draw the topology', async () => {
    for (const [format, says] of [
      ['mermaid', 'subgraph n0["host'],
      ['dot', 'subgraph cluster_0'],
      ['svg', 'class="container"'],
    ] as const) {
      expect((await gantry('graph', join(folder, 'shop'), '--format', format)).output).to.contain(says);
    }
    const file = join(folder, 'topology.svg');
    await gantry('graph', join(folder, 'shop'), '--format', 'svg', '-o', file);
    expect(await readFile(file, 'utf8')).to.match(/^<svg /);
  });

  it('print the schema of a version', async () => {
    const { output } = await gantry('schema', '--dsl-version', 'cloudify_dsl_1_3');
    expect((JSON.parse(output) as { title: string }).title).to.contain('cloudify_dsl_1_3');
  });

  it('say that there is no blueprint', async () => {
    expect((await gantry('validate', join(folder, 'nothing.yaml'))).errors).to.contain('There is no file or folder');
    expect((await gantry('validate', folder)).errors).to.contain('has no YAML file');
  });
});
