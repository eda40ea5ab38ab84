import { expect } from 'chai';
import { until } from '../kit/until.ts';
import { RestService, simpleBlueprint } from './kit.ts';

interface Dependency {
  id: string;
  dependency_creator: string;
  source_deployment_id: string | null;
  target_deployment_id: string | null;
  [name: string]: unknown;
}

interface List<Item> {
  items: Item[];
}

describe('dependencies between deployments', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    await rest.upload('b', { 'blueprint.yaml': simpleBlueprint });
    for (const id of ['a', 'b', 'c', 'd', 'child']) {
      await call('PUT', `/deployments/${id}`, { blueprint_id: 'b' }, 201);
    }
  });

  after(() => rest?.stop());

  const path = '/deployments/inter-deployment-dependencies';

  async function call<Shape>(method: string, place: string, body?: unknown, status = 200): Promise<Shape> {
    const answer = await rest.call(method, place, body === undefined ? {} : { body });
    expect(answer.status, answer.text).to.equal(status);
    return answer.json<Shape>();
  }

  async function refusal(method: string, place: string, body: unknown): Promise<[number, string, string]> {
    const answer = await rest.call(method, place, { body });
    const { error_code: code, message } = answer.json<{ error_code: string; message: string }>();
    return [answer.status, code, message];
  }

  async function of(source: string): Promise<Dependency[]> {
    return (await call<List<Dependency>>('GET', `${path}?source_deployment_id=${source}`)).items;
  }

  async function consumersOf(deployment: string): Promise<string[]> {
    const { labels } = await call<{ labels: { key: string; value: string }[] }>('GET', `/deployments/${deployment}`);
    return labels.filter(({ key }) => key === 'csys-consumer-id').map(({ value }) => value);
  }

  it('are stored one by one, and label what is used', async () => {
    const body = { dependency_creator: 'sharedresource.node_x1', source_deployment: 'a', target_deployment: 'b' };
    const stored = await call<Dependency>('PUT', path, body);
    expect(stored).to.include({
      dependency_creator: 'sharedresource.node_x1',
      source_deployment_id: 'a',
      target_deployment_id: 'b',
      external_source: null,
    });
    expect(await consumersOf('b')).to.deep.equal(['a']);
    await call('PUT', path, { ...body, dependency_creator: 'component.node_x2', target_deployment: 'c' });
    expect(await consumersOf('c'), 'the owner of a component is no consumer').to.deep.equal([]);
  });

  it('are refused under an id that is taken', async () => {
    const [first] = await of('a');
    const body = { dependency_creator: 'other.one', source_deployment: 'd', target_deployment: 'c', id: first?.id };
    const [status, code, message] = await refusal('PUT', path, body);
    expect([status, code]).to.deep.equal([409, 'conflict_error']);
    expect(message).to.contain('already exists');
    expect(await of('d')).to.deep.equal([]);
  });

  it('on deployments of other managers, or determined by a function', async () => {
    const creator = { dependency_creator: 'x.y', source_deployment: 'd' };
    const outside = { deployment: 'far', tenant: 't', host: 'h' };
    const inwards = await call<Dependency>('PUT', path, {
      dependency_creator: 'x.y',
      source_deployment: 'far',
      target_deployment: 'b',
      external_source: outside,
    });
    expect(inwards).to.include({ source_deployment_id: null, target_deployment_id: 'b' });
    const outwards = await call<Dependency>('PUT', path, {
      ...creator,
      target_deployment: ' ',
      external_target: outside,
    });
    expect(outwards).to.include({ source_deployment_id: 'd', target_deployment_id: null });
    expect(outwards['external_target']).to.deep.equal(outside);
    const by = { function: { get_secret: 's' }, context: {} };
    const told = await call<Dependency>('PUT', path, { ...creator, target_deployment_func: by });
    expect(told['target_deployment_func']).to.deep.equal(by);
  });

  const wrong: [string, object, number, string, RegExp][] = [
    [
      'an unknown source',
      { source_deployment: 'no', target_deployment: 'b' },
      404,
      'not_found_error',
      /source deployment/,
    ],
    [
      'an unknown target',
      { source_deployment: 'a', target_deployment: 'no' },
      404,
      'not_found_error',
      /target deployment/,
    ],
    ['no target at all', { source_deployment: 'a' }, 404, 'not_found_error', /function has not been provided/],
    [
      'a target that depends on the source',
      { source_deployment: 'b', target_deployment: 'a' },
      409,
      'conflict_error',
      /^cyclic dependency between deployments b and a$/,
    ],
    ['themselves', { source_deployment: 'a', target_deployment: 'a' }, 409, 'conflict_error', /cyclic/],
  ];
  for (const [what, body, status, code, text] of wrong) {
    it(`on ${what} are refused`, async () => {
      const [given, error, message] = await refusal('PUT', path, { dependency_creator: 'n.m', ...body });
      expect([given, error]).to.deep.equal([status, code]);
      expect(message).to.match(text);
    });
  }

  it('are stored together, and replaced', async () => {
    const many = {
      source_deployment_id: 'd',
      inter_deployment_dependencies: [
        { dependency_creator: 'one.a', target_deployment: 'b' },
        { dependency_creator: 'two.b', target_deployment: 'unknown' },
      ],
    };
    const { items } = await call<List<{ id: string }>>('POST', path, many);
    expect(items).to.have.length(2);
    const second = (await of('d')).find(({ dependency_creator: creator }) => creator === 'two.b');
    expect(second).to.include({ target_deployment_id: null });
    expect(await consumersOf('b')).to.include('d');
    await call('PUT', '/deployments/d/inter-deployment-dependencies', {
      inter_deployment_dependencies: [{ dependency_creator: 'three.c', target_deployment: 'c' }],
    });
    expect((await of('d')).map(({ dependency_creator: creator }) => creator)).to.deep.equal(['three.c']);
    expect(await consumersOf('b')).to.not.include('d');
    expect(await consumersOf('c')).to.include('d');
    const cyclic = {
      source_deployment_id: 'c',
      inter_deployment_dependencies: [{ dependency_creator: 'x.y', target_deployment: 'd' }],
    };
    expect((await refusal('POST', path, cyclic)).slice(0, 2)).to.deep.equal([409, 'conflict_error']);
  });

  it('keep what is used from being deleted or taken down', async () => {
    const [status, code, message] = await refusal('DELETE', '/deployments/b', undefined);
    expect([status, code]).to.deep.equal([400, 'dependent_exists_error']);
    expect(message).to.equal(
      "Can't delete deployment b - the following existing installations depend on it:\n" +
        '[1] Deployment `a` uses a shared resource from the current deployment in its node `node_x1`',
    );
    const start = { deployment_id: 'b', workflow_id: 'uninstall' };
    expect((await refusal('POST', '/executions', start))[2]).to.equal(
      "Can't execute workflow `uninstall` on deployment b - existing installations depend on it:\n" +
        '[1] Deployment `a` uses a shared resource from the current deployment in its node `node_x1`',
    );
  });

  it('do not keep what is used from being deleted by force', async () => {
    await call('PUT', '/deployments/used', { blueprint_id: 'b' }, 201);
    const body = { dependency_creator: 'sharedresource.node_x2', source_deployment: 'a', target_deployment: 'used' };
    await call('PUT', path, body);
    expect((await refusal('DELETE', '/deployments/used', undefined))[1]).to.equal('dependent_exists_error');
    await call('DELETE', '/deployments/used?force=true', undefined, 204);
  });

  it('a parent is kept by its children', async () => {
    await call('PATCH', '/deployments/child', { labels: [{ 'csys-obj-parent': 'a' }] });
    const [, , message] = await refusal('DELETE', '/deployments/a', undefined);
    expect(message).to.contain('[1] Deployment `a` is the parent of deployment child');
    expect(await call<object>('GET', '/deployments/a')).to.include({ sub_services_count: 1 });
    await call('PATCH', '/deployments/child', { labels: [] });
    expect(await call<object>('GET', '/deployments/a')).to.include({ sub_services_count: 0 });
  });

  it('count services and environments through the tree, and show the worst status', async () => {
    interface Summary {
      sub_services_count: number;
      sub_environments_count: number;
      sub_services_status: string | null;
      sub_environments_status: string | null;
      deployment_status: string;
    }
    const labelled: [string, object[]][] = [
      ['root', []],
      ['env', [{ 'csys-obj-parent': 'root' }, { 'csys-obj-type': 'environment' }]],
      ['leaf1', [{ 'csys-obj-parent': 'env' }]],
      ['leaf2', [{ 'csys-obj-parent': 'root' }]],
    ];
    for (const [id, labels] of labelled) {
      await call('PUT', `/deployments/${id}`, { blueprint_id: 'b', labels }, 201);
    }
    const read = async (query = ''): Promise<Summary> => call<Summary>('GET', `/deployments/root${query}`);
    expect(await read()).to.include({
      sub_services_count: 2,
      sub_environments_count: 1,
      sub_services_status: 'requires_attention',
      sub_environments_status: 'requires_attention',
    });
    expect(await read('?all_sub_deployments=false')).to.include({ sub_services_count: 1, sub_environments_count: 1 });
    for (const id of ['leaf1', 'leaf2', 'env', 'root']) {
      const { id: execution } = await call<{ id: string }>(
        'POST',
        '/executions',
        { deployment_id: id, workflow_id: 'install' },
        201,
      );
      await rest.services.waiter.waitUntilEnded(execution, 30_000);
    }
    expect(await read()).to.include({
      sub_services_status: 'good',
      sub_environments_status: 'good',
      deployment_status: 'good',
    });
    await call('PATCH', '/deployments/leaf2', { labels: [] });
    expect(await read()).to.include({ sub_services_count: 1, sub_environments_count: 1 });
  });

  it('let a cascading workflow run on components, and on theirs', async () => {
    const cascading = `${simpleBlueprint}workflows:
  again:
    mapping: default_workflows.cloudify.plugins.workflows.install
    is_cascading: true
`;
    await rest.upload('cascading', { 'blueprint.yaml': cascading });
    for (const id of ['c1', 'c2', 'c3']) {
      await call('PUT', `/deployments/${id}`, { blueprint_id: 'cascading' }, 201);
    }
    for (const [source, target] of [
      ['c1', 'c2'],
      ['c2', 'c3'],
    ]) {
      const creator = { dependency_creator: `component.in_${source}` };
      await call('PUT', path, { ...creator, source_deployment: source, target_deployment: target });
    }
    await call('POST', '/executions', { deployment_id: 'c1', workflow_id: 'again' }, 201);
    await call('POST', '/executions', { deployment_id: 'c3', workflow_id: 'install', queue: true }, 201);
    const { items } = await call<List<{ deployment_id: string }>>('GET', '/executions?workflow_id=again');
    expect(items.map(({ deployment_id: id }) => id).sort()).to.deep.equal(['c1', 'c2', 'c3']);
  });

  it('are removed by what they are', async () => {
    const key = { dependency_creator: 'sharedresource.node_x1', source_deployment: 'a', target_deployment: 'b' };
    await call('DELETE', path, { ...key, is_component_deletion: false }, 204);
    expect(await consumersOf('b')).to.deep.equal([]);
    expect((await refusal('DELETE', path, key)).slice(0, 2)).to.deep.equal([404, 'not_found_error']);
    const twice = { dependency_creator: 'same.same', source_deployment: 'a', target_deployment: 'b' };
    await call('PUT', path, twice);
    await call('PUT', path, twice);
    expect((await refusal('DELETE', path, twice)).slice(0, 2)).to.deep.equal([409, 'ambiguous_name']);
  });

  it('and parents keep the label of a consumer until the last of them goes', async () => {
    await call('PUT', '/deployments/both', { blueprint_id: 'b', labels: [{ 'csys-obj-parent': 'c' }] }, 201);
    const body = { dependency_creator: 'x.y', source_deployment: 'both', target_deployment: 'c' };
    await call('PUT', path, body);
    await call('PATCH', '/deployments/both', { labels: [] });
    expect(await consumersOf('c')).to.include('both');
    await call('PATCH', '/deployments/both', { labels: [{ 'csys-obj-parent': 'c' }] });
    await call('DELETE', path, body, 204);
    expect(await consumersOf('c')).to.include('both');
    await call('PATCH', '/deployments/both', { labels: [] });
    expect(await consumersOf('c')).to.not.include('both');
  });

  it('leave no label of a deployment whose creation failed when it is created again', async () => {
    await call('PUT', '/deployments/failed', { blueprint_id: 'b' }, 201);
    await call('PUT', path, { dependency_creator: 'x.y', source_deployment: 'failed', target_deployment: 'b' });
    expect(await consumersOf('b')).to.include('failed');
    await rest.database.query(
      `update executions set status = 'failed' from deployments
       where deployments.id = 'failed' and executions.storage_id = deployments.create_execution_id`,
    );
    await call('PUT', '/deployments/failed', { blueprint_id: 'b' }, 201);
    expect(await consumersOf('b')).to.not.include('failed');
  });

  it('leave no label of a deployment that is gone', async () => {
    const labels = [{ 'csys-obj-parent': 'c' }];
    await call('PUT', '/deployments/user', { blueprint_id: 'b', labels }, 201);
    const body = { dependency_creator: 'x.y', source_deployment: 'user', target_deployment: 'b' };
    await call('PUT', path, body);
    expect([...(await consumersOf('b')), ...(await consumersOf('c'))].filter((id) => id === 'user')).to.have.length(2);
    await call('DELETE', '/deployments/user?force=true', undefined, 204);
    await until('it to be gone', async () => (await rest.call('GET', '/deployments/user')).status === 404);
    expect([...(await consumersOf('b')), ...(await consumersOf('c'))]).to.not.include('user');
  });
});
