import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { tarGz, zip } from '../unit/files/archives.ts';
import { RestService } from './kit.ts';
import { UpdateDriver } from './update-kit.ts';

interface PluginsUpdate {
  id: string;
  state: string;
  blueprint_id: string;
  temp_blueprint_id: string | null;
  execution_id: string;
  deployments_per_tenant: Record<string, string[]> | null;
  forced: boolean;
}

const yaml = (name: string, version: string): string => `plugins:
  ${name}:
    executor: central_deployment_agent
    package_name: ${name}
    package_version: '${version}'
node_types:
  ${name}.Node:
    derived_from: cloudify.nodes.Root
    properties:
      made_by: { default: '${name} ${version}' }
    interfaces:
      cloudify.interfaces.lifecycle:
        create: ${name}.create
`;

const blueprint = `tosca_definitions_version: cloudify_dsl_1_4
description: Uses two plugins.
imports:
  - cloudify/types/types.yaml
  - plugin:thing
  - plugin:other
node_templates:
  one: { type: thing.Node }
  two: { type: other.Node }
`;

describe('updates of plugins', function () {
  this.timeout(300_000);
  let rest: RestService;
  let driver: UpdateDriver;
  /** Operations go on when it resolves. */
  let held: Promise<void> = Promise.resolve();

  async function upload(name: string, version: string): Promise<void> {
    const wagon = tarGz([{ name: `${name}/package.json`, content: JSON.stringify({ name, version, main: 'x.js' }) }]);
    const raw = zip([
      { name: `${name}-${version}.wgn`, content: wagon },
      { name: 'plugin.yaml', content: yaml(name, version) },
    ]);
    const answer = await rest.call('POST', '/plugins', { raw });
    expect(answer.status, answer.text).to.equal(201);
  }

  async function initiate(id: string, body: object = { all_to_latest: true }): Promise<PluginsUpdate> {
    const answer = await rest.call('POST', `/plugins-updates/${id}/update/initiate`, { body });
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<PluginsUpdate>();
  }

  async function get(id: string): Promise<PluginsUpdate> {
    return (await rest.call('GET', `/plugins-updates/${id}`)).json<PluginsUpdate>();
  }

  /** Versions of the plugins that a blueprint installs. */
  async function versionsOf(id: string): Promise<string[]> {
    const { plan } = (await rest.call('GET', `/blueprints/${id}`)).json<{
      plan: { deployment_plugins_to_install: { package_name: string; package_version: string }[] };
    }>();
    return plan.deployment_plugins_to_install
      .map(({ package_name: name, package_version: version }) => `${name} ${version}`)
      .sort();
  }

  async function madeBy(deploymentId: string): Promise<unknown[]> {
    const nodes = await rest.call('GET', `/nodes?deployment_id=${deploymentId}&_sort=id`);
    return nodes
      .json<{ items: { properties: { made_by: string } }[] }>()
      .items.map(({ properties }) => properties.made_by);
  }

  async function blueprintOf(deploymentId: string): Promise<string> {
    return (await rest.call('GET', `/deployments/${deploymentId}`)).json<{ blueprint_id: string }>().blueprint_id;
  }

  /** What is left of the files of its temporary blueprint. */
  async function filesOf({ temp_blueprint_id: id }: PluginsUpdate): Promise<'gone' | undefined> {
    const directory = rest.services.files.blueprintDirectory('default_tenant', id ?? '');
    return access(directory).then(
      () => undefined,
      () => 'gone' as const,
    );
  }

  async function hiddenBlueprints(): Promise<unknown[]> {
    return (await rest.call('GET', '/blueprints?is_hidden=true')).json<{ items: unknown[] }>().items;
  }

  before(async () => {
    rest = await RestService.start({
      hasScheduler: true,
      run: async () => {
        await held;
        return { ok: true, result: null };
      },
    });
    driver = new UpdateDriver(rest);
    await upload('thing', '1.0.0');
    await upload('other', '1.0.0');
    for (const id of ['app', 'pinned']) {
      const text = id === 'pinned' ? blueprint.replace('plugin:thing', 'plugin:thing?version=1.0.0') : blueprint;
      const answer = await rest.upload(id, { 'blueprint.yaml': text, 'scripts/x.sh': 'echo x' });
      expect(answer.status, answer.text).to.equal(201);
    }
    await driver.deploy('first', 'app');
    await driver.deploy('second', 'app');
  });

  after(() => rest?.stop());

  it('change nothing when all plugins are up to date', async () => {
    const update = await initiate('app');
    expect(update).to.include({
      state: 'no_changes_required',
      blueprint_id: 'app',
      temp_blueprint_id: null,
      forced: false,
    });
    const execution = (await rest.call('GET', `/executions/${update.execution_id}`)).json<object>();
    expect(execution).to.include({ workflow_id: 'update_plugin', status: 'terminated', is_system_workflow: true });
  });

  it('bring the deployments and then the blueprint to the newest versions', async () => {
    await upload('thing', '1.5.0');
    await upload('thing', '2.0.0');
    await upload('other', '1.1.0');
    const update = await initiate('app');
    expect(update).to.deep.include({
      state: 'executing_workflow',
      deployments_per_tenant: { default_tenant: ['first', 'second'] },
    });
    expect(update.temp_blueprint_id).to.match(/^plugins-update-\d{8}T[\d.]+-app$/);
    const ended = await driver.ended(update.execution_id);
    expect(ended.status, ended.error).to.equal('terminated');
    expect(await get(update.id)).to.include({ state: 'successful', temp_blueprint_id: null });
    expect(await versionsOf('app')).to.deep.equal(['other 1.1.0', 'thing 2.0.0']);
    for (const id of ['first', 'second']) {
      expect(await blueprintOf(id)).to.equal('app');
      expect(await madeBy(id)).to.deep.equal(['thing 2.0.0', 'other 1.1.0']);
    }
    const nodes = await rest.call('GET', '/nodes?deployment_id=first&_sort=id');
    const used = nodes.json<{ items: { plugins: { name: string; package_version: string }[] }[] }>().items;
    expect(used.flatMap(({ plugins }) => plugins.map((plugin) => plugin.package_version))).to.deep.equal([
      '2.0.0',
      '1.1.0',
    ]);
    const history = (await rest.call('GET', '/deployment-updates?deployment_id=first')).json<{ items: object[] }>();
    expect(history.items[0]).to.include({ state: 'successful', old_blueprint_id: 'app', new_blueprint_id: 'app' });
    expect(await hiddenBlueprints()).to.deep.equal([]);
    expect(await filesOf(update)).to.equal('gone');
    const events = await rest.call('GET', `/events?execution_id=${update.execution_id}&event_type=workflow_stage`);
    expect(events.json<{ items: object[] }>().items).to.have.length(2);
  });

  const choices: [string, object, string[]][] = [
    ['nothing but the plugins named', { all_to_latest: true, plugin_names: ['other'] }, ['other 2.0.0', 'thing 2.0.0']],
    ['within the major version', { all_to_minor: true }, ['other 1.2.0', 'thing 2.1.0']],
    ['some further than others', { all_to_minor: true, to_latest: ['thing'] }, ['other 1.2.0', 'thing 3.0.0']],
    ['some less far than others', { all_to_latest: true, to_minor: ['other'] }, ['other 1.2.0', 'thing 3.0.0']],
    [
      'to a version named for an import',
      { mapping: { updates: [{ 'plugin:thing': { plugin_name: 'thing', suggested_version: '1.5.0' } }] } },
      ['other 2.0.0', 'thing 1.5.0'],
    ],
  ];
  for (const [index, [what, body, versions]] of choices.entries()) {
    it(`change ${what}`, async () => {
      if (index === 0) {
        await upload('thing', '2.1.0');
        await upload('thing', '3.0.0');
        await upload('other', '1.2.0');
        await upload('other', '2.0.0');
      }
      const id = `chosen-${index}`;
      const old = blueprint
        .replace('plugin:thing', 'plugin:thing?version=2.0.0')
        .replace('plugin:other', 'plugin:other?version=1.1.0');
      expect((await rest.upload(id, { 'blueprint.yaml': old })).status).to.equal(201);
      // the plan stays as it was, the imports from now on leave the choice
      const directory = rest.services.files.blueprintDirectory('default_tenant', id);
      await writeFile(join(directory, 'blueprint.yaml'), blueprint);
      const update = await initiate(id, body);
      await driver.ended(update.execution_id);
      expect(await get(update.id)).to.include({ state: 'successful' });
      expect(await versionsOf(id)).to.deep.equal(versions);
    });
  }

  it('respect versions that the blueprint asks for', async () => {
    const update = await initiate('pinned');
    await driver.ended(update.execution_id);
    expect(await versionsOf('pinned')).to.deep.equal(['other 2.0.0', 'thing 1.0.0']);
  });

  it('fail when a deployment cannot be updated, and release the others', async () => {
    await upload('thing', '4.0.0');
    await rest.call('PUT', '/deployments/inter-deployment-dependencies', {
      body: { dependency_creator: 'sharedresource.x', source_deployment: 'second', target_deployment: 'first' },
    });
    const update = await initiate('app');
    const ended = await driver.ended(update.execution_id);
    expect(ended).to.include({ status: 'failed' });
    expect(ended.error).to.match(/not updated: first of default_tenant/);
    expect(await get(update.id)).to.include({ state: 'failed', temp_blueprint_id: null });
    expect(await versionsOf('app')).to.deep.equal(['other 1.1.0', 'thing 2.0.0']);
    expect(await Promise.all(['first', 'second'].map(blueprintOf))).to.deep.equal(['app', 'app']);
    expect(await hiddenBlueprints()).to.deep.equal([]);
    const resumed = await rest.call('POST', `/executions/${update.execution_id}`, { body: { action: 'resume' } });
    expect(resumed.status).to.equal(200);
    expect((await driver.ended(update.execution_id)).error).to.match(/is failed\. Start a new one/);
  });

  it('ignore dependents when forced', async () => {
    const update = await initiate('app', { all_to_latest: true, force: true });
    const ended = await driver.ended(update.execution_id);
    expect(ended.status, ended.error).to.equal('terminated');
    expect(await versionsOf('app')).to.deep.equal(['other 2.0.0', 'thing 4.0.0']);
    expect(await madeBy('first')).to.deep.equal(['thing 4.0.0', 'other 2.0.0']);
  });

  it('wait for what runs on a deployment, while others wait for them', async () => {
    await upload('thing', '5.0.0');
    await rest.database.query('delete from inter_deployment_dependencies');
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    const busy = await rest.call('POST', '/executions', {
      body: {
        deployment_id: 'second',
        workflow_id: 'execute_operation',
        parameters: { operation: 'cloudify.interfaces.lifecycle.create' },
      },
    });
    expect(busy.status, busy.text).to.equal(201);
    const update = await initiate('app', { all_to_latest: true });
    const blocked = await rest.call('POST', '/executions', {
      body: { deployment_id: 'first', workflow_id: 'heal', parameters: {} },
    });
    expect(blocked.json<object>()).to.include({ status: 'queued' });
    expect(await get(update.id)).to.include({ state: 'executing_workflow' });
    const again = await rest.call('POST', '/plugins-updates/app/update/initiate', { body: { force: true } });
    expect([again.status, again.json<{ error_code: string }>().error_code]).to.deep.equal([409, 'conflict_error']);
    const early = await rest.call('POST', `/plugins-updates/${update.id}/update/finalize`);
    expect([early.status, early.json<{ error_code: string }>().error_code]).to.deep.equal([
      400,
      'illegal_action_error',
    ]);
    release();
    const ended = await driver.ended(update.execution_id);
    expect(ended.status, ended.error).to.equal('terminated');
    expect(await madeBy('second')).to.deep.equal(['thing 5.0.0', 'other 2.0.0']);
    expect(await driver.ended(blocked.json<{ id: string }>().id)).to.include({ status: 'terminated' });
  });

  it('release everything when they are cancelled', async () => {
    await upload('thing', '6.0.0');
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    const body = { operation: 'cloudify.interfaces.lifecycle.create' };
    await rest.call('POST', '/executions', {
      body: { deployment_id: 'second', workflow_id: 'execute_operation', parameters: body },
    });
    const update = await initiate('app');
    const cancel = await rest.call('POST', `/executions/${update.execution_id}`, { body: { action: 'cancel' } });
    expect(cancel.status, cancel.text).to.equal(200);
    expect(await driver.ended(update.execution_id)).to.include({ status: 'cancelled' });
    release();
    expect(await get(update.id)).to.include({ state: 'failed', temp_blueprint_id: null });
    expect(await versionsOf('app')).to.deep.equal(['other 2.0.0', 'thing 5.0.0']);
    expect(await hiddenBlueprints()).to.deep.equal([]);
    expect(await filesOf(update)).to.equal('gone');
  });

  it('are stored as they were when they are restored', async () => {
    const body = {
      state: 'failed',
      update_id: 'past',
      force: true,
      affected_deployments: ['first'],
      created_at: '2020-02-02T02:02:02.000Z',
    };
    const path = '/plugins-updates/app/update/initiate';
    const answer = await rest.call('POST', path, { body });
    expect(answer.status, answer.text).to.equal(200);
    expect(answer.json<object>()).to.deep.include({
      id: 'past',
      state: 'failed',
      forced: true,
      deployments_to_update: ['first'],
      created_at: body.created_at,
      execution_id: null,
    });
    expect((await rest.call('POST', path, { body })).status).to.equal(409);
    expect((await rest.call('POST', path, { body: { ...body, state: null } })).status).to.equal(400);
  });

  it('are checked when a client reports that they have ended', async () => {
    const path = '/plugins-updates/app/update/initiate';
    await rest.call('POST', path, { body: { state: 'executing_workflow', update_id: 'left' } });
    expect((await rest.call('POST', path, { body: { plugin_names: ['none'] } })).status).to.equal(409);
    const update = await initiate('app', { plugin_names: ['none'], reevaluate_active_statuses: true });
    expect(update.state).to.equal('no_changes_required');
    expect(await get('left')).to.include({ state: 'failed' });
  });

  const refusals: [string, string, object, number, string][] = [
    ['of a blueprint nobody knows', '/plugins-updates/moon/update/initiate', {}, 404, 'not_found_error'],
    ['that nobody knows', '/plugins-updates/moon/update/finalize', {}, 404, 'not_found_error'],
    ['that has ended', '/plugins-updates/past/update/finalize', {}, 400, 'illegal_action_error'],
    [
      'to a version that is not there',
      '/plugins-updates/app/update/initiate',
      { mapping: { updates: [{ 'plugin:thing': { plugin_name: 'thing', suggested_version: '77' } }] } },
      400,
      'plugins_update_failed',
    ],
    [
      'of names that are none',
      '/plugins-updates/app/update/initiate',
      { plugin_names: [1] },
      400,
      'bad_parameters_error',
    ],
  ];
  for (const [what, path, body, status, code] of refusals) {
    it(`are refused ${what}`, async () => {
      const answer = await rest.call('POST', path, { body });
      expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([status, code]);
    });
  }
});
