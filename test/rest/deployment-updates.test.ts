import { expect } from 'chai';
import { RestService } from './kit.ts';
import { Journal, link, UpdateDriver } from './update-kit.ts';
import type { BlueprintParts } from './update-kit.ts';

const thing = { type: 'thing' };

describe('deployment updates', function () {
  this.timeout(60_000);
  const journal = new Journal();
  let rest: RestService;
  let driver: UpdateDriver;

  before(async () => {
    rest = await RestService.start({ run: journal.run });
    driver = new UpdateDriver(rest);
  });

  after(() => rest?.stop());

  /** A deployment `name`, installed from the first blueprint, and the second one uploaded as `name-next`. */
  async function prepare(name: string, before: BlueprintParts, after: BlueprintParts): Promise<void> {
    await driver.upload(name, before);
    await driver.upload(`${name}-next`, after);
    await driver.deploy(name, name);
    journal.take();
  }

  it('adds and removes nodes and relationships in the order of lifecycle dependencies', async () => {
    await prepare(
      'shape',
      { nodes: { old: thing, kept: { ...thing, relationships: [link('old')] } } },
      { nodes: { kept: { ...thing, relationships: [link('fresh')] }, fresh: thing } },
    );
    const update = await driver.update('shape', { blueprint_id: 'shape-next' });
    expect(update.error).to.equal('');
    expect(update).to.include({ state: 'successful', old_blueprint_id: 'shape', new_blueprint_id: 'shape-next' });
    expect(update.steps.map(({ action, entity_id: entity }) => `${action} ${entity.join(':')}`)).to.deep.equal([
      'remove nodes:kept:relationships:0',
      'remove nodes:old',
      'add nodes:fresh',
      'add nodes:kept:relationships:0',
    ]);
    const removals = journal.calls.filter(({ name }) => /unlink|^old/.test(name));
    expect(new Set(removals.map(({ blueprint }) => blueprint))).to.deep.equal(new Set(['shape']));
    expect(journal.take()).to.deep.equal([
      'kept.unlink>old',
      'old.stop',
      'old.delete',
      'fresh.create',
      'fresh.start',
      'kept.establish>fresh',
    ]);
    expect(await driver.instances('shape')).to.deep.equal(['fresh(started)', 'kept(started) -> linked:fresh']);
    expect(await driver.deployment('shape')).to.include({ blueprint_id: 'shape-next', deployment_status: 'good' });
  });

  it('replaces a relationship by one of another type to the same node', async () => {
    await prepare(
      'retype',
      { nodes: { target: thing, kept: { ...thing, relationships: [link('target')] } } },
      { nodes: { target: thing, kept: { ...thing, relationships: [link('target', 'joined')] } } },
    );
    expect((await driver.update('retype', { blueprint_id: 'retype-next' })).error).to.equal('');
    expect(journal.take()).to.deep.equal(['kept.unlink>target', 'kept.establish>target']);
    expect(await driver.instances('retype')).to.deep.equal(['kept(started) -> joined:target', 'target(started)']);
  });

  it('updates what can be updated, reinstalls what cannot, and takes over new inputs', async () => {
    const nodes = {
      plain: { ...thing, properties: { size: { get_input: 'size' } } },
      smooth: { type: 'updatable', properties: { size: { get_input: 'size' } } },
      other: thing,
    };
    const inputs = { size: { default: 1 }, unused: { default: 'x' } };
    await driver.upload('sizes', { nodes, rest: { inputs } });
    await driver.deploy('sizes', 'sizes', { size: 2 });
    journal.take();
    const update = await driver.update('sizes', { inputs: { size: 3 } });
    expect(update).to.deep.include({
      state: 'successful',
      old_inputs: { size: 2, unused: 'x' },
      new_inputs: { size: 3, unused: 'x' },
    });
    expect(journal.take().sort()).to.deep.equal([
      'plain.create',
      'plain.delete',
      'plain.start',
      'plain.stop',
      'smooth.update',
    ]);
    expect(await driver.deployment('sizes')).to.deep.include({ inputs: { size: 3, unused: 'x' } });
    const nodesNow = (await rest.call('GET', '/nodes?deployment_id=sizes')).json<{
      items: { id: string; properties: { size: number } }[];
    }>().items;
    expect(Object.fromEntries(nodesNow.map(({ id, properties }) => [id, properties.size]))).to.deep.equal({
      plain: 3,
      smooth: 3,
      other: 1,
    });
  });

  it('takes over description, outputs, capabilities, workflows, labels and schedules', async () => {
    const workflow = { mapping: 'default_workflows.cloudify.plugins.workflows.execute_operation' };
    await prepare(
      'attributes',
      {
        nodes: { a: thing },
        rest: { description: 'before', outputs: { gone: { value: 1 } }, labels: { kept: { values: ['one'] } } },
      },
      {
        nodes: { a: thing },
        rest: {
          description: 'after',
          outputs: { fresh: { value: 2 } },
          capabilities: { offered: { value: 3 } },
          workflows: { extra: workflow },
          labels: { added: { values: ['two'] } },
          deployment_settings: {
            default_schedules: { nightly: { workflow: 'check_status', since: '+1h', recurrence: '1 day' } },
          },
        },
      },
    );
    const update = await driver.update('attributes', { blueprint_id: 'attributes-next' });
    expect(update.error).to.equal('');
    expect(update.schedules_to_create?.map(({ id }) => id)).to.deep.equal(['nightly']);
    expect(update.labels_to_create).to.deep.equal([{ key: 'added', value: 'two' }]);
    const deployment = await driver.deployment<{
      description: string;
      outputs: object;
      capabilities: object;
      workflows: { name: string }[];
      labels: { key: string; value: string }[];
      updated_at: string | null;
    }>('attributes');
    expect(deployment).to.deep.include({ description: 'after', outputs: { fresh: { value: 2 } } });
    expect(deployment.capabilities).to.deep.equal({ offered: { value: 3 } });
    expect(deployment.workflows.map(({ name }) => name)).to.include('extra');
    expect(deployment.labels.map(({ key, value }) => `${key}:${value}`)).to.deep.equal(['added:two', 'kept:one']);
    expect(deployment.updated_at).to.match(/^\d{4}-/);
    const schedule = await rest.call('GET', '/execution-schedules/nightly?deployment_id=attributes');
    expect(schedule.json()).to.include({ workflow_id: 'check_status' });
    expect(journal.take()).to.deep.equal([]);
  });

  it('keeps the number of instances a node was scaled to, unless the template names one', async () => {
    const counted = (count: number | undefined, size: number) => ({
      nodes: {
        a: { ...thing, properties: { size }, ...(count === undefined ? {} : { instances: { deploy: count } }) },
      },
    });
    await prepare('scaled', counted(undefined, 1), { ...counted(undefined, 1), rest: { description: 'next' } });
    await driver.upload('scaled-less', counted(1, 1));
    await driver.execute('scaled', 'scale', { scalable_entity_name: 'a', delta: 2 });
    journal.take();
    expect((await driver.update('scaled', { blueprint_id: 'scaled-next' })).error).to.equal('');
    expect(await driver.instances('scaled')).to.have.length(3);
    expect(journal.take()).to.deep.equal([]);
    expect((await driver.update('scaled', { blueprint_id: 'scaled-less' })).error).to.equal('');
    expect(await driver.instances('scaled')).to.deep.equal(['a(started)']);
    expect(journal.take().sort()).to.deep.equal(['a.delete', 'a.delete', 'a.stop', 'a.stop']);
    const [node] = (await rest.call('GET', '/nodes?deployment_id=scaled')).json<{ items: object[] }>().items;
    expect(node).to.include({ number_of_instances: 1, planned_number_of_instances: 1 });
  });

  it('shows what a preview would do and leaves the deployment as it is', async () => {
    await prepare('shown', { nodes: { a: thing } }, { nodes: { a: thing, b: thing } });
    const before = await driver.deployment<{ updated_at: unknown; blueprint_id: string }>('shown');
    const update = await driver.initiate('shown', { blueprint_id: 'shown-next', preview: true });
    expect(update.state).to.equal('preview');
    expect(update.steps.map(({ action, entity_id: entity }) => `${action} ${entity.join(':')}`)).to.deep.equal([
      'add nodes:b',
    ]);
    const after = await driver.deployment<{ updated_at: unknown; blueprint_id: string }>('shown');
    expect([after.blueprint_id, after.updated_at]).to.deep.equal([before.blueprint_id, before.updated_at]);
    expect(await driver.instances('shown')).to.deep.equal(['a(started)']);
    expect(journal.take()).to.deep.equal([]);
  });

  it('refuses what cannot be changed before it changes anything', async () => {
    await prepare('fixed', { nodes: { a: thing } }, { nodes: { a: { type: 'updatable' }, b: thing } });
    const update = await driver.update('fixed', { blueprint_id: 'fixed-next' });
    expect(update.state).to.equal('failed');
    expect(update.error).to.match(/^Cannot update: unsupported steps found: modify node nodes\.a/);
    expect(await driver.deployment('fixed')).to.include({ blueprint_id: 'fixed' });
    expect(await driver.instances('fixed')).to.deep.equal(['a(started)']);
  });

  it('continues where it failed when it is resumed', async () => {
    await prepare(
      'broken',
      { nodes: { old: thing, changed: { ...thing, properties: { size: 1 } } } },
      { nodes: { fresh: thing, changed: { ...thing, properties: { size: 2 } } } },
    );
    journal.failing.add('fresh.start');
    const failed = await driver.update('broken', { blueprint_id: 'broken-next' });
    expect(failed.state).to.equal('failed');
    expect(failed.error).to.contain('fresh.start was told to fail');
    const first = journal.take();
    expect(first).to.include.members(['old.delete', 'changed.create', 'fresh.create', 'fresh.start']);
    journal.failing.clear();
    const resumed = await rest.call('POST', `/executions/${failed.execution_id}`, { body: { action: 'resume' } });
    expect(resumed.status, resumed.text).to.equal(200);
    const ended = await driver.ended(failed.execution_id);
    expect(ended.status, ended.error).to.equal('terminated');
    expect((await driver.get(failed.id)).state).to.equal('successful');
    expect(await driver.instances('broken')).to.deep.equal(['changed(started)', 'fresh(started)']);
    const again = journal.take();
    expect(again).to.include('fresh.start');
    expect(again.filter((name) => /^(old|changed)\./.test(name))).to.deep.equal([]);
  });

  it('does not resume an update that another one has overtaken', async () => {
    await prepare('late', { nodes: { a: thing } }, { nodes: { a: thing, b: thing } });
    journal.failing.add('b.create');
    const failed = await driver.update('late', { blueprint_id: 'late-next' });
    expect(failed.state).to.equal('failed');
    journal.failing.clear();
    expect((await driver.update('late', { blueprint_id: 'late' })).error).to.equal('');
    expect(await driver.instances('late')).to.deep.equal(['a(started)']);
    await rest.call('POST', `/executions/${failed.execution_id}`, { body: { action: 'resume' } });
    expect((await driver.ended(failed.execution_id)).error).to.contain('has been updated since');
    expect((await driver.get(failed.id)).state).to.equal('failed');
    expect(await driver.deployment('late')).to.include({ blueprint_id: 'late' });
    journal.take();
  });

  it('runs a workflow of the blueprint instead of its own part', async () => {
    const mapping = 'default_workflows.cloudify.plugins.workflows.execute_operation';
    const parameters = {
      operation: { default: { concat: ['cloudify.interfaces.lifecycle.', { get_input: 'which' }] } },
    };
    const declared = { inputs: { which: { default: 'start' } }, workflows: { own: { mapping, parameters } } };
    await prepare(
      'custom',
      { nodes: { a: thing } },
      { nodes: { a: { ...thing, properties: { size: 2 } } }, rest: declared },
    );
    const update = await driver.update('custom', { blueprint_id: 'custom-next', workflow_id: 'own' });
    expect(update.error).to.equal('');
    expect(journal.take()).to.deep.equal(['a.start']);
    const { items } = (await rest.call('GET', '/executions?deployment_id=custom&workflow_id=own')).json<{
      items: { status: string; parameters: Record<string, unknown> }[];
    }>();
    expect(items[0]).to.include({ status: 'terminated' });
    expect(items[0]?.parameters).to.deep.include({
      update_id: update.id,
      skip_install: false,
      update_plugins: true,
      operation: 'cloudify.interfaces.lifecycle.start',
    });
    journal.failing.add('a.start');
    await driver.upload('custom-last', { nodes: { a: thing }, rest: declared });
    const failed = await driver.update('custom', { blueprint_id: 'custom-last', workflow_id: 'own' });
    expect(failed.error).to.contain('Workflow own');
    journal.failing.clear();
    journal.take();
  });

  it('takes inputs that are functions as they are: they are for the deployment, not for the update', async () => {
    const nodes = { a: { type: 'updatable', properties: { size: { get_input: 'size' } } } };
    await driver.upload('computed', { nodes, rest: { inputs: { size: { default: '1' } } } });
    await driver.deploy('computed', 'computed');
    journal.take();
    const inputs = { size: { concat: ['4', '2'] } };
    const update = await driver.update('computed', { inputs });
    expect(update).to.include({ error: '', state: 'successful' });
    expect(journal.take()).to.deep.equal(['a.update']);
    const execution = await rest.call('GET', `/executions/${update.execution_id}`);
    expect(execution.json<{ parameters: object }>().parameters).to.deep.include({ inputs });
  });

  it('keeps schedules that the new blueprint does not have, and changes those that it has', async () => {
    const schedules = (recurrences: Record<string, string>) => ({
      deployment_settings: {
        default_schedules: Object.fromEntries(
          Object.entries(recurrences).map(([id, recurrence]) => [
            id,
            { workflow: 'check_status', since: '+1h', recurrence },
          ]),
        ),
      },
    });
    await prepare(
      'timed',
      { nodes: { a: thing }, rest: schedules({ kept: '1 day', changed: '1 day' }) },
      { nodes: { a: thing }, rest: schedules({ changed: '2 days' }) },
    );
    expect((await driver.update('timed', { blueprint_id: 'timed-next' })).error).to.equal('');
    const { items } = (await rest.call('GET', '/execution-schedules?deployment_id=timed')).json<{
      items: { id: string; rule: { recurrence: string } }[];
    }>();
    expect(Object.fromEntries(items.map(({ id, rule }) => [id, rule.recurrence]))).to.deep.equal({
      kept: '1 day',
      changed: '2 days',
    });
  });

  it('removes nodes, instances and relationships only after their operations have run', async () => {
    await prepare(
      'leaving',
      { nodes: { old: thing, kept: { ...thing, relationships: [link('old')] } } },
      { nodes: { kept: thing } },
    );
    const seen: Record<string, string[]> = {};
    journal.watch = async (name) => {
      seen[name] = await driver.instances('leaving');
    };
    expect((await driver.update('leaving', { blueprint_id: 'leaving-next' })).error).to.equal('');
    journal.watch = undefined;
    expect(journal.take()).to.deep.equal(['kept.unlink>old', 'old.stop', 'old.delete']);
    expect(seen).to.deep.equal({
      'kept.unlink': ['kept(started) -> linked:old', 'old(started)'],
      'old.stop': ['kept(started) -> linked:old', 'old(stopping)'],
      'old.delete': ['kept(started) -> linked:old', 'old(deleting)'],
    });
    expect(await driver.instances('leaving')).to.deep.equal(['kept(started)']);
    const { items } = (await rest.call('GET', '/nodes?deployment_id=leaving')).json<{ items: { id: string }[] }>();
    expect(items.map(({ id }) => id)).to.deep.equal(['kept']);
  });

  it('keeps the flags: nothing is run for parts that are skipped, but the model changes', async () => {
    await prepare('flags', { nodes: { old: thing } }, { nodes: { fresh: thing } });
    const body = { blueprint_id: 'flags-next', skip_install: true, skip_uninstall: 'true' };
    expect((await driver.update('flags', body)).error).to.equal('');
    expect(journal.take()).to.deep.equal([]);
    expect(await driver.instances('flags')).to.deep.equal(['fresh(uninitialized)']);
  });

  it('reinstalls the instances it is asked to, changed or not', async () => {
    await prepare('again', { nodes: { a: thing, b: thing } }, { nodes: { a: thing, b: thing } });
    const { items } = (await rest.call('GET', '/node-instances?deployment_id=again&node_id=a')).json<{
      items: { id: string }[];
    }>();
    await driver.update('again', { reinstall_list: items.map(({ id }) => id), skip_reinstall: true });
    expect(journal.take()).to.deep.equal(['a.stop', 'a.delete', 'a.create', 'a.start']);
  });

  it('follows what its functions read from other deployments', async () => {
    const reading = (deployment: string) => ({
      nodes: { a: { ...thing, properties: { size: { get_capability: [deployment, 'offered'] } } } },
    });
    for (const id of ['first', 'second']) {
      await driver.upload(id, { nodes: {}, rest: { capabilities: { offered: { value: 1 } } } });
      await driver.deploy(id, id);
    }
    await prepare('reader', reading('first'), reading('second'));
    expect((await driver.update('reader', { blueprint_id: 'reader-next' })).error).to.equal('');
    const { items } = (
      await rest.call('GET', '/deployments/inter-deployment-dependencies?source_deployment_id=reader')
    ).json<{ items: { target_deployment_id: string }[] }>();
    expect(items.map(({ target_deployment_id: target }) => target)).to.deep.equal(['second']);
    const refused = await rest.call('POST', '/deployment-updates/second/update/initiate', { body: { inputs: {} } });
    expect(refused.json()).to.include({ error_code: 'dependent_exists_error' });
    const { items: failed } = (await rest.call('GET', '/deployment-updates?deployment_id=second')).json<{
      items: { state: string; execution_id: string | null }[];
    }>();
    expect(failed.map(({ state, execution_id: execution }) => [state, execution])).to.deep.equal([['failed', null]]);
    const preview = await driver.initiate('second', { preview: true });
    expect(preview.recursive_dependencies).to.deep.equal([
      { deployment: 'reader', dependency_type: 'capability', dependent_node: 'a', tenant: 'default_tenant' },
    ]);
    expect((await driver.update('second', { force: true })).state).to.equal('successful');
    journal.take();
  });

  const wrong: [string, string, object, number, string][] = [
    ['an unknown deployment', 'nowhere', {}, 404, 'not_found_error'],
    ['an unknown blueprint', 'shape', { blueprint_id: 'nowhere' }, 404, 'not_found_error'],
    ['inputs that are no mapping', 'shape', { inputs: [] }, 400, 'bad_parameters_error'],
    ['a switch that is no boolean', 'shape', { skip_install: 'maybe' }, 400, 'bad_parameters_error'],
    ['null for a switch', 'shape', { preview: null }, 400, 'bad_parameters_error'],
  ];
  for (const [what, id, body, status, code] of wrong) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call('POST', `/deployment-updates/${id}/update/initiate`, { body });
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json()).to.include({ error_code: code });
    });
  }

  it('answers other phases with the update, and stores what workflows and restores write', async () => {
    const [known] = (await rest.call('GET', '/deployment-updates?deployment_id=shape')).json<{
      items: { id: string; execution_id: string }[];
    }>().items;
    expect((await rest.call('POST', `/deployment-updates/${known?.id ?? ''}/update/finalize`)).json()).to.include({
      id: known?.id,
    });
    const record = { deployment_id: 'shape', execution_id: known?.execution_id, state: 'successful' };
    const steps = [{ action: 'add', entity_type: 'node', entity_id: ['nodes', 'x'] }];
    const path = '/deployment-updates/restored';
    expect((await rest.call('PUT', path, { body: { deployment_id: 'shape' } })).status).to.equal(403);
    const put = await rest.call('PUT', path, { body: { ...record, inputs: { a: 1 }, blueprint_id: 'shape', steps } });
    expect(put.status, put.text).to.equal(200);
    expect(put.json()).to.deep.include({ state: 'successful', new_inputs: { a: 1 }, new_blueprint_id: 'shape' });
    const patched = await rest.call('PATCH', path, { body: { state: 'failed', nodes: { add: [] }, steps } });
    expect(patched.json<{ steps: object[] }>()).to.include({ state: 'failed' });
    expect(patched.json<{ steps: object[] }>().steps).to.have.length(2);
    const items = [
      { ...record, id: 'bulk-1' },
      { ...record, id: 'bulk-2', steps },
    ];
    const bulk = await rest.call('POST', '/deployment-updates', { body: { deployment_updates: items } });
    expect(bulk.status, bulk.text).to.equal(201);
    const none = await rest.call('POST', '/deployment-updates', { body: { deployment_updates: [] } });
    expect(none.status).to.equal(204);
    const list = await rest.call('GET', '/deployment-updates?_search=bulk-&_sort=id');
    expect(list.json<{ items: { id: string }[] }>().items.map(({ id }) => id)).to.deep.equal(['bulk-1', 'bulk-2']);
  });
});
