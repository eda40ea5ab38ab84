import { expect } from 'chai';
import { RestService } from './kit.ts';

const blueprint = `tosca_definitions_version: cloudify_dsl_1_3
imports:
  - cloudify/types/types.yaml
node_templates:
  host:
    type: cloudify.nodes.Root
  app:
    type: cloudify.nodes.Root
    relationships:
      - { type: cloudify.relationships.contained_in, target: host }
groups:
  pair: { members: [host] }
policies:
  scale: { type: cloudify.policies.scaling, properties: { default_instances: 1 }, targets: [pair] }
`;

interface Instance {
  id: string;
  node_id: string;
  modification?: string;
}

interface Modification {
  id: string;
  status: string;
  context: unknown;
  modified_nodes: Record<string, { instances: number }>;
  node_instances: Record<string, Instance[]>;
}

describe('deployment modifications', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    await rest.upload('b', { 'blueprint.yaml': blueprint });
    await call('PUT', '/deployments/d', { blueprint_id: 'b' }, 201);
  });

  after(() => rest?.stop());

  const path = '/deployment-modifications';

  async function call<Shape>(method: string, place: string, body?: unknown, status = 200): Promise<Shape> {
    const answer = await rest.call(method, place, body === undefined ? {} : { body });
    expect(answer.status, answer.text).to.equal(status);
    return answer.json<Shape>();
  }

  async function refusal(place: string, body?: unknown): Promise<[number, string, string]> {
    const answer = await rest.call('POST', place, body === undefined ? {} : { body });
    const { error_code: code, message } = answer.json<{ error_code: string; message: string }>();
    return [answer.status, code, message];
  }

  const start = (nodes: object, more: object = {}): Promise<Modification> =>
    call<Modification>('POST', path, { deployment_id: 'd', nodes, ...more }, 201);

  async function counts(): Promise<Record<string, number>> {
    const { items } = await call<{ items: Instance[] }>('GET', '/node-instances?deployment_id=d');
    const found: Record<string, number> = {};
    items.forEach(({ node_id: node }) => (found[node] = (found[node] ?? 0) + 1));
    return found;
  }

  async function numbersOf(node: string): Promise<[number, number]> {
    interface NodeNumbers {
      number_of_instances: number;
      planned_number_of_instances: number;
    }
    const { items } = await call<{ items: NodeNumbers[] }>('GET', `/nodes?deployment_id=d&id=${node}`);
    return [items[0]?.number_of_instances ?? -1, items[0]?.planned_number_of_instances ?? -1];
  }

  it('add instances, with those contained in them, one modification at a time', async () => {
    const started = await start({ host: { instances: 2 } }, { context: { why: 'load' } });
    expect(started).to.include({ status: 'started' });
    expect(started.context).to.deep.equal({ why: 'load' });
    expect(started.modified_nodes['host']?.instances).to.equal(2);
    const added = started.node_instances['added_and_related']?.filter(({ modification }) => modification === 'added');
    expect(added?.map(({ node_id: node }) => node).sort()).to.deep.equal(['app', 'host']);
    expect(started.node_instances['before_modification']).to.have.length(2);
    expect(await counts()).to.deep.equal({ host: 2, app: 2 });
    expect(await numbersOf('host')).to.deep.equal([1, 2]);
    const [status, code, message] = await refusal(path, { deployment_id: 'd', nodes: { host: { instances: 3 } } });
    expect([status, code]).to.deep.equal([400, 'existing_started_deployment_modification_error']);
    expect(message).to.contain(started.id);

    const finished = await call<Modification>('POST', `${path}/${started.id}/finish`);
    expect(finished).to.include({ id: started.id, status: 'finished' });
    expect(await numbersOf('host')).to.deep.equal([2, 2]);
    expect(await refusal(`${path}/${started.id}/finish`)).to.deep.equal([
      400,
      'deployment_modification_already_ended_error',
      `Cannot finish deployment modification: ${started.id}. It is already in finished status.`,
    ]);
  });

  it('remove instances once they are finished', async () => {
    const started = await start({ host: { instances: 1, removed_ids_exclude_hint: [] } });
    const removed = started.node_instances['removed_and_related']?.filter((item) => item.modification === 'removed');
    expect(removed).to.have.length(2);
    expect(await counts()).to.deep.equal({ host: 2, app: 2 });
    await call('POST', `${path}/${started.id}/finish`);
    expect(await counts()).to.deep.equal({ host: 1, app: 1 });
  });

  it('are rolled back: added instances are removed, and counts and plans are as before', async () => {
    const started = await start({ pair: { instances: 3 } });
    expect(await counts()).to.deep.equal({ host: 3, app: 3 });
    const undone = await call<Modification>('POST', `${path}/${started.id}/rollback`);
    expect(undone).to.include({ status: 'rolledback' });
    expect(await counts()).to.deep.equal({ host: 1, app: 1 });
    const { scaling_groups: groups } = await call<{ scaling_groups: Record<string, { properties: object }> }>(
      'GET',
      '/deployments/d',
    );
    expect(groups['pair']?.properties).to.include({ current_instances: 1, planned_instances: 1 });
    const [status, code, message] = await refusal(`${path}/${started.id}/rollback`);
    expect([status, code]).to.deep.equal([400, 'deployment_modification_already_ended_error']);
    expect(message).to.contain('already in rolledback status');
    const other = await start({ host: { instances: 2 } });
    expect(await numbersOf('host')).to.deep.equal([1, 2]);
    await call('POST', `${path}/${other.id}/rollback`);
    expect(await numbersOf('host')).to.deep.equal([1, 1]);
  });

  it('of unknown nodes change nothing', async () => {
    const unknown = await refusal(path, {
      deployment_id: 'd',
      nodes: { host: { instances: 5 }, nope: { instances: 1 } },
    });
    expect(unknown.slice(0, 2)).to.deep.equal([404, 'not_found_error']);
    expect((await refusal(path, { deployment_id: 'nope', nodes: {} })).slice(0, 2)).to.deep.equal([
      404,
      'not_found_error',
    ]);
    expect((await refusal(path, { deployment_id: 'd', nodes: { host: { instances: -1 } } })).slice(0, 2)).to.deep.equal(
      [400, 'bad_parameters_error'],
    );
    expect((await refusal(`${path}/nope/finish`)).slice(0, 2)).to.deep.equal([404, 'not_found_error']);
    expect(await counts()).to.deep.equal({ host: 1, app: 1 });
    expect((await call<{ items: object[] }>('GET', `${path}?status=started`)).items).to.deep.equal([]);
  });
});
