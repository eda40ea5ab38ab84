import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { SnapshotManifest } from '../../src/executor/system/snapshot-manifest.ts';
import { TreeSwap } from '../../src/files/tree-swap.ts';
import { ZipReader } from '../../src/files/zip-reader.ts';
import { ZipWriter } from '../../src/files/zip-writer.ts';
import type { WrittenEntry } from '../../src/files/zip-writer.ts';
import { insertEvents } from '../../src/store/events.ts';
import { addExecution } from '../db/samples.ts';
import { zip } from '../unit/files/archives.ts';
import { adminPassword, RestService, simpleBlueprint } from './kit.ts';

interface Execution {
  id: string;
  status: string;
  error: string | null;
  workflow_id: string;
  is_system_workflow: boolean;
}

describe('snapshots', function () {
  this.timeout(40_000);
  const services: RestService[] = [];

  before(async () => {});

  after(async () => {
    for (const service of services) {
      await service.stop();
    }
  });

  async function manager(): Promise<RestService> {
    // brokers in the process are told apart by their names
    const service = await RestService.start({
      environment: { AMQP_URL: `memory:manager-${services.length}` },
    });
    services.push(service);
    return service;
  }

  async function ended(rest: RestService, id: string): Promise<Execution> {
    await rest.services.waiter.waitUntilEnded(id, 60_000);
    return (await rest.call('GET', `/executions/${id}`)).json<Execution>();
  }

  /** A manager with something of everything. */
  async function filled(): Promise<RestService> {
    const rest = await manager();
    await rest.call('POST', '/tenants/other');
    await rest.call('PUT', '/users', { body: { username: 'usr', password: 'usr-password' } });
    await rest.call('PUT', '/tenants/users', { body: { tenant_name: 'other', username: 'usr', role: 'user' } });
    await rest.call('PUT', '/secrets/deep', { body: { value: 'a deep secret' } });
    await rest.upload('web', { 'blueprint.yaml': simpleBlueprint, 'script.sh': 'echo hello' });
    await rest.call('PUT', '/deployments/web', { body: { blueprint_id: 'web' } });
    const { id } = (
      await rest.call('POST', '/executions', { body: { deployment_id: 'web', workflow_id: 'install' } })
    ).json<Execution>();
    expect((await ended(rest, id)).status).to.equal('terminated');
    return rest;
  }

  async function create(rest: RestService, id: string, body: object = {}): Promise<Execution> {
    const answer = await rest.call('PUT', `/snapshots/${id}`, { body });
    expect(answer.status, answer.text).to.equal(201);
    return ended(rest, answer.json<Execution>().id);
  }

  async function download(rest: RestService, id: string): Promise<Buffer> {
    const response = await fetch(`${rest.origin}/api/v3.1/snapshots/${id}/archive`, {
      headers: {
        authorization: `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`,
        tenant: 'default_tenant',
      },
    });
    expect(response.status).to.equal(200);
    return Buffer.from(await response.arrayBuffer());
  }

  async function restore(rest: RestService, id: string, force = false): Promise<Execution> {
    const answer = await rest.call('POST', `/snapshots/${id}/restore`, { body: { force } });
    expect(answer.status, answer.text).to.equal(200);
    return ended(rest, answer.json<Execution>().id);
  }

  /** Copies an archive and changes some of its entries. */
  async function altered(path: string, target: string, change: (name: string, text: string) => string): Promise<void> {
    const zip = await ZipReader.open(path);
    const writer = new ZipWriter(target);
    const manifest = JSON.parse(await zip.text('manifest.json', 1e9)) as SnapshotManifest;
    const expected = new Map<string, WrittenEntry>([
      ...manifest.files.map((entry) => [`files/${entry.name}`, entry] as const),
      ...manifest.tables.map((entry) => [`tables/${entry.name}.ndjson`, entry] as const),
    ]);
    const texts = async function* (text: string): AsyncGenerator<string> {
      yield text;
    };
    for (const name of zip.names) {
      const text = await zip.text(name, 1e9);
      const entry = expected.get(name);
      await writer.add(
        name,
        entry && change(name, text) === text ? zip.content(name, entry) : texts(change(name, text)),
      );
    }
    await writer.end();
    zip.close();
  }

  const ids = async (rest: RestService, path: string): Promise<string[]> =>
    (await rest.call('GET', path))
      .json<{ items: { id?: string; key?: string; name?: string }[] }>()
      .items.map(({ id, key, name }) => id ?? key ?? name ?? '');

  it('transfer everything to an empty manager, which encrypts the secrets with its own key', async () => {
    const source = await filled();
    const execution = await create(source, 'whole');
    expect(execution).to.include({
      status: 'terminated',
      workflow_id: 'create_snapshot',
      is_system_workflow: true,
    });
    expect((await source.call('GET', '/snapshots/whole')).body).to.include({
      status: 'created',
      visibility: 'private',
    });
    const archive = await download(source, 'whole');
    expect(archive.includes('a deep secret')).to.equal(false);

    const target = await manager();
    // the key of the source is known, but not the current one
    const keys = await Promise.all([target, source].map(({ folder }) => readFile(join(folder, 'secret.key'), 'utf8')));
    const uploaded = await target.call('PUT', '/snapshots/whole/archive', { raw: archive });
    expect(uploaded.status, uploaded.text).to.equal(201);
    expect(uploaded.body).to.include({ id: 'whole', status: 'uploaded' });

    const refused = await restore(target, 'whole');
    expect(refused.status).to.equal('failed');
    expect(refused.error).to.include('not in the key file of this manager');
    expect(await ids(target, '/blueprints')).to.deep.equal([]);

    await writeFile(join(target.folder, 'secret.key'), keys.join(''));
    const again = await target.restart();
    services.splice(services.indexOf(target), 1, again);
    const restored = await restore(again, 'whole');
    expect(restored.status, restored.error ?? '').to.equal('terminated');
    expect(await ids(again, '/blueprints')).to.deep.equal(['web']);
    expect(await ids(again, '/deployments')).to.deep.equal(['web']);
    expect(await ids(again, '/tenants')).to.have.members(['default_tenant', 'other']);
    expect((await again.call('GET', '/secrets/deep')).body).to.include({ value: 'a deep secret' });
    const [stored] = await again.database.query<{ value: string }>('select value from secrets');
    expect(stored?.value.startsWith(keys[0]?.slice(0, 8) ?? '?')).to.equal(true);
    expect((await again.call('GET', '/resources/blueprints/default_tenant/web/script.sh')).text).to.equal('echo hello');
    expect(
      (
        await again.call('GET', '/blueprints?_all_tenants=true', {
          user: 'usr',
          password: 'usr-password',
          tenant: 'other',
        })
      ).status,
    ).to.equal(200);
    const events = (await again.call('GET', '/events?deployment_id=web&_size=1')).json<{
      metadata: { pagination: { total: number } };
    }>();
    expect(events.metadata.pagination.total).to.be.greaterThan(5);
    // its own creation ended well, and what is there works
    const [own] = await again.database.query<{ status: string }>(
      `select status from executions where workflow_id = 'create_snapshot'`,
    );
    expect(own?.status).to.equal('terminated');
    const uninstall = (
      await again.call('POST', '/executions', { body: { deployment_id: 'web', workflow_id: 'uninstall' } })
    ).json<Execution>();
    expect(uninstall.id, JSON.stringify(uninstall)).to.be.a('string');
    expect((await ended(again, uninstall.id)).status).to.equal('terminated');
    expect((await again.call('PUT', '/secrets/new', { body: { value: 'x' } })).status).to.equal(200);
  });

  it('replace everything only with force, and change nothing when they fail', async () => {
    const rest = await filled();
    expect((await create(rest, 'old')).status).to.equal('terminated');
    await rest.upload('later', { 'blueprint.yaml': simpleBlueprint });
    const answer = await rest.call('POST', '/snapshots/old/restore', { body: { force: false } });
    expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([
      400,
      'snapshot_action_error',
    ]);
    const file = rest.services.files.archivePath('snapshots', 'old');
    const damages: [string, (name: string, text: string) => string, string][] = [
      ['tables', (name, text) => (name === 'tables/users.ndjson' ? text.replace('admin', 'nimda') : text), 'checksum'],
      ['files', (name, text) => (name.endsWith('script.sh') ? 'rm -rf /' : text), 'checksum'],
      [
        'climbing',
        (name, text) =>
          name === 'manifest.json' ? text.replace('"name":"blueprints/', '"name":"blueprints/../../') : text,
        '',
      ],
      [
        'newer',
        (name, text) => (name === 'manifest.json' ? text.replace('"version":1', '"version":2') : text),
        'newer version',
      ],
      [
        'unknown',
        (name, text) => (name === 'manifest.json' ? text.replace('017-live', '999-future') : text),
        '999-future',
      ],
      ['empty', (name, text) => (name === 'manifest.json' ? '{}' : text), 'not a snapshot'],
    ];
    for (const [id, change, message] of damages) {
      const path = join(rest.folder, `${id}.zip`);
      await altered(file, path, change);
      await rest.call('PUT', `/snapshots/${id}/archive`, { raw: await readFile(path) });
      const failed = await restore(rest, id, true);
      expect(failed.status, id).to.equal('failed');
      expect(failed.error, id).to.include(message);
      expect(await ids(rest, '/blueprints'), id).to.deep.equal(['web', 'later']);
      expect((await rest.call('GET', '/resources/blueprints/default_tenant/later/blueprint.yaml')).status).to.equal(
        200,
      );
    }
    const restored = await restore(rest, 'old', true);
    expect(restored.status, restored.error ?? '').to.equal('terminated');
    expect(await ids(rest, '/blueprints')).to.deep.equal(['web']);
    expect((await rest.call('GET', '/resources/blueprints/default_tenant/later/blueprint.yaml')).status).to.equal(404);
    // snapshots belong to the manager, not to what is managed
    expect(await ids(rest, '/snapshots')).to.include.members(['old', 'tables']);
  });

  it('leave out secrets, events and logs when asked to', async () => {
    const rest = await filled();
    const execution = await addExecution(rest.database);
    await insertEvents(rest.database, [
      {
        ...{ tenantId: 0, creatorId: 0, visibility: 'tenant', executionId: execution.id, timestamp: new Date() },
        ...{ kind: 'log', message: 'a line of a log', logger: 'l', level: 'info' },
      },
    ]);
    await rest.database.query(`update executions set status = 'terminated' where id = $1`, [execution.id]);
    const options = { include_credentials: false, include_events: true, include_logs: false };
    expect((await create(rest, 'bare', options)).status).to.equal('terminated');
    const zip = await ZipReader.open(rest.services.files.archivePath('snapshots', 'bare'));
    const events = await zip.text('tables/events.ndjson', 1e9);
    expect(events).to.include('"kind":"event"').and.not.include('a line of a log');
    expect(await zip.text('tables/users.ndjson', 1e9)).to.not.include('scrypt');
    const secrets = JSON.parse(await zip.text('tables/secrets.ndjson', 1e9)) as { id: string; value: unknown };
    expect(secrets).to.include({ id: 'deep', value: null });
    zip.close();
    const restored = await restore(rest, 'bare', true);
    expect(restored.status, restored.error ?? '').to.equal('terminated');
    expect((await rest.call('GET', '/user')).status).to.equal(200);
  });

  it('end executions that were running when they were made', async () => {
    const rest = await manager();
    const running = await addExecution(rest.database, { status: 'started', workflowId: 'install' });
    const waiting = await addExecution(rest.database, { status: 'queued', workflowId: 'install' });
    const updating = await addExecution(rest.database, { status: 'started', workflowId: 'update_plugin' });
    await rest.database.query(
      `insert into blueprints (id, tenant_id, creator_id, visibility, state, is_hidden)
       values ('original', 0, 0, 'tenant', 'uploaded', false), ('temporary', 0, 0, 'tenant', 'uploaded', true)`,
    );
    await rest.database.query(
      `insert into plugins_updates (id, tenant_id, creator_id, visibility, state, execution_id, original_blueprint_id,
         temp_blueprint_id)
       select 'left', 0, 0, 'tenant', 'executing_workflow', $1, original.storage_id, temporary.storage_id
       from blueprints original, blueprints temporary where original.id = 'original' and temporary.id = 'temporary'`,
      [updating.storageId],
    );
    await rest.database.query(
      `insert into blueprints_plugins (blueprint_id, package_name) select storage_id, 'x' from blueprints
       where id = 'temporary'`,
    );
    await create(rest, 'busy');
    await rest.database.query(`update executions set status = 'terminated' where id = any($1)`, [
      [running.id, waiting.id, updating.id],
    ]);
    expect((await restore(rest, 'busy', true)).status).to.equal('terminated');
    const statuses = await rest.database.query<{ id: string; status: string }>(
      'select id, status from executions where id = any($1)',
      [[running.id, waiting.id]],
    );
    expect(Object.fromEntries(statuses.map(({ id, status }) => [id, status]))).to.deep.equal({
      [running.id]: 'failed',
      [waiting.id]: 'cancelled',
    });
    expect((await rest.call('GET', '/plugins-updates/left')).json<object>()).to.include({
      state: 'failed',
      blueprint_id: 'original',
      temp_blueprint_id: null,
    });
    expect((await rest.call('GET', '/blueprints/temporary')).status).to.equal(404);
  });

  it('are refused twice, downloaded only when made, and deleted with their file', async () => {
    const rest = await manager();
    await create(rest, 'one');
    const code = async (method: string, path: string, body?: object): Promise<[number, string]> => {
      const answer = await rest.call(method, path, body ? { body } : {});
      return [answer.status, answer.json<{ error_code: string }>().error_code];
    };
    expect(await code('PUT', '/snapshots/one', {})).to.deep.equal([409, 'conflict_error']);
    expect((await rest.call('PATCH', '/snapshots/one', { body: { status: 'failed', error: 'x' } })).text).to.equal(
      'null',
    );
    expect(await code('GET', '/snapshots/one/archive')).to.deep.equal([400, 'snapshot_action_error']);
    expect(await code('POST', '/snapshots/one/restore', { force: true })).to.deep.equal([400, 'snapshot_action_error']);
    expect((await rest.call('GET', '/snapshot-status', { user: '', tenant: null })).body).to.deep.equal({
      status: 'not-running',
    });
    expect((await rest.call('DELETE', '/snapshots/one')).body).to.include({ id: 'one' });
    expect(await rest.services.files.findArchive('snapshots', 'one')).to.equal(undefined);
    expect(await code('GET', '/snapshots/one')).to.deep.equal([404, 'not_found_error']);
    expect((await rest.call('PUT', '/snapshots/two/archive', { raw: 'no zip' })).status).to.equal(400);
  });

  it('do not collide with log bundles of other users', async () => {
    const rest = await manager();
    const archive = zip([{ name: 'lines.log', content: 'a line' }]);
    const uploaded = await rest.call('PUT', '/log-bundles/brought/archive', { raw: archive });
    expect(uploaded.status, uploaded.text).to.equal(201);
    expect(uploaded.body).to.include({ id: 'brought', status: 'uploaded' });
    expect((await rest.download('/log-bundles/brought/archive')).equals(archive)).to.equal(true);
    expect((await rest.call('PUT', '/log-bundles/brought/archive', { raw: 'no zip' })).status).to.equal(400);
  });

  it('refuse every change while one is restored', async () => {
    const rest = await manager();
    const restoring = await addExecution(rest.database, { status: 'started', workflowId: 'restore_snapshot' });
    const listening = await rest.database.listen('gantry_restore', () => undefined);
    while (!rest.services.restoring.isRestoring) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const answer = await rest.call('PUT', '/secrets/x', { body: { value: 'y' } });
    expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([
      503,
      'in_snapshot_restore_error',
    ]);
    expect((await rest.call('GET', '/secrets')).status).to.equal(200);
    expect((await rest.call('GET', '/snapshot-status')).body).to.deep.equal({ status: 'running' });
    await rest.database.query(`update executions set status = 'failed' where id = $1`, [restoring.id]);
    while (rest.services.restoring.isRestoring) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await rest.call('PUT', '/secrets/x', { body: { value: 'y' } })).status).to.equal(200);
    await listening();
  });

  it('are rolled back when a process died while it exchanged the files', async () => {
    const rest = await filled();
    const swap = new TreeSwap(rest.services.files.root);
    await swap.prepare();
    await swap.swap('an-execution-that-never-committed');
    expect((await rest.call('GET', '/resources/blueprints/default_tenant/web/script.sh')).status).to.equal(404);
    const again = await rest.restart();
    services.splice(services.indexOf(rest), 1, again);
    expect((await again.call('GET', '/resources/blueprints/default_tenant/web/script.sh')).text).to.equal('echo hello');
    expect(await swap.owner()).to.equal(undefined);
  });

  it('have log bundles beside them, with the logs of every process', async () => {
    const rest = await manager();
    const answer = await rest.call('PUT', '/log-bundles/today', { body: {} });
    expect(answer.status, answer.text).to.equal(201);
    const execution = await ended(rest, answer.json<Execution>().id);
    expect(execution).to.include({ status: 'terminated', workflow_id: 'create_log_bundle' });
    const { items } = (await rest.call('GET', '/log-bundles')).json<{ items: { id: string; status: string }[] }>();
    expect(items.map(({ id, status }) => [id, status])).to.deep.equal([['today', 'created']]);
    const zip = await ZipReader.open(rest.services.files.archivePath('log_bundles', 'today'));
    expect(zip.names.filter((name) => /^logs\/rest-.*\.recent\.log$/.test(name))).to.have.length(1);
    expect(JSON.parse(await zip.text('manager.json', 1e9))).to.include.keys('processes', 'migrations', 'executions');
    zip.close();
    expect((await rest.call('GET', '/log-bundles/today/archive')).headers.get('content-disposition')).to.include(
      'today.zip',
    );
    expect((await rest.call('DELETE', '/log-bundles/today')).body).to.include({ id: 'today' });
    expect((await rest.call('GET', '/log-bundles/today')).status).to.equal(404);
  });
});
