import { expect } from 'chai';
import { RestService, simpleBlueprint } from './kit.ts';

interface List {
  items: Record<string, unknown>[];
  metadata: { pagination: { total: number; size: number; offset: number }; filtered: number | null };
}

describe('lists, filters and searches', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    for (const id of ['b1', 'b2']) {
      expect((await rest.upload(id, { 'blueprint.yaml': simpleBlueprint })).status).to.equal(201);
    }
    for (const [id, blueprint, labels] of [
      ['d1', 'b1', [{ env: 'prod' }, { region: ['eu', 'us'] }]],
      ['d2', 'b1', [{ env: 'test' }]],
      ['d3', 'b2', []],
    ] as const) {
      const answer = await rest.call('PUT', `/deployments/${id}`, {
        body: { blueprint_id: blueprint, labels, display_name: `Deployment ${id}` },
      });
      expect(answer.status, answer.text).to.equal(201);
    }
  });

  after(() => rest?.stop());

  async function list(path: string, body?: unknown): Promise<List> {
    const answer = await rest.call(body === undefined ? 'GET' : 'POST', path, { body });
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<List>();
  }

  async function ids(path: string, body?: unknown): Promise<unknown[]> {
    return (await list(path, body)).items.map(({ id }) => id);
  }

  it('pages, and says how many there are', async () => {
    const page = await list('/deployments?_size=2&_offset=1&_sort=id&_include=id');
    expect(page).to.deep.equal({
      items: [{ id: 'd2' }, { id: 'd3' }],
      metadata: { pagination: { total: 3, size: 2, offset: 1 }, filtered: null },
    });
    const empty = await list('/deployments?_size=0');
    expect([empty.items.length, empty.metadata.pagination.total]).to.deep.equal([0, 3]);
    expect(await ids('/deployments?_size=1&_get_all_results=true')).to.have.length(3);
  });

  it('sorts by several keys, labels too', async () => {
    expect(await ids('/deployments?_sort=-blueprint_id&_sort=-id')).to.deep.equal(['d3', 'd2', 'd1']);
    expect(await ids('/deployments?_sort=%2Bid')).to.deep.equal(['d1', 'd2', 'd3']);
    expect((await ids('/deployments?_sort=-label:env')).slice(-2)).to.deep.equal(['d2', 'd1']);
  });

  it('filters by equality: the same field is or, different ones are and', async () => {
    expect(await ids('/deployments?id=d1&id=d3&_sort=id')).to.deep.equal(['d1', 'd3']);
    expect(await ids('/deployments?id=d1&blueprint_id=b2')).to.deep.equal([]);
    expect(await ids('/executions?workflow_id=upload_blueprint&_include=id')).to.have.length(2);
  });

  it('searches literally, without wildcards', async () => {
    expect(await ids('/deployments?_search=D1')).to.deep.equal(['d1']);
    expect(await ids('/deployments?_search=%25')).to.deep.equal([]);
    expect(await ids('/deployments?_search=nothing&_search_name=ment%20d2')).to.deep.equal(['d2']);
  });

  it('shows members in their order, absent ones as null, missing numbers as 0', async () => {
    const { items } = await list('/executions?workflow_id=create_deployment_environment&deployment_id=d1');
    expect(Object.keys(items[0] ?? {})).to.deep.equal([
      'created_at',
      'visibility',
      'id',
      'ended_at',
      'error',
      'is_system_workflow',
      'parameters',
      'status',
      'workflow_id',
      'started_at',
      'scheduled_for',
      'is_dry_run',
      'resume',
      'total_operations',
      'finished_operations',
      'allow_custom_parameters',
      'blueprint_id',
      'deployment_display_name',
      'deployment_id',
      'status_display',
      'tenant_name',
      'created_by',
      'resource_availability',
      'private_resource',
    ]);
    expect(items[0]).to.include({ total_operations: 0, scheduled_for: null, status_display: 'completed' });
    expect(items[0]?.['created_at']).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('gives labels as clients print them', async () => {
    const { items } = await list('/deployments?id=d1&_include=labels');
    const labels = items[0]?.['labels'] as { key: string; value: string; created_by: string }[];
    expect(labels.map(({ key, value }) => `${key}:${value}`).sort()).to.deep.equal([
      'env:prod',
      'region:eu',
      'region:us',
    ]);
    expect(labels[0]).to.have.keys(['key', 'value', 'created_at', 'created_by']);
  });

  it('takes labels of an upload from the query, too', async () => {
    const given = encodeURIComponent(JSON.stringify([{ key: 'Stage', value: 'late' }, { team: ['a', 'b'] }]));
    expect((await rest.upload('labelled', { 'blueprint.yaml': simpleBlueprint }, `labels=${given}`)).status).to.equal(
      201,
    );
    const { labels } = (await rest.call('GET', '/blueprints/labelled')).json<{
      labels: { key: string; value: string }[];
    }>();
    expect(labels.map(({ key, value }) => `${key}:${value}`).sort()).to.deep.equal(['stage:late', 'team:a', 'team:b']);
    for (const wrong of ['{"a":', 'text']) {
      const refused = await rest.upload(
        'x',
        { 'blueprint.yaml': simpleBlueprint },
        `labels=${encodeURIComponent(wrong)}`,
      );
      expect([refused.status, refused.json<{ error_code: string }>().error_code]).to.deep.equal([
        400,
        'bad_parameters_error',
      ]);
    }
    expect((await rest.call('DELETE', '/blueprints/labelled')).status).to.equal(204);
  });

  it('shows workflows whole where they are asked for, and null otherwise', async () => {
    const [asked] = (await list('/deployments?id=d1&_include=id,workflows')).items;
    const workflows = asked?.['workflows'] as { name: string }[];
    expect(workflows.map(({ name }) => name)).to.include.members(['install', 'uninstall', 'scale']);
    expect((await list('/deployments?id=d1')).items[0]?.['workflows']).to.equal(null);
  });

  const searches: [string, unknown, string[]][] = [
    ['a label', [{ key: 'env', values: ['prod'], operator: 'any_of', type: 'label' }], ['d1']],
    ['another value of a label', [{ key: 'region', values: ['us'], operator: 'not_any_of', type: 'label' }], ['d1']],
    ['no such label', [{ key: 'env', values: [], operator: 'is_null', type: 'label' }], ['d3']],
    ['an attribute', [{ key: 'blueprint_id', values: ['b1'], operator: 'any_of', type: 'attribute' }], ['d1', 'd2']],
    ['the end of an attribute', [{ key: 'id', values: ['d3'], operator: 'ends_with', type: 'attribute' }], ['d3']],
  ];
  for (const [what, rules, expected] of searches) {
    it(`finds deployments by ${what}`, async () => {
      const found = await list('/searches/deployments?_sort=id&_include=id', { filter_rules: rules });
      expect(found.items.map(({ id }) => id)).to.deep.equal(expected);
      expect(found.metadata.filtered).to.equal(3 - expected.length);
    });
  }

  it('finds by the constraints of an input', async () => {
    const constraints = { labels: [{ env: 'prod' }], name_pattern: { contains: 'Deployment' } };
    expect(await ids('/searches/deployments', { constraints })).to.deep.equal(['d1']);
    expect(await ids('/searches/blueprints', { constraints: { valid_values: ['b2'] } })).to.deep.equal(['b2']);
  });

  it('explains a rule that is wrong', async () => {
    const rule = { key: 'env', values: [], operator: 'any_of', type: 'label' };
    const answer = await rest.call('POST', '/searches/deployments', { body: { filter_rules: [rule] } });
    expect(answer.status).to.equal(400);
    const body = answer.json<Record<string, unknown>>();
    expect(body['error_code']).to.equal('invalid_filter_rule');
    expect(body['err_filter_rule']).to.deep.equal(rule);
    expect(body['err_reason']).to.match(/at least one item/);
  });

  it('keeps filters and applies them by name', async () => {
    const rules = [{ key: 'env', values: ['test'], operator: 'any_of', type: 'label' }];
    const put = await rest.call('PUT', '/filters/deployments/tests', { body: { filter_rules: rules } });
    expect(put.status, put.text).to.equal(200);
    expect(put.json<Record<string, unknown>>()['labels_filter_rules']).to.deep.equal(rules);
    expect(await ids('/deployments?_filter_id=tests')).to.deep.equal(['d2']);
    expect(await ids('/searches/deployments?_filter_id=tests', {})).to.deep.equal(['d2']);
    const names = (await list('/workflows?_filter_id=tests')).items.map(({ name }) => name);
    expect(names).to.include.members(['install', 'uninstall']);
    expect((await rest.call('DELETE', '/filters/deployments/tests')).status).to.equal(204);
    expect((await rest.call('DELETE', '/filters/deployments/csys-environment-filter')).status).to.equal(400);
  });

  it('lists keys and values of labels', async () => {
    const keys = await rest.call('GET', '/labels/deployments');
    expect(keys.json<{ items: string[] }>().items).to.deep.equal(['env', 'region']);
    const values = await rest.call('GET', '/labels/deployments/env?_search=PR');
    expect(values.json<{ items: string[] }>().items).to.deep.equal(['prod']);
    const reserved = await rest.call('GET', '/labels/deployments?_reserved=true');
    expect(reserved.json<{ items: string[] }>().items).to.have.length(11);
  });

  it('changes labels and the display name of a deployment, and nothing that is set', async () => {
    const changed = await rest.call('PATCH', '/deployments/d3', {
      body: { display_name: 'Third', labels: [{ 'csys-obj-parent': 'd1' }] },
    });
    expect(changed.status, changed.text).to.equal(200);
    expect(changed.json<Record<string, unknown>>()['display_name']).to.equal('Third');
    const parent = await rest.call('GET', '/deployments/d1?_include=sub_services_count,has_sub_deployments,labels');
    expect(parent.body).to.include({ sub_services_count: 1, has_sub_deployments: true });
    expect(parent.text).to.contain('csys-consumer-id');
    const cycle = await rest.call('PATCH', '/deployments/d1', { body: { labels: [{ 'csys-obj-parent': 'd3' }] } });
    expect(cycle.status).to.equal(409);
    const unknown = await rest.call('PATCH', '/deployments/d1', { body: { labels: [{ 'csys-obj-parent': 'nope' }] } });
    expect(unknown.json<{ error_code: string }>().error_code).to.equal('deployment_parent_not_found_error');
    const set = await rest.call('PATCH', '/deployments/d1', { body: { outputs: {} } });
    expect(set.json<{ error_code: string }>().error_code).to.equal('conflict_error');
  });

  it('finds nodes, types, instances, scaling groups and capabilities of a deployment', async () => {
    expect(await ids('/searches/nodes?deployment_id=d1', {})).to.deep.equal(['server']);
    expect(await ids('/searches/node-types', { constraints: { deployment_id: 'd1' } })).to.deep.equal(['server']);
    expect(await ids('/searches/node-instances?deployment_id=d1', {})).to.have.length(1);
    expect((await list('/searches/scaling-groups?deployment_id=d1', {})).items).to.deep.equal([]);
    const { items } = await list('/searches/capabilities', { constraints: { deployment_id: 'd1' } });
    expect(items).to.deep.equal([{ deployment_id: 'd1', capabilities: [{ name: { value: 'web' } }] }]);
    expect((await rest.call('POST', '/searches/nodes', { body: {} })).status).to.equal(400);
  });
});
