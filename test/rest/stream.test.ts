import { expect } from 'chai';
import type { EventInput } from '../../src/domain/entities.ts';
import type { Caller } from '../../src/services/caller.ts';
import { insertEvents } from '../../src/store/events.ts';
import { addExecution, addInstances } from '../db/samples.ts';
import { StreamReader } from '../kit/stream-reader.ts';
import { adminPassword, RestService } from './kit.ts';

type Owner = Pick<EventInput, 'tenantId' | 'creatorId' | 'visibility'>;

describe('the event stream', function () {
  this.timeout(60_000);
  let rest: RestService;
  const readers: StreamReader[] = [];
  let otherTenant: number;
  let userId: number;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    await rest.call('POST', '/tenants/other');
    for (const [username, tenant_name, role] of [
      ['vwr', 'default_tenant', 'viewer'],
      ['str', 'other', 'user'],
    ]) {
      await rest.call('PUT', '/users', { body: { username, password: `${username}-password` } });
      await rest.call('PUT', '/tenants/users', { body: { tenant_name, username, role } });
    }
    const [row] = await rest.database.query<{ tenant: number; creator: number }>(
      `select (select id from tenants where name = 'other') as tenant, (select id from users where username = 'str') as creator`,
    );
    otherTenant = row?.tenant ?? -1;
    userId = row?.creator ?? -1;
  });

  afterEach(() => {
    readers.splice(0).forEach((reader) => reader.close());
  });

  after(() => rest?.stop());

  async function open(
    query: string,
    { user = 'admin', tenant = 'default_tenant', after }: { user?: string; tenant?: string; after?: string } = {},
  ): Promise<StreamReader> {
    const password = user === 'admin' ? adminPassword : `${user}-password`;
    const reader = await StreamReader.open(`${rest.origin}/api/v3.1/stream?${query}`, {
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
      tenant,
      ...(after === undefined ? {} : { 'last-event-id': after }),
    });
    readers.push(reader);
    return reader;
  }

  const own: Owner = { tenantId: 0, creatorId: 0, visibility: 'tenant' };

  async function say(executionId: string, message: string, more: Partial<EventInput> = {}): Promise<void> {
    await insertEvents(rest.database, [
      { ...own, kind: 'event', timestamp: new Date(), executionId, message, eventType: 'task_started', ...more },
    ]);
  }

  const messages = (reader: StreamReader): unknown[] => reader.bodies('event').map(({ message }) => message);

  it('sends callers what their tenant and role let them see, and nothing else', async () => {
    const other: Owner = { tenantId: otherTenant, creatorId: userId, visibility: 'tenant' };
    const seen = await addExecution(rest.database);
    const hidden = await addExecution(rest.database, { visibility: 'private' });
    const foreign = await addExecution(rest.database, other);
    const topics = 'topics=events,executions';
    const admin = await open(topics);
    const viewer = await open(topics, { user: 'vwr' });
    const stranger = await open(topics, { user: 'str', tenant: 'other' });
    const everywhere = await open(`${topics}&_all_tenants=true`);
    await say(hidden.id, 'private');
    await say(foreign.id, 'foreign', other);
    await say(seen.id, 'seen');
    await say(foreign.id, 'last', other);
    for (const reader of [admin, viewer]) {
      await reader.until(({ body }) => body['message'] === 'seen');
    }
    await stranger.until(({ body }) => body['message'] === 'last');
    await everywhere.until(({ body }) => body['message'] === 'last');
    expect(messages(admin)).to.deep.equal(['private', 'seen']);
    expect(messages(viewer)).to.deep.equal(['seen']);
    expect(messages(stranger)).to.deep.equal(['foreign', 'last']);
    expect(messages(everywhere)).to.deep.equal(['private', 'foreign', 'seen', 'last']);
  });

  it('has the type that browsers expect, and bodies like the lists of the API', async () => {
    const { deployment } = await addInstances(rest.database, 1);
    const execution = await addExecution(rest.database, { deploymentStorageId: deployment.storageId });
    const reader = await open(`topics=events,executions,deployments,node_instances&deployment_id=${deployment.id}`);
    expect(reader.response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8');
    expect(reader.response.headers.get('x-accel-buffering')).to.equal('no');
    expect(reader.told[0]?.body).to.deep.equal({
      topics: ['events', 'executions', 'deployments', 'node_instances'],
      resumed: false,
    });
    await rest.database.query(`update executions set status = 'started' where id = $1`, [execution.id]);
    await rest.database.query(`update node_instances set state = 'started' where deployment_id = $1`, [
      deployment.storageId,
    ]);
    await rest.call('PATCH', `/deployments/${deployment.id}`, { body: { labels: [{ a: 'b' }] } });
    await rest.database.query(`update deployments set description = 'new' where id = $1`, [deployment.id]);
    await say(execution.id, 'hello');
    const { body: told } = await reader.until(({ event }) => event === 'event');
    const [listed] = (await rest.call('GET', `/events?execution_id=${execution.id}`)).json<{
      items: Record<string, unknown>[];
    }>().items;
    expect(told).to.deep.equal(listed);
    const { body: changed } = await reader.until(({ event }) => event === 'execution');
    const single = (await rest.call('GET', `/executions/${execution.id}`)).json<Record<string, unknown>>();
    delete single['parameters'];
    expect(changed).to.deep.equal(single);
    const { body: instance } = await reader.until(({ event }) => event === 'node_instance');
    expect(instance).to.include({ state: 'started', deployment_id: deployment.id });
    expect(instance).to.not.have.any.keys('runtime_properties', 'system_properties');
    const { body: updated } = await reader.until(
      ({ event, body }) => event === 'deployment' && body['description'] === 'new',
    );
    expect(updated).to.include({ id: deployment.id, tenant_name: 'default_tenant' });
    expect(updated).to.not.have.any.keys('inputs', 'capabilities', 'outputs');
    await rest.call('DELETE', `/deployments/${deployment.id}`, { body: { force: true } });
  });

  it('continues without a gap after a reconnection, also to another process', async () => {
    const execution = await addExecution(rest.database);
    const first = await open('topics=events');
    await say(execution.id, 'one');
    await first.until(({ body }) => body['message'] === 'one');
    first.close();
    await say(execution.id, 'two');
    const second = await open('topics=events', { after: first.memory.lastEventId ?? '' });
    expect(second.told[0]?.body['resumed']).to.equal(true);
    await say(execution.id, 'three');
    await second.until(({ body }) => body['message'] === 'three');
    expect(messages(second)).to.deep.equal(['two', 'three']);
  });

  it('filters events by type and origin', async () => {
    const execution = await addExecution(rest.database);
    const reader = await open('topics=events&type=cloudify_log&level=error&level=warning');
    await say(execution.id, 'an event');
    for (const level of ['info', 'warning', 'error']) {
      await insertEvents(rest.database, [
        { ...own, kind: 'log', timestamp: new Date(), executionId: execution.id, message: level, logger: 'l', level },
      ]);
    }
    await reader.until(({ body }) => body['message'] === 'error');
    expect(messages(reader)).to.deep.equal(['warning', 'error']);
  });

  it('stops sending what a caller may no longer see at the next check', async () => {
    const admit = (permission: 'event_list'): Promise<Caller> =>
      rest.services.authorization.admit({
        credentials: {
          basic: { username: 'str', password: 'str-password' },
          token: undefined,
          executionToken: undefined,
          address: '127.0.0.1',
        },
        tenantName: 'other',
        access: { permission, isAllTenants: false },
        maintenance: { isAllowed: true, isBypassed: false, isChange: false },
      });
    const caller = await admit('event_list');
    const stream = await rest.services.live.follow(caller, {
      topics: ['events'],
      filter: {},
      isAllTenants: false,
      from: 'now',
      receiver: { deliver: () => true, drained: async () => undefined },
      end: () => undefined,
    });
    stream.admit(await admit('event_list'));
    const outsider: Caller = { ...caller, user: { ...caller.user, tenantRoles: new Map() } };
    expect(() => stream.admit(outsider)).to.throw('not permitted to perform the action event_list');
    stream.close();
  });

  for (const [what, path, status] of [
    ['no topic', '/stream', 400],
    ['a topic that is none', '/stream?topics=secrets', 400],
    ['a filter that is none', '/stream?topics=events&colour=red', 400],
    ['a start that is none', '/stream?topics=events&from=yesterday', 400],
    ['everything from the start', '/stream?topics=events&from=start', 400],
  ] as const) {
    it(`refuses ${what}`, async () => {
      expect((await rest.call('GET', path)).status).to.equal(status);
    });
  }

  it('refuses an invalid position, and callers without list permission', async () => {
    const refused = await rest.call('GET', '/stream?topics=events', { headers: { 'last-event-id': '17' } });
    expect([refused.status, refused.json<{ error_code: string }>().error_code]).to.deep.equal([
      400,
      'bad_parameters_error',
    ]);
    const stranger = { user: 'str', password: 'str-password' };
    expect((await rest.call('GET', '/stream?topics=events', stranger)).status).to.equal(403);
  });

  it('ends when the process stops', async () => {
    const service = await RestService.start({ hasEngine: false });
    const reader = await StreamReader.open(`${service.origin}/api/v3.1/stream?topics=events`, {
      authorization: `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`,
      tenant: 'default_tenant',
    });
    await service.services.live.stop();
    await reader.ended;
    expect((await service.call('GET', '/stream?topics=events')).status).to.equal(503);
    await service.stop();
  });
});
