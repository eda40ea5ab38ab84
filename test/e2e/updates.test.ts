import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { mustRun, uploadBlueprint } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { until } from '../kit/until.ts';

const names = ['create', 'start', 'stop', 'delete'];

function node(size: number, target?: string): object {
  const sleep = { implementation: 'gantry.sleep', inputs: { seconds: 0.3, size } };
  return {
    type: 'cloudify.nodes.Root',
    interfaces: { 'cloudify.interfaces.lifecycle': Object.fromEntries(names.map((name) => [name, sleep])) },
    ...(target === undefined ? {} : { relationships: [{ type: 'cloudify.relationships.depends_on', target }] }),
  };
}

function blueprint(nodes: object): string {
  return stringify({
    tosca_definitions_version: 'cloudify_dsl_1_3',
    imports: ['cloudify/types/types.yaml'],
    plugins: { gantry: { executor: 'central_deployment_agent', install: false } },
    node_templates: nodes,
  });
}

describe('updates of a deployment', function () {
  this.timeout(180_000);
  let manager: EmbeddedManager;
  let folder: string;

  before(async () => {
    manager = await startEmbeddedManager();
    folder = await mkdtemp(join(tmpdir(), 'gantry-updates-'));
    await writeFile(join(folder, 'one.yaml'), blueprint({ kept: node(1), old: node(1, 'kept'), changed: node(1) }));
    await writeFile(join(folder, 'two.yaml'), blueprint({ kept: node(1), fresh: node(1, 'kept'), changed: node(2) }));
    await uploadBlueprint(manager.client, 'one', join(folder, 'one.yaml'));
    await manager.client.deployments.create('app', 'one');
    await mustRun(manager.client, 'app', 'install');
  });

  after(async () => {
    await manager?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('are shown by the command line before they are made', async () => {
    const words = ['deployments', 'update', 'app', join(folder, 'two.yaml'), '-b', 'two', '--preview'];
    const { code, stdout, stderr } = await manager.gantry(...words);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/Update of app \(one -> two\); nothing has been changed yet/);
    expect(stdout).to.match(/\+[^\n]*add[^\n]*node[^\n]*fresh/);
    expect(stdout).to.match(/-[^\n]*remove[^\n]*node[^\n]*old/);
    expect(stdout).to.contain('Node instances: 1 to install, 1 to uninstall, 0 with other relationships');
    const json = await manager.gantry('deployments', 'update', 'app', 'two', '--preview', '--json');
    const update = JSON.parse(json.stdout) as { state: string; steps: object[]; deployment_plan?: object };
    expect([update.state, update.deployment_plan]).to.deep.equal(['preview', undefined]);
    expect((await manager.client.deployments.get('app')).blueprint_id).to.equal('one');
  });

  it('go on after the manager was killed, and do nothing twice that was done', async () => {
    const { id: updateId, execution_id: executionId } = await manager.client.deploymentUpdates.start('app', {
      blueprintId: 'two',
    });
    const execution = executionId ?? '';
    await until('operations', async () => (await manager.client.executions.get(execution)).finished_operations > 8);
    await manager.program.kill();
    const again = await startEmbeddedManager({ dataDir: manager.dataDir });
    manager = { ...again, stop: manager.stop.bind(again) };
    await until('the execution', async () => (await manager.client.executions.get(execution)).ended_at !== null);
    const ended = await manager.client.executions.get(execution);
    expect(ended.status, ended.error ?? '').to.equal('terminated');
    expect((await manager.client.deploymentUpdates.get(updateId)).state).to.equal('successful');
    const { items } = await manager.client.deployments.nodeInstances({ filters: { deployment_id: 'app' } });
    expect(items.map(({ node_id: name, state }) => `${name} ${state}`).sort()).to.deep.equal([
      'changed started',
      'fresh started',
      'kept started',
    ]);
    const events = await manager.client.executions.events({ filters: { execution_id: execution }, size: 1000 });
    const done = events.items
      .filter(({ event_type: type, operation }) => type === 'task_succeeded' && operation !== null)
      .map(({ node_instance_id: id, operation }) => `${id?.split('_')[0] ?? ''}.${operation?.split('.').at(-1) ?? ''}`);
    expect([...done].sort()).to.deep.equal(
      ['old.stop', 'old.delete', 'fresh.create', 'fresh.start', ...names.map((name) => `changed.${name}`)].sort(),
    );
  });

  it('are listed with what they were between', async () => {
    const { stdout } = await manager.gantry('deployments', 'history', 'app');
    expect(stdout).to.match(/successful[^\n]*one[^\n]*two/);
  });
});
