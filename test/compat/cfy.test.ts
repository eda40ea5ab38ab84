import { rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { followExecution } from '../../src/client/follow.ts';
import { packageRoot } from '../../src/config/package-root.ts';
import { Cfy } from '../kit/cfy.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { TestManager } from '../kit/manager.ts';

const blueprint = join(packageRoot(), 'test', 'fixtures', 'compat', 'blueprint.yaml');

interface Item {
  id: string;
  state?: string;
  status?: string;
}

describe('the unmodified cfy', function () {
  this.timeout(600_000);
  let manager: TestManager;
  let cfy: Cfy;

  before(async () => {
    [manager, cfy] = await Promise.all([startEmbeddedManager(), Cfy.make()]);
  });

  after(async () => {
    await cfy?.dispose();
    await manager?.stop();
  });

  it('uses the manager as a profile', async () => {
    const { hostname, port } = new URL(manager.url);
    const credentials = ['-u', 'admin', '-p', manager.password, '-t', 'default_tenant'];
    const output = await cfy.must('profiles', 'use', hostname, '--rest-port', port, ...credentials);
    expect(output).to.match(/Using manager 127\.0\.0\.1/);
    expect(await cfy.must('profiles', 'list')).to.contain('default_tenant');
  });

  it('shows the status', async () => {
    const output = await cfy.must('status');
    expect(output).to.match(/Manager Rest-Service/i);
    expect(output).to.match(/active/i);
  });

  it('uploads a blueprint and waits until it is parsed', async () => {
    const output = await cfy.must('blueprints', 'upload', blueprint, '-b', 'first', '--labels', 'kind:test');
    expect(output).to.contain("Blueprint uploaded. The blueprint's id is first");
    const list = await cfy.json<Item[]>('blueprints', 'list');
    expect(list.map(({ id, state }) => [id, state])).to.deep.equal([['first', 'uploaded']]);
    expect(await cfy.must('blueprints', 'get', 'first')).to.contain('first');
  });

  it('validates blueprints (which it does by itself)', async () => {
    const standalone = join(packageRoot(), 'test', 'fixtures', 'compat-standalone', 'blueprint.yaml');
    expect(await cfy.must('blueprints', 'validate', standalone)).to.contain('Blueprint validated successfully');
  });

  it('downloads a blueprint', async () => {
    const file = join(tmpdir(), `first-${process.pid}.tar.gz`);
    await cfy.must('blueprints', 'download', 'first', '-o', file);
    expect((await stat(file)).size).to.be.greaterThan(200);
  });

  it('creates a deployment', async () => {
    await cfy.must('deployments', 'create', 'first', '-b', 'first', '-i', 'greeting=good morning');
    expect((await cfy.json<Item[]>('deployments', 'list')).map(({ id }) => id)).to.deep.equal(['first']);
    expect(await cfy.must('deployments', 'inputs', 'first')).to.contain('good morning');
    expect(await cfy.must('workflows', 'list', '-d', 'first')).to.match(/install[^]*uninstall/);
  });

  it('installs it and tails its events', async () => {
    const output = await cfy.must('executions', 'start', 'install', '-d', 'first');
    expect(output).to.contain("Starting 'install' workflow execution");
    expect(output).to.match(/Saying good morning/);
    expect(output).to.match(/Heard good morning/);
    expect(output).to.match(/'install' workflow execution succeeded/);
    expect(output).to.match(/Finished executing workflow install on deployment first/);
  });

  it('shows what is installed', async () => {
    expect(await cfy.must('deployments', 'outputs', 'first')).to.match(/said[^]*good morning/);
    expect(await cfy.must('deployments', 'capabilities', 'first')).to.match(/heard[^]*good morning/);
    const instances = await cfy.json<Item[]>('node-instances', 'list', '-d', 'first');
    expect(instances.map(({ state }) => state)).to.deep.equal(['started', 'started']);
    const [first] = instances;
    expect(await cfy.must('node-instances', 'get', first?.id ?? '')).to.contain('started');
    expect(await cfy.must('nodes', 'list', '-d', 'first')).to.match(/listener|speaker/);
    expect(await cfy.must('nodes', 'get', 'speaker', '-d', 'first')).to.contain('cloudify.nodes.Root');
  });

  it('lists executions and events', async () => {
    const executions = await cfy.json<(Item & { workflow_id: string })[]>('executions', 'list', '-d', 'first');
    const install = executions.find(({ workflow_id: workflow }) => workflow === 'install');
    expect(install?.status).to.match(/terminated|completed/);
    expect(await cfy.must('executions', 'get', install?.id ?? '')).to.contain('install');
    const events = await cfy.must('events', 'list', install?.id ?? '', '--include-logs');
    expect(events).to.match(/Saying good morning/);
  });

  it('previews and makes an update of a deployment', async () => {
    const folder = join(packageRoot(), 'test', 'fixtures', 'compat', 'next.yaml');
    await cfy.must('blueprints', 'upload', folder, '-b', 'next');
    const words = ['deployments', 'update', 'first', '-b', 'next', '-i', 'greeting=good evening'];
    const preview = await cfy.must(...words, '--preview');
    expect(preview).to.match(/\| +preview +\|/);
    expect(preview).to.match(/\| +node +\| +nodes: second_listener +\| +add +\|/);
    expect(preview).to.match(/Installed nodes:\s+- second_listener/);
    expect(preview).to.match(/Old inputs:[^]*good morning[^]*New inputs:[^]*good evening/);
    expect(preview).to.match(/labels will be created:[^]*tier[^]*second/);
    expect(await cfy.json<Item[]>('node-instances', 'list', '-d', 'first')).to.have.length(2);
    const output = await cfy.must(...words);
    expect(output).to.match(/Saying good evening/);
    expect(output).to.match(/\[second_listener_\w+\.start\] Heard good evening|Heard good evening/);
    expect(output).to.contain('Successfully updated deployment first');
    const instances = await cfy.json<Item[]>('node-instances', 'list', '-d', 'first');
    expect(instances.map(({ state }) => state)).to.deep.equal(['started', 'started', 'started']);
    expect(await cfy.must('deployments', 'outputs', 'first')).to.contain('good evening');
    expect(await cfy.must('deployments', 'list')).to.match(/first[^]*next/);
    const history = await cfy.json<Item[]>('deployments', 'history', '-d', 'first');
    expect(history.map(({ state }) => state)).to.have.members(['preview', 'successful']);
    const done = history.find(({ state }) => state === 'successful');
    expect(await cfy.must('deployments', 'get-update', done?.id ?? '')).to.match(/successful[^]*second_listener/);
  });

  it('reports when an update cannot be made', async () => {
    const { code, stdout, stderr } = await cfy.run('deployments', 'update', 'first', '-b', 'next', '-w', 'nowhere');
    expect(code).not.to.equal(0);
    expect(`${stdout}${stderr}`).to.match(/has no workflow nowhere[^]*Failed updating deployment first/);
    expect(await cfy.must('deployments', 'outputs', 'first')).to.contain('good evening');
  });

  it('makes, uses and revokes tokens', async () => {
    const token = await cfy.json<{ id: string; value: string }>('tokens', 'create', '--description', 'test');
    expect(token.value).to.match(/^ctok-/);
    expect(await cfy.must('tokens', 'list')).to.contain(token.id);
    await cfy.must('tokens', 'delete', token.id);
  });

  it('keeps secrets', async () => {
    await cfy.must('secrets', 'create', 'key', '-s', 'value');
    expect(await cfy.must('secrets', 'get', 'key')).to.contain('value');
    expect(await cfy.must('secrets', 'list')).to.contain('key');
    await cfy.must('secrets', 'delete', 'key');
  });

  it('manages tenants and users', async () => {
    await cfy.must('tenants', 'create', 'second');
    await cfy.must('users', 'create', 'alice', '-p', 'alice-password');
    await cfy.must('tenants', 'add-user', 'alice', '-t', 'second', '-r', 'user');
    expect(await cfy.must('tenants', 'list')).to.contain('second');
    expect(await cfy.must('users', 'list')).to.contain('alice');
    await cfy.must('tenants', 'remove-user', 'alice', '-t', 'second');
    await cfy.must('users', 'delete', 'alice');
    await cfy.must('tenants', 'delete', 'second');
  });

  it('makes, downloads, uploads, restores and deletes snapshots', async () => {
    const output = await cfy.must('snapshots', 'create', 'backup');
    const [, id = ''] = /execution's id is ([0-9a-f-]{36})/.exec(output) ?? [];
    await followExecution(manager.client, id);
    expect((await cfy.json<Item[]>('snapshots', 'list')).map((item) => [item.id, item.status])).to.deep.equal([
      ['backup', 'created'],
    ]);
    const file = join(tmpdir(), `backup-${process.pid}.zip`);
    await cfy.must('snapshots', 'download', 'backup', '-o', file);
    await cfy.must('snapshots', 'upload', file, '-s', 'copy');
    await rm(file);
    expect(await cfy.must('snapshots', 'status')).to.contain('No snapshot is currently being restored');
    await cfy.must('secrets', 'create', 'too-late', '-s', 'x');
    const restored = await cfy.must('snapshots', 'restore', 'copy', '--force');
    const [, restoreId = ''] = /execution's id is ([0-9a-f-]{36})/.exec(restored) ?? [];
    expect((await followExecution(manager.client, restoreId, { patience: 60_000 })).status).to.equal('terminated');
    expect((await cfy.json<{ key: string }[]>('secrets', 'list')).map(({ key }) => key)).to.not.include('too-late');
    await cfy.must('snapshots', 'delete', 'backup');
    expect((await cfy.json<Item[]>('snapshots', 'list')).map((item) => item.id)).to.deep.equal(['copy']);
  });

  it('reports why a call is refused', async () => {
    const unknown = await cfy.run('deployments', 'create', 'other', '-b', 'first', '-i', 'nonsense=1');
    expect(unknown.code).not.to.equal(0);
    expect(unknown.stdout + unknown.stderr).to.contain('unknown input');
    const used = await cfy.run('blueprints', 'delete', 'next');
    expect(used.code).not.to.equal(0);
    expect(used.stdout + used.stderr).to.match(/exist deployments/);
    const live = await cfy.run('deployments', 'delete', 'first');
    expect(live.code).not.to.equal(0);
    expect(live.stdout + live.stderr).to.match(/live nodes/i);
  });

  it('uninstalls it and deletes everything', async () => {
    const output = await cfy.must('executions', 'start', 'uninstall', '-d', 'first');
    expect(output).to.match(/Silent now/);
    await cfy.must('deployments', 'delete', 'first');
    expect(await cfy.json<Item[]>('deployments', 'list')).to.deep.equal([]);
    await cfy.must('blueprints', 'delete', 'first');
    await cfy.must('blueprints', 'delete', 'next');
    expect(await cfy.json<Item[]>('blueprints', 'list')).to.deep.equal([]);
  });

  it('does all of it with install and uninstall', async () => {
    const output = await cfy.must('install', blueprint, '-b', 'second', '-d', 'second');
    expect(output).to.match(/Finished executing workflow install/);
    await cfy.must('uninstall', 'second');
    expect(await cfy.json<Item[]>('deployments', 'list')).to.deep.equal([]);
  });

  it('shows what is wrong with a blueprint', async () => {
    const file = join(packageRoot(), 'test', 'fixtures', 'compat-broken', 'blueprint.yaml');
    const { code, stdout, stderr } = await cfy.run('blueprints', 'upload', file, '-b', 'broken');
    expect(code).not.to.equal(0);
    expect(stdout + stderr).to.contain('no.such.Type');
  });
});
