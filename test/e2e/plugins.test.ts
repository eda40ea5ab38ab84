import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { deploy, mustRun } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { tarGz, zip } from '../unit/files/archives.ts';

const pluginYaml = `
plugins:
  greeter:
    executor: central_deployment_agent
    package_name: greeter
    package_version: 1.0.0
`;

const description = JSON.stringify({ name: 'greeter', version: '1.0.0', type: 'module', main: 'index.js' });
const module = `
export async function greet(ctx) {
  const properties = await ctx.instance.runtimeProperties();
  properties.set('greeting', 'Hello, ' + ctx.inputs.who);
  ctx.logger.info('Greeting ' + ctx.inputs.who);
}
`;

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports:
  - cloudify/types/types.yaml
  - plugin:greeter
node_templates:
  door:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: greeter.greet
          inputs:
            who: you
outputs:
  greeting:
    value: { get_attribute: [door, greeting] }
`;

describe('an uploaded plugin', function () {
  this.timeout(120_000);
  let manager: EmbeddedManager;
  let folder: string;

  before(async () => {
    manager = await startEmbeddedManager();
    folder = await mkdtemp(join(tmpdir(), 'gantry-plugin-'));
  });

  after(async () => {
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('runs the operations of blueprints that import it', async () => {
    const wagon = tarGz([
      { name: 'greeter/package.json', content: description },
      { name: 'greeter/index.js', content: module },
    ]);
    const file = join(folder, 'greeter.zip');
    await writeFile(
      file,
      zip([
        { name: 'greeter.wgn', content: wagon },
        { name: 'plugin.yaml', content: pluginYaml },
      ]),
    );
    const uploaded = await manager.gantry('plugins', 'upload', file);
    expect(uploaded.code, uploaded.stderr).to.equal(0);
    await deploy(manager.client, 'door', blueprint);
    await mustRun(manager.client, 'door', 'install');
    expect(await manager.client.deployments.outputs('door')).to.deep.equal({ greeting: 'Hello, you' });
  });
});
