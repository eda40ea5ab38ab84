/** Owners and times of what belongs to deployments and executions; run on the service of restoring.test.ts. */
import { expect } from 'chai';
import { blueprintZip, simpleBlueprint } from './kit.ts';
import type { Answer, CallOptions, RestService } from './kit.ts';

interface Label {
  key: string;
  value: string;
  created_by: string;
  created_at: string;
}

interface Item extends Record<string, unknown> {
  id: string;
}

/** Describes who made labels, nodes, events and graphs, and when. @param start gives the service, which has `app` */
export function describeRestoredDetails(start: () => RestService, ada: CallOptions, time: string): void {
  const call = (method: string, path: string, body?: object, options: CallOptions = {}): Promise<Answer> =>
    start().call(method, path, { ...options, ...(body ? { body } : {}) });

  const must = async <Shape = Item>(method: string, path: string, body?: object): Promise<Shape> => {
    const answer = await call(method, path, body);
    expect(answer.status, `${method} ${path}: ${answer.text}`).to.be.lessThan(300);
    return answer.json<Shape>();
  };

  const list = async (path: string): Promise<Item[]> => (await must<{ items: Item[] }>('GET', path)).items;

  const mustRefuse = async (method: string, path: string, body: object): Promise<void> => {
    const answer = await call(method, path, body, ada);
    expect([answer.status, answer.json<{ error_code: string }>().error_code]).to.deep.equal([403, 'forbidden_error']);
  };

  describe('labels', () => {
    const told = [
      { key: 'owned', value: 'by ada', created_by: 'ada', created_at: time },
      { key: 'owned', value: 'by whoever', created_at: time },
      { plain: 'label' },
    ];
    const shown = (labels: Label[]): string[] =>
      labels
        .filter(({ key }) => ['owned', 'plain'].includes(key))
        .map(({ key, value, created_by: by, created_at: at }) => `${key} ${value}: ${by}${at === time ? ' then' : ''}`);
    const expected = ['owned by ada: ada then', 'owned by whoever: admin then', 'plain label: admin'];

    for (const [what, method, path, rest] of [
      ['a deployment', 'PATCH', '/deployments/app', {}],
      ['a blueprint', 'PATCH', '/blueprints/app', {}],
      ['a group of deployments', 'PUT', '/deployment-groups/labelled', { deployment_ids: [] }],
      ['a new deployment', 'PUT', '/deployments/labelled', { blueprint_id: 'app' }],
    ] as const) {
      it(`of ${what} keep who set them and when`, async () => {
        await mustRefuse(method, path, { ...rest, labels: [{ key: 'x', value: 'y', created_by: 'admin' }] });
        await mustRefuse(method, path, { ...rest, labels: [{ key: 'x', value: 'y', created_at: time }] });
        const nobody = { ...rest, labels: [{ key: 'x', value: 'y', created_by: 'nobody' }] };
        expect((await call(method, path, nobody)).status).to.equal(404);
        const { labels } = await must<{ labels: Label[] }>(method, path, { ...rest, labels: told });
        expect(shown(labels)).to.have.members(expected);
      });
    }

    it('may be given back as they were shown by those who change others', async () => {
      const { labels } = await must<{ labels: Label[] }>('GET', '/deployments/app');
      const body = { labels: [...labels, { key: 'one', value: 'more' }] };
      const answer = await call('PATCH', '/deployments/app', body, ada);
      expect(answer.status, answer.text).to.equal(200);
      expect(shown(answer.json<{ labels: Label[] }>().labels)).to.have.members(expected);
    });

    it('take the owner and time of the request that sets them', async () => {
      const body = { creator: 'ada', created_at: time, labels: [{ owned: 'in common' }] };
      const { labels } = await must<{ labels: Label[] }>('PATCH', '/deployments/app', body);
      expect(shown(labels)).to.deep.equal(['owned in common: ada then']);
      await mustRefuse('PATCH', '/deployments/app', { created_at: time, display_name: 'other' });
    });

    it('with a time that is none, or an owner that is no name, are refused', async () => {
      for (const wrong of [{ created_at: 'long ago' }, { created_at: 1 }, { created_by: [] }]) {
        const labels = [{ key: 'x', value: 'y', ...wrong }];
        expect((await call('PATCH', '/deployments/app', { labels })).status).to.equal(400);
      }
    });
  });

  it('keeps a blueprint in the state and with the labels it had', async () => {
    const raw = blueprintZip('b', { 'blueprint.yaml': simpleBlueprint });
    const labels = encodeURIComponent(JSON.stringify([{ key: 'a', value: 'b', created_by: 'ada' }]));
    const put = (state: string): Promise<Answer> =>
      start().call('PUT', `/blueprints/broken-${state}?skip_execution=true&state=${state}&labels=${labels}`, { raw });
    const kept = await put('invalid');
    expect(kept.status, kept.text).to.equal(201);
    expect(kept.json<object>()).to.include({ state: 'invalid' });
    const [label] = kept.json<{ labels: Label[] }>().labels;
    expect(label).to.include({ key: 'a', value: 'b', created_by: 'ada' });
    expect((await put('uploaded')).status).to.equal(400);
    expect((await put('sleeping')).status).to.equal(400);
    await must('PATCH', '/blueprints/broken-invalid', { is_hidden: true });
    expect((await list('/blueprints')).map(({ id }) => id)).not.to.include('broken-invalid');
  });

  it('imports secrets as they were, for those who may say so', async () => {
    const secret = {
      key: 'imported',
      value: 'v',
      tenant_name: 'default_tenant',
      visibility: 'tenant',
      is_hidden_value: false,
      encrypted: false,
    };
    const origin = { creator: 'ada', created_at: time };
    const errorsOf = async (told: object, options: CallOptions = {}): Promise<string[]> => {
      const body = { secrets_list: [{ ...secret, ...told }], override_collisions: false };
      const answer = await call('POST', '/secrets/share/import', body, options);
      expect(answer.status, answer.text).to.equal(200);
      const { secrets_errors: errors } = answer.json<{ secrets_errors: Record<string, object> }>();
      return Object.values(errors).flatMap((one) => Object.keys(one));
    };
    expect(await errorsOf({ creator: 'nobody' })).to.deep.equal(['creator_valid']);
    expect(await errorsOf({ created_at: 'long ago' })).to.deep.equal(['timestamp']);
    await must('PATCH', '/tenants/users', { tenant_name: 'default_tenant', username: 'ada', role: 'manager' });
    expect(await errorsOf({ creator: 'admin' }, ada)).to.deep.equal(['creator']);
    expect(await errorsOf({ created_at: time }, ada)).to.deep.equal(['timestamp']);
    await must('PATCH', '/tenants/users', { tenant_name: 'default_tenant', username: 'ada', role: 'user' });
    expect(await errorsOf(origin)).to.deep.equal([]);
    expect(await must('GET', '/secrets/imported')).to.include({ created_by: 'ada', created_at: time });
  });

  it('hands a group of deployments on that is there already', async () => {
    await must('PUT', '/deployment-groups/handed', {});
    await mustRefuse('PUT', '/deployment-groups/handed', { created_by: 'ada2' });
    await mustRefuse('PUT', '/deployment-groups/handed', { created_at: time });
    const origin = { created_by: 'ada', created_at: time };
    expect(await must('PUT', '/deployment-groups/handed', { ...origin, creation_counter: 7 })).to.include({
      ...origin,
      creation_counter: 7,
    });
  });

  it('keeps whose nodes and instances were, and how the instances were found', async () => {
    const workdir = 'UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==';
    await must('PUT', '/deployments/owned', { blueprint_id: 'app', workdir_zip: workdir });
    const [node] = await list('/nodes?deployment_id=app');
    const nodes = [{ ...node, creator: 'ada' }];
    await mustRefuse('POST', '/nodes', { deployment_id: 'owned', nodes: [{ ...node, creator: 'admin' }] });
    await must('POST', '/nodes', { deployment_id: 'owned', nodes });
    const instance = {
      id: 'server_owned',
      node_id: 'server',
      creator: 'ada',
      index: 4,
      state: 'started',
      runtime_properties: { pid: 1 },
      system_properties: { status: { ok: false } },
      has_configuration_drift: true,
      is_status_check_ok: true,
    };
    const body = { deployment_id: 'owned', node_instances: [instance] };
    await mustRefuse('POST', '/node-instances', { ...body, node_instances: [{ ...instance, creator: 'admin' }] });
    for (const [creator, status] of [
      ['nobody', 404],
      [1, 400],
    ] as const) {
      const wrong = { ...body, node_instances: [{ ...instance, creator }] };
      expect((await call('POST', '/node-instances', wrong)).status).to.equal(status);
    }
    await must('POST', '/node-instances', body);
    const [storedNode] = await list('/nodes?deployment_id=owned');
    expect(storedNode).to.include({ created_by: 'ada', drifted_instances: 1, unavailable_instances: 0 });
    const { creator, ...told } = instance;
    const [storedInstance] = await list('/node-instances?deployment_id=owned');
    expect(storedInstance).to.deep.include({ ...told, created_by: creator });
  });

  describe('what executions leave', () => {
    before(async () => {
      const past = { deployment_id: 'app', workflow_id: 'install', force_status: 'terminated' };
      await must('POST', '/executions', { ...past, id: 'ran' });
      await must('POST', '/executions', { ...past, id: 'ran-of-ada', created_by: 'ada' });
      await must('PUT', '/deployment-groups/several', { deployment_ids: ['app'] });
    });

    it('are groups with their id, owner, time and members', async () => {
      const origin = { created_by: 'ada', created_at: time };
      const common = { deployment_group_id: 'several', workflow_id: 'install' };
      const restored = { ...common, id: 'group-1', associated_executions: ['ran'], ...origin };
      await mustRefuse('POST', '/execution-groups', restored);
      expect(await must('POST', '/execution-groups', restored)).to.deep.include({
        id: 'group-1',
        execution_ids: ['ran'],
        status: 'terminated',
        ...origin,
      });
      const missing = await call('POST', '/execution-groups', {
        ...restored,
        id: 'g',
        associated_executions: ['moon'],
      });
      expect([missing.status, missing.text.includes('moon')]).to.deep.equal([404, true]);
      const gone = { ...restored, id: 'group-2', deployment_group_id: null };
      expect(await must('POST', '/execution-groups', gone)).to.include({ deployment_group_id: null });
      for (const told of [{ id: 'group-3' }, { created_by: 'admin' }, { created_at: time }]) {
        await mustRefuse('POST', '/execution-groups', { ...common, ...told });
      }
      const paused = { ...common, concurrency: 0, id: 'group-3', ...origin };
      expect(await must('POST', '/execution-groups', paused)).to.include({ id: 'group-3', ...origin });
      expect((await call('POST', '/execution-groups', { ...common, deployment_group_id: null })).status).to.equal(400);
      await must('POST', '/execution-groups/group-3', { action: 'cancel' });
    });

    it('are graphs and operations of their time', async () => {
      const operation = { id: 'operation-1', name: 'create', type: 'RemoteWorkflowTask', dependencies: [] };
      const parameters = { task_kwargs: {} };
      const later = '2020-02-02T02:02:03.000Z';
      const operations = [
        { ...operation, parameters, state: 'succeeded', created_at: later, agent_name: 'a', manager_name: 'm' },
        { ...operation, parameters, state: 'pending', id: 'operation-2', dependencies: ['operation-1'] },
      ];
      const graph = { name: 'install', execution_id: 'ran-of-ada' };
      for (const told of [{ graph_id: 'graph-1' }, { created_at: time }, { operations: operations.slice(0, 1) }]) {
        await mustRefuse('POST', '/tasks_graphs/tasks_graphs', { ...graph, ...told });
      }
      const whole = { ...graph, graph_id: 'graph-1', created_at: time, operations };
      expect(await must('POST', '/tasks_graphs/tasks_graphs', whole)).to.include({ id: 'graph-1', created_at: time });
      const stored = await list('/operations?graph_id=graph-1');
      const shown = stored.map(({ id, state, created_at: at, agent_name: agent }) => [id, state, at, agent]);
      expect(shown).to.have.deep.members([
        ['operation-1', 'succeeded', later, 'a'],
        ['operation-2', 'pending', time, null],
      ]);
      expect(await must('GET', '/executions/ran-of-ada')).to.include({ total_operations: 2, finished_operations: 1 });
    });

    it('are events that were stored and happened in the past', async () => {
      const happened = '2020-02-02T02:02:01.000Z';
      const causes = [{ message: 'it broke', type: 'RuntimeError', traceback: '' }];
      const event = {
        event_type: 'task_failed',
        message: { text: 'it broke' },
        context: { node_id: 'server_1', source_id: 'a', target_id: 'b' },
        operation: 'create',
        error_causes: causes,
        timestamp: time,
        reported_timestamp: happened,
      };
      const log = { logger: 'ctx', level: 'info', message: { text: 'hi' }, context: {}, reported_timestamp: happened };
      const sent = { events: [event], logs: [log], manager_name: 'm', agent_name: 'a' };
      for (const owner of [{ execution_id: 'ran' }, { execution_group_id: 'group-1' }]) {
        const name = Object.keys(owner)[0] ?? '';
        const path = `/events?${name}=${Object.values(owner)[0] ?? ''}&_sort=timestamp`;
        await mustRefuse('POST', '/events', { ...sent, ...owner });
        await must('POST', '/events', { ...sent, ...owner });
        const [first, second, ...more] = await list(path);
        expect(more).to.deep.equal([]);
        expect(first).to.deep.include({
          ...owner,
          type: 'cloudify_event',
          timestamp: time,
          reported_timestamp: happened,
          error_causes: causes,
          node_instance_id: 'server_1',
          manager_name: 'm',
          agent_name: 'a',
        });
        expect(second).to.include({ ...owner, type: 'cloudify_log', reported_timestamp: happened });
        expect(Date.parse(second?.['timestamp'] as string)).to.be.greaterThan(Date.parse(time));
      }
      await must('POST', '/tenants/elsewhere', {});
      for (const [table, owner] of [
        ['executions', { execution_id: 'ran' }],
        ['execution_groups', { execution_group_id: 'group-1' }],
      ] as const) {
        await start().database.query(`update ${table} set visibility = 'global' where id = any($1)`, [
          Object.values(owner),
        ]);
        const body = { logs: [{ ...log, reported_timestamp: null }], ...owner };
        const refusal = await start().call('POST', '/events', { body, tenant: 'elsewhere' });
        expect([refusal.status, refusal.json<{ error_code: string }>().error_code]).to.deep.equal([
          400,
          'illegal_action_error',
        ]);
      }
      const both = await call('POST', '/events', { ...sent, execution_id: 'ran', execution_group_id: 'group-1' });
      expect(both.status).to.equal(409);
      expect((await call('POST', '/events', { ...sent, execution_group_id: 'moon' })).status).to.equal(404);
      const bad = { execution_id: 'ran', logs: [{ ...log, reported_timestamp: 'long ago' }] };
      expect((await call('POST', '/events', bad)).status).to.equal(400);
    });
  });
}
