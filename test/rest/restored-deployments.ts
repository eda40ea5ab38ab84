/** What is told of a deployment that was there before; run on the service of restoring.test.ts. */
import { expect } from 'chai';
import { access, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackArchive } from '../../src/files/unpack.ts';
import { listFiles } from '../../src/files/pack.ts';
import { lockDeploymentFiles } from '../../src/store/deployments.ts';
import type { Transaction } from '../../src/store/session.ts';
import { tarGz, zip } from '../unit/files/archives.ts';
import type { Answer, CallOptions, RestService } from './kit.ts';

interface Error {
  error_code: string;
  message: string;
}

const base64 = (archive: Buffer): string => archive.toString('base64');

const workdir = base64(
  zip([
    { name: 'notes/first.txt', content: 'first' },
    { name: 'run.sh', content: 'echo hello', mode: 0o100755 },
    { name: 'empty/', mode: 0o040755 },
  ]),
);

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The files of a `workdir_zip`, and whether they are executable. */
async function filesOf(text: string): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-workdir-'));
  try {
    await writeFile(join(folder, 'archive'), Buffer.from(text, 'base64'));
    await unpackArchive(join(folder, 'archive'), join(folder, 'content'));
    const names = [...(await listFiles(join(folder, 'content'))).keys()].sort();
    return await Promise.all(
      names.map(async (name) => {
        const isExecutable = await access(join(folder, 'content', name), 1).then(
          () => true,
          () => false,
        );
        return isExecutable ? `${name}*` : name;
      }),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

const workflows = {
  install: { plugin: 'default_workflows', operation: 'cloudify.plugins.workflows.install', parameters: {} },
};

const parts = {
  inputs: { port: 8080, more: 'than the blueprint has' },
  outputs: { port: { value: 8080, description: 'Where it listens' } },
  capabilities: { name: { value: 'web' } },
  groups: { all: { members: ['server'], policies: {} } },
  scaling_groups: {
    all: {
      members: ['server'],
      properties: {
        min_instances: 1,
        max_instances: -1,
        default_instances: 1,
        current_instances: 1,
        planned_instances: 1,
      },
    },
  },
  policy_types: { watch: { source: 'x', properties: {} } },
  policy_triggers: { act: { source: 'y', parameters: {} } },
  resource_tags: { team: 'blue' },
  description: 'As it was',
};

const statuses = {
  deployment_status: 'good',
  installation_status: 'active',
  sub_services_status: 'in_progress',
  sub_environments_status: 'good',
  sub_services_count: 2,
  sub_environments_count: 3,
};

/** Describes what becomes of restored deployments. @param start gives the service, whose blueprint is `app` */
export function describeRestoredDeployments(start: () => RestService, ada: CallOptions, time: string): void {
  const put = (id: string, body: object, options: CallOptions = {}, query = ''): Promise<Answer> =>
    start().call('PUT', `/deployments/${id}${query}`, { ...options, body: { blueprint_id: 'app', ...body } });

  const get = async <Shape = Record<string, unknown>>(id: string, query = ''): Promise<Shape> => {
    const answer = await start().call('GET', `/deployments/${id}${query}`);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<Shape>();
  };

  describe('a deployment of the past', () => {
    it('is stored with everything told of it, and nothing is run', async () => {
      const origin = { created_by: 'ada', created_at: time };
      const labels = [
        { key: 'team', value: 'blue', ...origin },
        { key: 'csys-consumer-id', value: 'somebody', created_by: 'admin', created_at: time },
        { mood: 'good' },
      ];
      const body = { ...parts, ...statuses, ...origin, workflows, labels, display_name: 'Past', workdir_zip: workdir };
      const answer = await put('past', body);
      expect(answer.status, answer.text).to.equal(201);
      const shown = await get('past', '?include_workdir=true');
      expect(shown).to.deep.include({ ...parts, ...statuses, ...origin, display_name: 'Past', create_execution: null });
      expect(shown['workflows']).to.deep.equal([
        { ...workflows.install, name: 'install', is_cascading: false, is_available: true, availability_rules: null },
      ]);
      const set = shown['labels'] as { key: string; created_by: string; created_at: string }[];
      expect(set.map(({ key, created_by: by }) => `${key} ${by}`)).to.have.members([
        'team ada',
        'csys-consumer-id admin',
        'mood admin',
      ]);
      expect(set.find(({ key }) => key === 'team')?.created_at).to.equal(time);
      expect(await filesOf(shown['workdir_zip'] as string)).to.deep.equal(['notes/first.txt', 'run.sh*']);
      const file = await start().call('GET', '/resources/deployments/default_tenant/past/notes/first.txt');
      expect(file.text).to.equal('first');
      const executions = await start().call('GET', '/executions?deployment_id=past');
      expect(executions.json<{ items: object[] }>().items).to.deep.equal([]);
      expect(await get('past', '?_include=id,workdir_zip')).to.deep.equal({ id: 'past', workdir_zip: null });
    });

    it('is the same after it was read and restored', async () => {
      const members = ['inputs', 'outputs', 'capabilities', 'groups', 'scaling_groups', 'policy_types', 'description'];
      const all = [...members, 'policy_triggers', 'resource_tags', 'workflows', 'labels', ...Object.keys(statuses)];
      const read = await get('app', '?include_workdir=true');
      // an empty working directory is the archive that clients know as such
      expect(read['workdir_zip']).to.equal('UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==');
      const told = Object.fromEntries([...all, 'workdir_zip'].map((name) => [name, read[name]]));
      const byName = (read['workflows'] as { name: string }[]).map(({ name, ...workflow }) => [name, workflow]);
      const answer = await put('app-again', { ...told, workflows: Object.fromEntries(byName) as object });
      expect(answer.status, answer.text).to.equal(201);
      const again = await get('app-again');
      for (const name of all.filter((member) => member !== 'workflows')) {
        expect(again[name], name).to.deep.equal(read[name]);
      }
      const names = (list: unknown): string[] => (list as { name: string }[]).map(({ name }) => name);
      expect(names(again['workflows'])).to.deep.equal(names(read['workflows']));
    });

    it('takes workflows as they are shown, and none of one whose creation has failed', async () => {
      const { workflows: shown } = await get<{ workflows: object[] }>('past');
      for (const [id, told] of [
        ['listed', shown],
        ['failed', []],
      ] as const) {
        const answer = await put(id, { workdir_zip: workdir, workflows: told });
        expect(answer.status, answer.text).to.equal(201);
        expect((await get(id))['workflows']).to.deep.equal(told);
      }
    });

    it('runs workflows when its nodes and instances are there', async () => {
      const { items: nodes } = (await start().call('GET', '/nodes?deployment_id=app')).json<{ items: object[] }>();
      const created = await start().call('POST', '/nodes', { body: { deployment_id: 'app-again', nodes } });
      expect(created.status, created.text).to.equal(201);
      const instance = { id: 'server_again', node_id: 'server' };
      const body = { deployment_id: 'app-again', node_instances: [instance] };
      expect((await start().call('POST', '/node-instances', { body })).status).to.equal(201);
      const order = { deployment_id: 'app-again', workflow_id: 'install' };
      const started = await start().call('POST', '/executions', { body: order });
      expect(started.status, started.text).to.equal(201);
      const { id } = started.json<{ id: string }>();
      expect((await start().services.waiter.waitUntilEnded(id, 30_000))?.status).to.equal('terminated');
    });

    it('finds its parent and its children, whichever comes first', async () => {
      const child = { workdir_zip: workdir, labels: [{ 'csys-obj-parent': 'elder' }], deployment_status: 'good' };
      expect((await put('younger', child)).status).to.equal(201);
      expect((await put('elder', { workdir_zip: workdir })).status).to.equal(201);
      expect((await put('youngest', { ...child, labels: [{ 'csys-obj-parent': 'younger' }] })).status).to.equal(201);
      expect(await get('elder')).to.include({ sub_services_count: 2, sub_environments_count: 0 });
      const { labels } = await get<{ labels: { key: string; value: string }[] }>('younger');
      expect(labels.filter(({ key }) => key === 'csys-consumer-id').map(({ value }) => value)).to.deep.equal([
        'youngest',
      ]);
      const circle = await put('oldest', {
        workdir_zip: workdir,
        labels: [{ 'csys-obj-parent': 'oldest' }],
      });
      expect([circle.status, circle.json<Error>().error_code]).to.deep.equal([409, 'conflict_error']);
    });

    it('keeps what it was when a request tells which executions made and changed it', async () => {
      const record = { deployment_id: 'past', workflow_id: 'create_deployment_environment', force_status: 'failed' };
      for (const id of ['past-1', 'past-2']) {
        expect((await start().call('POST', '/executions', { body: { ...record, id } })).status).to.equal(201);
      }
      const body = { create_execution: 'past-1', latest_execution: 'past-2' };
      const answer = await start().call('PATCH', '/deployments/past', { body });
      expect(answer.json<object>()).to.include(body);
      const { latest_execution: other } = await get<{ latest_execution: string }>('app');
      for (const wrong of [other, 'moon']) {
        const refusal = await start().call('PATCH', '/deployments/past', { body: { latest_execution: wrong } });
        expect(refusal.status).to.equal(404);
      }
    });

    const climbing = zip([{ name: '../outside.txt', content: 'x' }]);
    const link = zip([{ name: 'link', content: '/etc/passwd', mode: 0o120777 }]);
    const tree = zip([{ name: 'a', content: 'x' }]);
    const refusals: [string, object, number, string, RegExp][] = [
      ['archive that is no base64', { workdir_zip: '?!?' }, 400, 'bad_parameters_error', /base64/],
      ['archive of another kind', { workdir_zip: base64(tarGz([{ name: 'a' }])) }, 400, 'bad_parameters_error', /zip/],
      ['damaged archive', { workdir_zip: base64(tree.subarray(0, 20)) }, 400, 'bad_parameters_error', /workdir_zip/],
      [
        'path out of it',
        { workdir_zip: base64(climbing) },
        400,
        'bad_parameters_error',
        /workdir_zip: .*relative path/,
      ],
      ['link in it', { workdir_zip: base64(link) }, 400, 'bad_parameters_error', /a link/],
      ['part but no archive', { outputs: {} }, 400, 'bad_parameters_error', /outputs: only with workdir_zip/],
      ['status but no archive', { deployment_status: 'good' }, 400, 'bad_parameters_error', /deployment_status: only/],
      [
        'status nobody knows',
        { workdir_zip: workdir, deployment_status: 'fine' },
        400,
        'bad_parameters_error',
        /one of/,
      ],
      ['count below zero', { workdir_zip: workdir, sub_services_count: -1 }, 400, 'bad_parameters_error', />= 0/],
      ['workflow of nothing', { workdir_zip: workdir, workflows: { x: {} } }, 400, 'bad_parameters_error', /operation/],
      ['workflow without a name', { workdir_zip: workdir, workflows: [{}] }, 400, 'bad_parameters_error', /name/],
      ['group of nothing', { workdir_zip: workdir, scaling_groups: { x: {} } }, 400, 'bad_parameters_error', /members/],
      ['unknown creator', { workdir_zip: workdir, created_by: 'nobody' }, 404, 'not_found_error', /nobody/],
      [
        'label of an unknown user',
        { workdir_zip: workdir, labels: [{ key: 'a', value: 'b', created_by: 'nobody' }] },
        404,
        'not_found_error',
        /nobody/,
      ],
      ['blueprint nobody knows', { workdir_zip: workdir, blueprint_id: 'moon' }, 404, 'not_found_error', /moon/],
    ];
    for (const [what, body, status, code, message] of refusals) {
      it(`is refused with a ${what}, and leaves nothing`, async () => {
        const answer = await put('refused', body);
        expect([answer.status, answer.json<Error>().error_code]).to.deep.equal([status, code]);
        expect(answer.json<Error>().message).to.match(message);
        expect((await start().call('GET', '/deployments/refused')).status).to.equal(404);
        expect((await start().call('GET', '/resources/deployments/default_tenant/refused/')).status).to.equal(404);
      });
    }

    it('is refused where it is to be created later, and where its id is taken', async () => {
      const later = await put('refused', { workdir_zip: workdir }, {}, '?async_create=true');
      expect([later.status, later.json<Error>().error_code]).to.deep.equal([400, 'deployment_creation_error']);
      const taken = await put('past', { workdir_zip: base64(tree) });
      expect([taken.status, taken.json<Error>().error_code]).to.deep.equal([409, 'conflict_error']);
      const { workdir_zip: kept } = await get<{ workdir_zip: string }>('past', '?include_workdir=true');
      expect(await filesOf(kept)).to.include('run.sh*');
    });

    it('is of another user or time for those only who may say so', async () => {
      const told = [
        { created_by: 'admin' },
        { created_at: time },
        { labels: [{ key: 'a', value: 'b', created_by: 'admin' }] },
        { labels: [{ key: 'a', value: 'b', created_at: time }] },
      ];
      for (const wrong of told) {
        const refusal = await put('refused', { workdir_zip: workdir, ...wrong }, ada);
        expect([refusal.status, refusal.json<Error>().error_code]).to.deep.equal([403, 'forbidden_error']);
      }
      expect((await put('hers', { workdir_zip: workdir }, ada)).json<object>()).to.include({ created_by: 'ada' });
    });

    it('counts for what its tenant may store', async () => {
      const quota = (bytes: number | null): Promise<Answer> =>
        start().call('PUT', '/tenants/default_tenant/quotas', { body: { storage_bytes: bytes } });
      expect((await quota(1)).status).to.equal(200);
      const answer = await put('refused', { workdir_zip: workdir });
      expect([answer.status, answer.json<Error>().error_code]).to.deep.equal([403, 'quota_exceeded_error']);
      expect((await quota(null)).status).to.equal(200);
      expect((await start().call('GET', '/deployments/refused')).status).to.equal(404);
    });

    it('keeps its files when one of the same id has just gone, whose files are still to be removed', async () => {
      const { database, services, folder } = start();
      expect((await put('phoenix', { workdir_zip: workdir })).status).to.equal(201);
      const lock = (transaction: Transaction): Promise<void> => lockDeploymentFiles(transaction, 0, 'phoenix');
      await database.transaction(async (transaction) => {
        await lock(transaction);
        expect((await start().call('DELETE', '/deployments/phoenix')).status).to.equal(204);
        const [deletion] = await database.query<{ id: string }>(
          `select id from executions where workflow_id = 'delete_deployment_environment'`,
        );
        await services.waiter.waitUntilEnded(deletion?.id ?? '', 30_000);
        await transaction.query(
          `insert into deployments (id, tenant_id, creator_id, visibility, display_name, blueprint_id)
           select 'phoenix', 0, 0, 'tenant', 'phoenix', storage_id from blueprints where id = 'app'`,
        );
      });
      // whoever removes the files has waited for the lock before
      await database.transaction(lock);
      const { workdir_zip: kept } = await get<{ workdir_zip: string }>('phoenix', '?include_workdir=true');
      expect(await filesOf(kept)).to.deep.equal(['notes/first.txt', 'run.sh*']);
      expect(await isThere(join(folder, 'files', 'deployments', 'default_tenant', 'phoenix'))).to.equal(true);
    });

    it('shows links that operations left to nobody', async () => {
      const folder = join(start().folder, 'files', 'deployments', 'default_tenant', 'past');
      await symlink('/etc/passwd', join(folder, 'link'));
      const { workdir_zip: packed } = await get<{ workdir_zip: string }>('past', '?include_workdir=true');
      expect(await filesOf(packed)).to.deep.equal(['notes/first.txt', 'run.sh*']);
    });
  });
}
