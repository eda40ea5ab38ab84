import { expect } from 'chai';
import { RestService, simpleBlueprint } from './kit.ts';

interface Exported {
  key: string;
  value: string;
  encrypted: boolean;
}

describe('secrets between managers, and events', function () {
  this.timeout(60_000);
  let rest: RestService;

  before(async () => {
    rest = await RestService.start();
    await rest.call('PUT', '/secrets/one', { body: { value: 'first' } });
    await rest.call('PUT', '/secrets/two', { body: { value: 'second', is_hidden_value: true } });
    await rest.call('POST', '/tenants/other');
  });

  after(() => rest?.stop());

  async function share(query: string): Promise<Exported[]> {
    const answer = await rest.call('GET', `/secrets/share/export?${query}`);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<Exported[]>();
  }

  it('exports values in clear, or encrypted with a passphrase', async () => {
    expect((await share('')).map(({ key, value }) => [key, value])).to.deep.equal([
      ['one', 'first'],
      ['two', 'second'],
    ]);
    const [encrypted] = await share('_passphrase=open%20sesame&key=one');
    expect(encrypted).to.include({ key: 'one', encrypted: true });
    expect(encrypted?.value).to.not.contain('first');
  });

  it('exports the members that are asked for', async () => {
    const exported = await share('_include=key,visibility,creator,nonsense&_include_metadata=true');
    expect(exported).to.deep.equal([
      { key: 'one', visibility: 'tenant', creator: 'admin' },
      { key: 'two', visibility: 'tenant', creator: 'admin' },
    ]);
  });

  it('imports what was exported, into another tenant', async () => {
    const secrets = await share('_passphrase=pass');
    const request = { secrets_list: secrets, tenant_map: { default_tenant: 'other' }, override_collisions: false };
    const wrong = await rest.call('POST', '/secrets/share/import', { body: { ...request, passphrase: 'another' } });
    expect(wrong.status, wrong.text).to.equal(200);
    expect(Object.keys(wrong.json<{ secrets_errors: object }>().secrets_errors)).to.deep.equal(['0', '1']);
    const right = await rest.call('POST', '/secrets/share/import', { body: { ...request, passphrase: 'pass' } });
    expect(right.body).to.deep.equal({ colliding_secrets: {}, secrets_errors: {} });
    const copy = await rest.call('GET', '/secrets/two', { tenant: 'other' });
    expect(copy.body).to.include({ value: 'second', is_hidden_value: true });
    const again = await rest.call('POST', '/secrets/share/import', { body: { ...request, passphrase: 'pass' } });
    expect(again.json<{ colliding_secrets: object }>().colliding_secrets).to.deep.equal({ other: ['one', 'two'] });
  });

  it('names what is wrong with each secret of a list', async () => {
    const good = {
      key: 'x',
      value: 'y',
      tenant_name: 'other',
      visibility: 'tenant',
      is_hidden_value: false,
      encrypted: false,
    };
    const list = [
      { key: 'x' },
      { ...good, visibility: 'everybody' },
      { ...good, tenant_name: 'nowhere' },
      { ...good, encrypted: true },
      good,
    ];
    const answer = await rest.call('POST', '/secrets/share/import', {
      body: { secrets_list: list, override_collisions: true },
    });
    expect(answer.json<{ secrets_errors: unknown }>().secrets_errors).to.deep.equal({
      '0': { 'missing secret fields': ['value', 'tenant_name', 'visibility', 'is_hidden_value', 'encrypted'] },
      '1': { visibility: 'Not a valid visibility' },
      '2': { tenant_name: 'The tenant `nowhere` was not found' },
      '3': { 'No passphrase': 'The secret is encrypted but no passphrase was given' },
    });
  });

  it('adds, lists, tails and removes events of an execution', async () => {
    await rest.upload('b', { 'blueprint.yaml': simpleBlueprint });
    await rest.call('PUT', '/deployments/d', { body: { blueprint_id: 'b' } });
    const started = await rest.call('POST', '/executions', { body: { deployment_id: 'd', workflow_id: 'install' } });
    const { id } = started.json<{ id: string }>();
    const added = await rest.call('POST', '/events', {
      body: {
        execution_id: id,
        events: [
          {
            event_type: 'task_failed',
            message: { text: 'It failed\u0000' },
            context: { task_error_causes: [{ message: 'm', type: 't', traceback: 'x' }] },
          },
        ],
        logs: [{ logger: 'l', level: 'warning', message: { text: 'Careful' }, context: {} }],
      },
    });
    expect([added.status, added.text]).to.deep.equal([201, 'null']);
    const list = async (query: string): Promise<Record<string, unknown>[]> => {
      const answer = await rest.call('GET', `/events?execution_id=${id}&${query}`);
      expect(answer.status, answer.text).to.equal(200);
      return answer.json<{ items: Record<string, unknown>[] }>().items;
    };
    const [failure] = await list('event_type=task_failed');
    expect(failure).to.include({ message: 'It failed<NUL>', type: 'cloudify_event', deployment_id: 'd' });
    expect(failure?.['error_causes']).to.deep.equal([{ message: 'm', type: 't', traceback: 'x' }]);
    const [log] = await list('type=cloudify_log&level=warning&message=%25areful');
    expect(log).to.include({ logger: 'l', level: 'warning' });
    expect(log).to.not.have.property('event_type');
    const seen = await list('_sort=reported_timestamp&_size=1&_offset=0');
    expect(seen).to.have.length(1);
    expect((await rest.call('GET', '/events?nope=1')).status).to.equal(400);
    expect((await rest.call('GET', '/events?_range=nope,,')).status).to.equal(400);
    expect(await list('_range=reported_timestamp,2000-01-01T00:00:00Z,2001-01-01T00:00:00Z')).to.deep.equal([]);
    const removed = await rest.call('DELETE', '/events?deployment_id=d&type=cloudify_event&type=cloudify_log');
    expect(removed.json<{ items: number[] }>().items[0]).to.be.greaterThan(2);
    expect((await rest.call('DELETE', '/events?deployment_id=d')).status).to.equal(400);
  });
});
