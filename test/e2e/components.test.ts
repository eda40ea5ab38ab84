import { mkdtemp, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { GantryClient } from '../../src/client/client.ts';
import { followExecution } from '../../src/client/follow.ts';
import { deploy, mustRun, runWorkflow } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { until } from '../kit/until.ts';

/** Greets as its input says; starting it takes a while. */
const child = `
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins:
  gantry: { executor: central_deployment_agent, install: false }
inputs:
  greeting: { default: hello }
  seconds: { default: 0 }
node_templates:
  inner:
    type: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: gantry.log
          inputs: { message: { concat: ['inner says ', { get_input: greeting }] } }
        start:
          implementation: gantry.sleep
          inputs: { seconds: { get_input: seconds } }
capabilities:
  greeting: { value: { get_input: greeting } }
`;

const parent = (deployment: string, more = ''): string => `
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  seconds: { default: 0 }
plugins:
  gantry: { executor: central_deployment_agent, install: false }
node_templates:
  part:
    type: cloudify.nodes.Component
    properties:
      resource_config:
        blueprint: { id: child-of-${deployment}, blueprint_archive: inner, main_file_name: blueprint.yaml }
        deployment:
          id: ${deployment}-part
          inputs: { greeting: hi, seconds: { get_input: seconds } }
          labels: [{ tier: inner }]
${more}
  reader:
    type: cloudify.nodes.Root
    relationships: [{ type: cloudify.relationships.depends_on, target: part }]
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: gantry.set_runtime_properties
          inputs: { properties: { heard: { get_attribute: [part, capabilities, greeting] } } }
outputs:
  heard: { value: { get_attribute: [reader, heard] } }
`;

const sharing = `
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  shared:
    type: cloudify.nodes.SharedResource
    properties: { resource_config: { deployment: { id: common } } }
  password:
    type: cloudify.nodes.PasswordSecret
    properties: { length: 20, digits: 4, symbols: -1, secret_name: made-up }
outputs:
  heard: { value: { get_attribute: [shared, capabilities, greeting] } }
`;

const files = { 'inner/blueprint.yaml': child };

describe('components and shared resources', function () {
  this.timeout(180_000);
  let manager: EmbeddedManager;
  let client: GantryClient;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gantry-components-'));
    await chmod(folder, 0o755);
    manager = await startEmbeddedManager({ dataDir: folder });
    client = manager.client;
  });

  after(async () => {
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const isGone = async (call: Promise<unknown>): Promise<boolean> =>
    call.then(
      () => false,
      (error: Error) => error.message.includes('not found'),
    );

  /** Waits until an execution of a workflow on a deployment has a status. @returns its id */
  const reaches = (deployment: string, workflow: string, status: string): Promise<string> =>
    until(`${workflow} of ${deployment} to be ${status}`, async () => {
      const { items } = await client.executions.list({
        filters: { deployment_id: deployment, workflow_id: workflow, status },
      });
      return items.at(-1)?.id;
    });

  it('come and go with their deployment', async () => {
    await deploy(client, 'whole', parent('whole'), files);
    const { events } = await mustRun(client, 'whole', 'install');
    expect(await client.deployments.outputs('whole')).to.deep.equal({ heard: 'hi' });
    const part = await client.deployments.get('whole-part');
    expect(part).to.include({ blueprint_id: 'child-of-whole', installation_status: 'active' });
    const labels = part.labels.map(({ key, value }) => `${key}=${value}`).sort();
    expect(labels).to.deep.equal(['csys-obj-parent=whole', 'tier=inner']);
    expect(await client.deployments.get('whole')).to.include({ sub_services_count: 1, deployment_status: 'good' });
    const lines = events.map(({ message }) => message);
    expect(lines).to.include('[whole-part] inner says hi');
    const refused = await client.deployments.delete('whole-part').then(
      () => '',
      (error: Error) => error.message,
    );
    expect(refused).to.contain('Deployment `whole` contains the current deployment in its node `part_');

    await mustRun(client, 'whole', 'uninstall');
    expect(await isGone(client.deployments.get('whole-part'))).to.equal(true);
    expect(await isGone(client.blueprints.get('child-of-whole'))).to.equal(true);
    await mustRun(client, 'whole', 'install');
    await mustRun(client, 'whole', 'uninstall');
  });

  it('are updated with their deployment', async () => {
    await deploy(client, 'changing', parent('changing'), files);
    await mustRun(client, 'changing', 'install');
    const { execution_id: id } = await client.transport.json<{ execution_id: string }>(
      'POST',
      '/deployment-updates/changing/update/initiate',
      { body: { inputs: { seconds: 1 } } },
    );
    const ended = await followExecution(client, id, { onEvents: () => undefined, patience: 60_000 });
    expect(ended.error ?? '').to.equal('');
    expect((await client.deployments.get('changing-part')).inputs).to.include({ seconds: 1 });
    const { items } = await client.executions.list({
      filters: { deployment_id: 'changing-part', workflow_id: 'update' },
    });
    expect(items.map(({ status }) => status)).to.deep.equal(['terminated']);
  });

  it('say why they could not be installed', async () => {
    await deploy(client, 'bad', parent('bad'), {
      'inner/blueprint.yaml': child.replace('gantry.sleep', 'gantry.nope'),
    });
    const { execution } = await runWorkflow(client, 'bad', 'install');
    expect(execution.status).to.equal('failed');
    expect(execution.error).to.contain('Error in execute_start');
    expect(execution.error).to.contain("has no function 'nope'");
    await deploy(
      client,
      'nowhere',
      parent('nowhere').replace('blueprint_archive: inner', 'blueprint_archive: outer'),
      files,
    );
    const { execution: other } = await runWorkflow(client, 'nowhere', 'install');
    expect(other.error).to.contain('Error in upload_blueprint: blueprint_archive outer: neither a URL nor a file');
  });

  it('are cancelled with their deployment, and resumed with it', async () => {
    await deploy(client, 'halted', parent('halted'), files, { seconds: 3 });
    const { id } = await client.executions.start('halted', 'install');
    await reaches('halted-part', 'install', 'started');
    await client.executions.act(id, 'force-cancel');
    const inner = await reaches('halted-part', 'install', 'cancelled');
    await followExecution(client, id, { onEvents: () => undefined, patience: 60_000 });
    await client.executions.act(id, 'resume');
    const ended = await followExecution(client, id, { onEvents: () => undefined, patience: 60_000 });
    expect(ended.error ?? '').to.equal('');
    expect(ended.status).to.equal('terminated');
    const { items } = await client.executions.list({
      filters: { deployment_id: 'halted-part', workflow_id: 'install' },
    });
    expect(items.map((execution) => [execution.id, execution.status])).to.deep.equal([[inner, 'terminated']]);
  });

  it('go on with the one execution they started when the manager dies', async () => {
    await deploy(client, 'killed', parent('killed'), files, { seconds: 4 });
    const { id } = await client.executions.start('killed', 'install');
    await reaches('killed-part', 'install', 'started');
    await manager.program.kill();
    manager.client.close();
    manager = await startEmbeddedManager({ dataDir: folder, environment: { GANTRY_STALE_AFTER: '2' } });
    client = manager.client;
    const ended = await followExecution(client, id, { onEvents: () => undefined, patience: 90_000 });
    expect(ended.error ?? '').to.equal('');
    expect(ended.status).to.equal('terminated');
    const { items } = await client.executions.list({
      filters: { deployment_id: 'killed-part', workflow_id: 'install' },
    });
    expect(items.map(({ status }) => status)).to.deep.equal(['terminated']);
  });

  it('share a deployment that is installed on demand, and make up passwords', async () => {
    await deploy(client, 'common', child);
    await client.deployments.updateLabels('common', [{ key: 'csys-obj-type', value: 'on-demand-resource' }]);
    await deploy(client, 'sharing', sharing);
    await mustRun(client, 'sharing', 'install');
    expect(await client.deployments.outputs('sharing')).to.deep.equal({ heard: 'hello' });
    expect(await client.deployments.get('common')).to.include({ installation_status: 'active' });
    const value = String((await client.secrets.get('made-up')).value);
    expect(value).to.match(/^[A-Za-z0-9]{20}$/);
    expect(value.replaceAll(/[^0-9]/g, '').length).to.be.at.least(4);

    await mustRun(client, 'sharing', 'uninstall');
    expect(await client.deployments.get('common')).to.include({ installation_status: 'inactive' });
    expect(await isGone(client.secrets.get('made-up'))).to.equal(true);
  });
});
