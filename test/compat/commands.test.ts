import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { Cfy, clientEnvironment } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';
import { cleanEnvironment, runProgram } from '../kit/program.ts';
import { cfyCommands, untried } from './commands/all.ts';
import { administrationGroups } from './commands/administration.ts';
import { resourceGroups } from './commands/resources.ts';
import { commandOf, wordsOf } from './commands/step.ts';
import { tarGz } from '../unit/files/archives.ts';

/** The smallest PNG image. */
const icon = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=',
  'base64',
);
const pluginYaml = (version: string): string => `plugins:
  tools:
    executor: central_deployment_agent
    package_name: tools
    package_version: ${version}
`;
const pluginArchive = (version: string): Buffer =>
  tarGz([
    { name: 'tools/package.json', content: JSON.stringify({ name: 'tools', version, main: 'index.js' }) },
    { name: 'tools/index.js', content: 'export async function use() {}\n' },
  ]);
const toolsBlueprint = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'plugin:tools']
node_templates:
  tool:
    type: cloudify.nodes.Root
    interfaces: { cloudify.interfaces.lifecycle: { create: tools.use } }
`;
const madeFiles = {
  'icon.png': icon,
  'pluginYaml.yaml': pluginYaml('1.0.0'),
  'plugin.wgn': pluginArchive('1.0.0'),
  'newPluginYaml.yaml': pluginYaml('1.1.0'),
  'newPlugin.wgn': pluginArchive('1.1.0'),
  'tools.yaml': toolsBlueprint,
};

describe('every command of the unmodified cfy', function () {
  this.timeout(600_000);
  const kept = new Map<string, string>();
  let manager: TestManager;
  let cfy: Cfy;
  let folder: string;

  before(async () => {
    [manager, cfy] = await Promise.all([startEmbeddedManager(), Cfy.make()]);
    folder = await mkdtemp(join(tmpdir(), 'gantry-cfy-work-'));
    const fixtures = join(packageRoot(), 'test', 'fixtures');
    kept.set('work', folder);
    for (const [name, content] of Object.entries(madeFiles)) {
      await writeFile(join(folder, name), content);
      kept.set(name.replace(/\..*/, ''), join(folder, name));
    }
    kept.set('fixture', join(fixtures, 'compat', 'blueprint.yaml'));
    kept.set('standalone', join(fixtures, 'compat-standalone', 'blueprint.yaml'));
    kept.set('broken', join(fixtures, 'compat-broken', 'blueprint.yaml'));
    const { hostname, port } = new URL(manager.url);
    kept.set('host', hostname);
    kept.set('port', port);
    kept.set('password', manager.password);
  });

  after(async () => {
    await cfy?.dispose();
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('is in the list of commands', async () => {
    const python = join(await clientEnvironment(), 'python');
    const script = join(packageRoot(), 'test', 'compat', 'list_commands.py');
    const { stdout, stderr } = await runProgram(python, ['-W', 'ignore', script], {
      environment: cleanEnvironment({ CFY_WORKDIR: folder }),
    });
    expect(stdout.trim().split('\n'), stderr).to.deep.equal(cfyCommands);
  });

  it('is tried, or it is said why not', () => {
    const tried = new Set([...resourceGroups, ...administrationGroups].flatMap(({ steps }) => steps.map(commandOf)));
    const missing = cfyCommands.filter((command) => !tried.has(command) && !Object.hasOwn(untried, command));
    expect(missing).to.deep.equal([]);
  });

  for (const { group, steps } of [...resourceGroups, ...administrationGroups]) {
    describe(group, () => {
      for (const { line, prints, refused, keeps } of steps) {
        it(`${refused ? 'refuses' : 'runs'} cfy ${line}`, async () => {
          const { code, stdout, stderr } = await cfy.run(...wordsOf(line, kept));
          const output = `${stdout}${stderr}`;
          expect(code === 0, output).to.equal(refused === undefined);
          expect(output).to.match(refused ?? prints ?? /^/);
          for (const [name, pattern] of Object.entries(keeps ?? {})) {
            const found = pattern
              .exec(output)
              ?.slice(1)
              .find((part) => part !== undefined);
            expect(found, `${name} in ${output}`).to.be.a('string');
            kept.set(name, found ?? '');
          }
        });
      }
    });
  }
});
