import { expect } from 'chai';
import { RestService, simpleBlueprint } from './kit.ts';

interface Group {
  id: string;
  deployment_ids: string[];
  labels: { key: string; value: string }[];
  [name: string]: unknown;
}

interface ExecutionGroup {
  id: string;
  status: string | null;
  execution_ids: string[] | null;
  [name: string]: unknown;
}

interface Page<Item> {
  items: Item[];
  metadata: { pagination: { total: number } };
}

/** Needs an input, names its deployments, and has a workflow that not every deployment has. */
const namedBlueprint = `tosca_definitions_version: cloudify_dsl_1_5
imports:
  - cloudify/types/types.yaml
inputs:
  size:
    type: integer
deployment_settings:
  id_template: '{blueprint_id}-{count}'
  display_name: 'Number {count} of {group_id}'
workflows:
  special:
    mapping: default_workflows.cloudify.plugins.workflows.execute_operation
node_templates:
  server:
    type: cloudify.nodes.Root
`;

describe('groups of deployments and executions', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start({ hasScheduler: true });
    await rest.upload('b', { 'blueprint.yaml': simpleBlueprint });
    await rest.upload('named', { 'blueprint.yaml': namedBlueprint });
  });

  after(() => rest?.stop());

  async function call<Shape>(method: string, path: string, body?: unknown, status = 200): Promise<Shape> {
    const answer = await rest.call(method, path, body === undefined ? {} : { body });
    expect(answer.status, answer.text).to.equal(status);
    return answer.json<Shape>();
  }

  const put = (id: string, body: unknown): Promise<Group> => call<Group>('PUT', `/deployment-groups/${id}`, body);
  const patch = (id: string, body: unknown): Promise<Group> => call<Group>('PATCH', `/deployment-groups/${id}`, body);

  async function refused(method: string, path: string, body: unknown, status: number, code: string): Promise<string> {
    const answer = await rest.call(method, path, { body });
    expect(answer.status, answer.text).to.equal(status);
    expect(answer.json<{ error_code: string }>().error_code).to.equal(code);
    return answer.json<{ message: string }>().message;
  }

  /** The execution group that fills the deployments which a group created last. */
  async function creationOf(group: string): Promise<ExecutionGroup> {
    const { items } = await call<Page<ExecutionGroup>>(
      'GET',
      `/execution-groups?deployment_group_id=${group}&workflow_id=create_deployment_environment&_get_data=true&_sort=-created_at`,
    );
    expect(items).to.not.be.empty;
    return items[0] as ExecutionGroup;
  }

  /** Waits for all executions of a group. */
  async function ended(id: string): Promise<ExecutionGroup> {
    const group = await call<ExecutionGroup>('GET', `/execution-groups/${id}`);
    const waits = (group.execution_ids ?? []).map((execution) =>
      rest.services.waiter.waitUntilEnded(execution, 50_000),
    );
    await Promise.all(waits);
    return call<ExecutionGroup>('GET', `/execution-groups/${id}`);
  }

  async function labelsOf(deployment: string): Promise<Record<string, string[]>> {
    const { labels } = await call<Group>('GET', `/deployments/${deployment}`);
    const found: Record<string, string[]> = {};
    labels.forEach(({ key, value }) => (found[key] ??= []).push(value));
    return found;
  }

  describe('members', () => {
    before(async () => {
      for (const id of ['m1', 'm2', 'm3', 'outside', 'parent']) {
        await call('PUT', `/deployments/${id}`, { blueprint_id: 'b' }, 201);
      }
      await call('PATCH', '/deployments/m3', { labels: [{ tier: 'gold' }] });
      await call('PUT', '/filters/deployments/gold', {
        filter_rules: [{ type: 'label', key: 'tier', operator: 'any_of', values: ['gold'] }],
      });
    });

    it('are set by ids, filter or another group, and added by rules', async () => {
      const created = await put('g', { description: 'some', deployment_ids: ['m1', 'm2'], visibility: 'tenant' });
      expect(created).to.include({ id: 'g', description: 'some', creation_counter: 0, visibility: 'tenant' });
      expect(created.deployment_ids).to.deep.equal(['m1', 'm2']);
      expect((await put('g', { filter_id: 'gold' })).deployment_ids).to.deep.equal(['m3']);
      expect((await put('g', { description: null })).deployment_ids, 'null is not given').to.deep.equal(['m3']);
      const rule = { type: 'attribute', key: 'id', operator: 'any_of', values: ['m1'] };
      expect((await put('g', { filter_rules: [rule] })).deployment_ids).to.deep.equal(['m1', 'm3']);
      await put('other', { deployment_ids: ['m2'] });
      expect((await put('g', { deployments_from_group: 'other' })).deployment_ids).to.deep.equal(['m2']);
      expect((await call<Group>('GET', '/deployment-groups/g')).description).to.equal('some');
    });

    it('join and leave', async () => {
      await put('h', {});
      const joined = await patch('h', {
        add: { deployment_ids: ['m1'], filter_id: 'gold', deployments_from_group: 'other' },
      });
      expect(joined.deployment_ids).to.deep.equal(['m1', 'm2', 'm3']);
      const none = { filter_id: null, filter_rules: [], deployments_from_group: null };
      expect((await patch('h', { add: none, remove: none })).deployment_ids, 'nothing chosen').to.have.length(3);
      const left = await patch('h', { remove: { deployment_ids: ['outside', 'm1'], filter_id: 'gold' } });
      expect(left.deployment_ids).to.deep.equal(['m2']);
      const summary = '/summary/deployments?_target_field=visibility&deployment_group_id=h';
      expect((await call<Page<object>>('GET', summary)).items).to.deep.equal([
        { visibility: 'tenant', deployments: 1 },
      ]);
      await put('also', { deployment_ids: ['m2'] });
      for (const name of ['_group_id', 'deployment_group_id']) {
        const members = await call<Page<Group>>('GET', `/deployments?${name}=h`);
        expect(members.items.map(({ id }) => id)).to.deep.equal(['m2']);
      }
    });

    it('that do not exist refuse the whole request', async () => {
      await refused('PUT', '/deployment-groups/none', { deployment_ids: ['m1', 'nope'] }, 404, 'not_found_error');
      expect((await rest.call('GET', '/deployment-groups/none')).status).to.equal(404);
      await refused('PATCH', '/deployment-groups/nope', { add: { deployment_ids: [] } }, 404, 'not_found_error');
      await refused('PUT', '/deployment-groups/none', { blueprint_id: 'nope' }, 404, 'not_found_error');
    });

    it('have the labels of the group, and lose what the group loses', async () => {
      await put('l', { labels: [{ team: 'a' }, { 'csys-obj-parent': 'parent' }], deployment_ids: ['m1'] });
      expect(await labelsOf('m1')).to.deep.equal({ team: ['a'], 'csys-obj-parent': ['parent'] });
      expect(await labelsOf('parent')).to.deep.equal({ 'csys-consumer-id': ['m1'] });
      await patch('l', { add: { deployment_ids: ['m2'] } });
      expect(await labelsOf('m2')).to.deep.equal({ team: ['a'], 'csys-obj-parent': ['parent'] });
      expect(await call<Group>('GET', '/deployments/parent')).to.include({ sub_services_count: 2 });
      const changed = await put('l', { labels: [{ key: 'team', value: 'b' }] });
      expect(changed.labels).to.have.length(1);
      expect(await labelsOf('m1')).to.deep.equal({ team: ['b'] });
      expect(await labelsOf('parent')).to.deep.equal({});
      expect(await call<Group>('GET', '/deployments/parent')).to.include({ sub_services_count: 0 });
    });

    it('are not made parts of themselves', async () => {
      await put('cycle', { deployment_ids: ['m1'] });
      const labels = [{ 'csys-obj-parent': 'm1' }];
      expect(await refused('PUT', '/deployment-groups/cycle', { labels }, 409, 'conflict_error')).to.contain('m1');
      await refused(
        'PUT',
        '/deployment-groups/cycle',
        { labels: [{ 'csys-obj-parent': 'nobody' }] },
        404,
        'deployment_parent_not_found_error',
      );
      expect((await call<Group>('GET', '/deployment-groups/cycle')).labels).to.deep.equal([]);
    });
  });

  describe('new deployments', () => {
    it('are created of the default blueprint, with default inputs and the labels of the group', async () => {
      await call('PUT', '/sites/here', { location: '1.0,2.0' });
      const group = await put('made', {
        blueprint_id: 'b',
        default_inputs: { port: 1, name: 'all' },
        labels: [{ team: 'a' }],
        new_deployments: [
          {},
          {
            id: 'made-special',
            inputs: { port: 2 },
            labels: [{ role: 'db' }],
            display_name: 'Special',
            site_name: 'here',
          },
        ],
      });
      expect(group).to.include({ creation_counter: 2, default_blueprint_id: 'b' });
      const generated = group.deployment_ids.find((id) => id !== 'made-special') ?? '';
      expect(generated).to.match(/^made-[0-9a-f-]{36}$/);
      const creation = await creationOf('made');
      expect(creation).to.include({ concurrency: 10 });
      expect((await ended(creation.id)).status).to.equal('terminated');
      const special = await call<Group>('GET', '/deployments/made-special');
      expect(special).to.include({ display_name: 'Special', site_name: 'here', installation_status: 'inactive' });
      expect(special['inputs']).to.deep.equal({ port: 2, name: 'all' });
      expect(await labelsOf('made-special')).to.deep.equal({ team: ['a'], role: ['db'] });
      expect(await labelsOf(generated)).to.deep.equal({ team: ['a'] });
      expect((await call<Group>('GET', `/deployments/${generated}`))['inputs']).to.deep.equal({ port: 1, name: 'all' });
    });

    it('get ids and names from templates, counting on', async () => {
      await put('numbered', { blueprint_id: 'named', default_inputs: { size: 3 } });
      await patch('numbered', { add: { new_deployments: [{}, {}] } });
      const group = await patch('numbered', {
        add: { new_deployments: [{ id: '{group_id}-x{count}', display_name: 'By {blueprint_id}' }] },
      });
      expect([...group.deployment_ids].sort()).to.deep.equal(['named-1', 'named-2', 'numbered-x3']);
      await ended((await creationOf('numbered')).id);
      expect(await call<Group>('GET', '/deployments/named-2')).to.include({ display_name: 'Number 2 of numbered' });
      expect(await call<Group>('GET', '/deployments/numbered-x3')).to.include({ display_name: 'By named' });
    });

    it('are refused together when one cannot be created', async () => {
      const path = '/deployment-groups/refusing';
      const add = (...specs: object[]): object => ({ add: { new_deployments: specs } });
      await put('refusing', {});
      expect(await refused('PATCH', path, add({}), 409, 'conflict_error')).to.contain('no default blueprint');
      await put('refusing', { blueprint_id: 'named' });
      await refused('PATCH', path, add({ inputs: { size: 1 } }, {}), 400, 'missing_required_deployment_input_error');
      const sized = { inputs: { size: 1 } };
      await refused('PATCH', path, add({ ...sized, id: 'fresh' }, { ...sized, id: 'm1' }), 409, 'conflict_error');
      await refused('PATCH', path, add({ ...sized, id: 'same' }, { ...sized, id: 'same' }), 409, 'conflict_error');
      await refused('PATCH', path, add({ ...sized, site_name: 'nowhere' }), 404, 'not_found_error');
      expect((await rest.call('GET', '/deployments/fresh')).status).to.equal(404);
      expect(await call<Group>('GET', path)).to.include({ creation_counter: 0 });
    });

    it('come by the hundred in one request', async () => {
      const group = await put('many', { blueprint_id: 'b', new_deployments: Array.from({ length: 100 }, () => ({})) });
      expect(group.deployment_ids).to.have.length(100);
      const creation = await ended((await creationOf('many')).id);
      expect(creation.status).to.equal('terminated');
      expect(creation.execution_ids).to.have.length(100);
    });
  });

  describe('executions', () => {
    before(async () => {
      await put('run', { blueprint_id: 'b', new_deployments: [{ id: 'r1' }, { id: 'r2' }, { id: 'r3' }] });
      await ended((await creationOf('run')).id);
    });

    const start = (body: object): Promise<ExecutionGroup> => call<ExecutionGroup>('POST', '/execution-groups', body);

    it('run on every deployment, as many at once as the group lets, and collect the deployments', async () => {
      await put('succeeded', {});
      const paused = await start({ deployment_group_id: 'run', workflow_id: 'install', concurrency: 0 });
      expect(paused).to.include({ workflow_id: 'install', deployment_group_id: 'run', status: 'queued' });
      await call('PATCH', `/execution-groups/${paused.id}`, { success_group_id: 'succeeded' });
      const one = await call<ExecutionGroup>('PATCH', `/execution-groups/${paused.id}`, { concurrency: 1 });
      expect(one).to.include({ concurrency: 1 });
      expect((await ended(paused.id)).status).to.equal('terminated');
      const times = await call<Page<{ started_at: string; ended_at: string }>>(
        'GET',
        `/executions?_group_id=${paused.id}&_sort=started_at`,
      );
      times.items.slice(1).forEach(({ started_at: started }, index) => {
        expect(started >= (times.items[index]?.ended_at ?? ''), 'one after the other').to.equal(true);
      });
      const group = await call<Group>('GET', '/deployment-groups/succeeded');
      expect(group.deployment_ids).to.deep.equal(['r1', 'r2', 'r3']);
      const counts = await call<Page<object>>(
        'GET',
        `/summary/executions?_target_field=status&execution_group_id=${paused.id}`,
      );
      expect(counts.items).to.deep.equal([{ status: 'terminated', executions: 3 }]);
      const plain = await call<Page<ExecutionGroup>>('GET', `/execution-groups?id=${paused.id}`);
      expect(plain.items[0]).to.include({ status: null, execution_ids: null });
    });

    it('collect deployments that ended before the target group was named', async () => {
      await put('late', {});
      const group = await start({
        deployment_group_id: 'run',
        workflow_id: 'execute_operation',
        default_parameters: { operation: 'cloudify.interfaces.lifecycle.start' },
        parameters: { r2: { operation: 'cloudify.interfaces.lifecycle.stop' } },
      });
      await ended(group.id);
      const executions = await call<Page<{ deployment_id: string; parameters: { operation: string } }>>(
        'GET',
        `/executions?_group_id=${group.id}`,
      );
      const stopped = executions.items.filter(({ parameters }) => parameters.operation.endsWith('stop'));
      expect(stopped.map(({ deployment_id: id }) => id)).to.deep.equal(['r2']);
      await call('PATCH', `/execution-groups/${group.id}`, { success_group_id: 'late' });
      expect((await call<Group>('GET', '/deployment-groups/late')).deployment_ids).to.have.length(3);
    });

    it('are cancelled at once while they wait, and resumed in turn', async () => {
      const group = await start({ deployment_group_id: 'run', workflow_id: 'uninstall', concurrency: 0 });
      const path = `/execution-groups/${group.id}`;
      const answer = await call<ExecutionGroup>('POST', path, { action: 'cancel' });
      expect(answer).to.include({ status: null, execution_ids: null });
      const cancelled = await call<Page<{ status: string }>>('GET', `/executions?_group_id=${group.id}`);
      expect(cancelled.items.map(({ status }) => status)).to.deep.equal(['cancelled', 'cancelled', 'cancelled']);
      expect((await call<ExecutionGroup>('GET', path)).status).to.equal('terminated');
      await call('PATCH', path, { concurrency: 2 });
      const resumed = await call<ExecutionGroup>('POST', `${path}?_get_data=true`, { action: 'resume' });
      expect(resumed.status).to.be.oneOf(['queued', 'started']);
      expect((await ended(group.id)).status).to.equal('terminated');
      const deployment = await call<Group>('GET', '/deployments/r1');
      expect(deployment).to.include({ installation_status: 'inactive' });
      expect(await refused('POST', path, { action: 'zz' }, 400, 'bad_parameters_error')).to.contain("'force-resume']");
    });

    it('report their outcome to the group, and which deployments lack the workflow', async () => {
      await put('mixed', { blueprint_id: 'named', default_inputs: { size: 1 }, deployment_ids: ['r1'] });
      await patch('mixed', { add: { new_deployments: [{ id: 'has-special' }] } });
      await ended((await creationOf('mixed')).id);
      const group = await start({
        deployment_group_id: 'mixed',
        workflow_id: 'special',
      });
      const [only, ...more] = group.execution_ids ?? [];
      expect(more).to.deep.equal([]);
      await ended(group.id);
      const { items } = await call<Page<{ message: string; type: string }>>(
        'GET',
        `/events?execution_group_id=${group.id}&type=cloudify_event&type=cloudify_log`,
      );
      const messages = items.map(({ message }) => message);
      expect(messages.some((message) => message.includes('does not exist in the deployment r1'))).to.equal(true);
      expect(messages.some((message) => message.includes(`'${only}' changed state to 'started'`))).to.equal(true);
    });

    const refusals: [string, object, number, string][] = [
      ['an unknown group', { deployment_group_id: 'nope', workflow_id: 'install' }, 404, 'not_found_error'],
      ['no workflow', { deployment_group_id: 'run' }, 400, 'bad_parameters_error'],
      [
        'a negative concurrency',
        { deployment_group_id: 'run', workflow_id: 'install', concurrency: -1 },
        400,
        'bad_parameters_error',
      ],
      [
        'parameters the workflow does not have',
        { deployment_group_id: 'run', workflow_id: 'install', default_parameters: { nope: 1 } },
        400,
        'illegal_execution_parameters_error',
      ],
    ];
    for (const [what, body, status, code] of refusals) {
      it(`are refused with ${what}`, async () => {
        await refused('POST', '/execution-groups', body, status, code);
      });
    }

    it('are restored without running', async () => {
      const { items } = await call<Page<{ id: string }>>('GET', '/executions?deployment_id=r1&workflow_id=install');
      const group = await start({
        id: 'restored',
        deployment_group_id: 'run',
        workflow_id: 'install',
        associated_executions: items.map(({ id }) => id),
        created_at: '2020-01-01T00:00:00.000Z',
      });
      expect(group).to.include({ id: 'restored', created_at: '2020-01-01T00:00:00.000Z', status: 'terminated' });
      expect(group.execution_ids).to.deep.equal(items.map(({ id }) => id));
    });
  });

  describe('deleting a group', () => {
    it('leaves its deployments', async () => {
      await put('short', { deployment_ids: ['r1'] });
      expect((await rest.call('DELETE', '/deployment-groups/short')).status).to.equal(204);
      expect((await rest.call('GET', '/deployments/r1')).status).to.equal(200);
      expect((await rest.call('DELETE', '/deployment-groups/short')).status).to.equal(404);
    });

    it('deletes its deployments if all of them may be deleted', async () => {
      await put('gone', { blueprint_id: 'b', new_deployments: [{ id: 'gone-1' }, { id: 'gone-2' }] });
      await ended((await creationOf('gone')).id);
      const install = await call<ExecutionGroup>('POST', '/execution-groups', {
        deployment_group_id: 'gone',
        workflow_id: 'install',
      });
      await ended(install.id);
      const path = '/deployment-groups/gone?delete_deployments=true';
      expect(await refused('DELETE', path, undefined, 400, 'dependent_exists_error')).to.contain('live nodes');
      expect((await rest.call('GET', '/deployment-groups/gone')).status).to.equal(200);
      const answer = await call<{ execution_group_id: string }>('DELETE', `${path}&force=true`);
      await ended(answer.execution_group_id);
      expect((await rest.call('GET', '/deployment-groups/gone')).status).to.equal(404);
      expect((await rest.call('GET', '/deployments/gone-1')).status).to.equal(404);
      expect((await rest.call('GET', '/deployments/gone-2')).status).to.equal(404);
    });
  });
});
