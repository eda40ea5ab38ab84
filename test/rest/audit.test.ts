import { expect } from 'chai';
import { RestService } from './kit.ts';
import type { CallOptions } from './kit.ts';

interface Item {
  id: number;
  ref_table: string;
  ref_id: number;
  ref_identifier?: Record<string, unknown>;
  operation: string;
  creator_name?: string;
  execution_id?: string;
  created_at: string;
  address?: string;
}

interface List {
  items: Item[];
  metadata: { pagination: { total: number; size: number; offset: number } };
}

describe('the audit log', function () {
  this.timeout(60_000);
  let rest: RestService;
  const ada: CallOptions = { user: 'ada', password: 'ada-password' };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    await rest.call('PUT', '/users', { body: { username: 'ada', password: 'ada-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'ada', role: 'user' },
    });
  });

  after(() => rest?.stop());

  async function list(query = '', options: CallOptions = {}): Promise<List> {
    const answer = await rest.call('GET', `/audit?${query}`, options);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<List>();
  }

  it('tells who changed what, when and from where', async () => {
    const before = Date.now();
    await rest.call('PUT', '/sites/here', { ...ada, body: {} });
    const { items } = await list('creator_name=ada&order_by=id&desc=true&size=1');
    const [item] = items;
    expect(item?.created_at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
    expect(Date.parse(`${item?.created_at}Z`)).to.be.within(before - 1000, Date.now() + 1000);
    expect(item).to.deep.include({
      ref_table: 'sites',
      operation: 'create',
      creator_name: 'ada',
      address: '127.0.0.1',
      ref_identifier: {
        id: 'here',
        tenant_id: 0,
        tenant_name: 'default_tenant',
        storage_id: item?.ref_id,
      },
    });
    expect(item).not.to.have.property('execution_id');
  });

  it('tells which changes were refused, and why', async () => {
    await rest.call('PUT', '/sites/here?secret=1', { ...ada, body: {} });
    await rest.call('DELETE', '/users/admin', ada);
    await rest.call('DELETE', '/sites/here', { user: 'ada', password: 'wrong-password' });
    await rest.services.audit.flush();
    const { items } = await list('order_by=id&size=0');
    const refused = items.filter(({ ref_table: table }) => table === 'refused_requests');
    expect(
      refused.map(({ creator_name: name, operation, ref_id: status, ref_identifier: what }) => [
        name,
        operation,
        status,
        what?.['id'],
        what?.['name'],
      ]),
    ).to.deep.equal([
      ['ada', 'create', 409, 'PUT /api/v3.1/sites/here', 'conflict_error'],
      ['ada', 'delete', 403, 'DELETE /api/v3.1/users/admin', 'forbidden_error'],
      [undefined, 'delete', 401, 'DELETE /api/v3.1/sites/here', 'unauthorized_error'],
    ]);
  });

  it('pages and orders', async () => {
    const { metadata } = await list('size=2&offset=1');
    expect(metadata.pagination).to.include({ size: 2, offset: 1 });
    const all = await list('size=0&order_by=id&desc=True');
    expect(all.items).to.have.length(metadata.pagination.total);
    const ids = all.items.map(({ id }) => id);
    expect(ids).to.deep.equal([...ids].sort((left, right) => right - left));
    const since = await list(`since=${new Date(Date.now() + 60_000).toISOString()}`);
    expect(since.items).to.deep.equal([]);
  });

  it('streams the records since a time, then new ones', async () => {
    const gone = new AbortController();
    const response = await fetch(`${rest.origin}/api/v3.1/audit/stream?creator_name=ada&since=2020-01-01`, {
      headers: { authorization: `Basic ${Buffer.from('admin:a-password-for-tests').toString('base64')}` },
      signal: gone.signal,
    });
    expect(response.headers.get('content-type')).to.match(/^text\/event-stream/);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const readUntil = async (wanted: string): Promise<void> => {
      while (!text.includes(wanted)) {
        const chunk = await reader?.read();
        expect(chunk?.done).to.equal(false);
        text += chunk?.value ?? '';
      }
    };
    await readUntil('"here"');
    await rest.call('PUT', '/sites/later', { ...ada, body: {} });
    await readUntil('"later"');
    const records = text
      .split('\n\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Item);
    expect(new Set(records.map(({ id }) => id)).size).to.equal(records.length);
    expect(records.every(({ creator_name: name }) => name === 'ada')).to.equal(true);
    gone.abort();
  });

  it('takes records of another manager and forgets old ones', async () => {
    const record = { ref_table: 'sites', ref_id: 7, operation: 'create', creator_name: 'bob' };
    const body = [
      { ...record, created_at: '2019-05-05T05:05:05.123' },
      { ...record, created_at: '2019-06-05T05:05:05.123', ref_identifier: { tenant_id: 'no number' } },
    ];
    expect((await rest.call('POST', '/audit', { body })).status).to.equal(204);
    const bobs = await list('creator_name=bob');
    expect(bobs.items.map(({ created_at: time }) => time)).to.deep.equal([
      '2019-05-05T05:05:05.123',
      '2019-06-05T05:05:05.123',
    ]);
    const gone = await rest.call('DELETE', '/audit?before=2019-06-01%2000:00:00&creator_name=bob');
    expect([gone.status, gone.body]).to.deep.equal([200, { deleted: 1 }]);
    expect((await list('creator_name=bob')).items).to.have.length(1);
    const { items } = await list('order_by=id&desc=true&size=1');
    expect(items[0]).to.deep.include({ ref_table: 'audit_log', operation: 'delete', creator_name: 'admin' });
  });

  const refused: [string, string, string, CallOptions, number, RegExp][] = [
    ['a time that is none', 'GET', '/audit?since=yesterday', {}, 400, /since.*not a legal time/],
    ['two limits at once', 'GET', '/audit?since=2020-01-01&before=2021-01-01', {}, 400, /cannot be used together/],
    ['an order it does not have', 'GET', '/audit?order_by=constructor', {}, 400, /order_by is one of/],
    ['a size that is no number', 'GET', '/audit?size=many', {}, 400, /size/],
    ['to forget everything', 'DELETE', '/audit', {}, 400, /Missing required query parameter: before/],
    ['records that say nothing', 'POST', '/audit', { body: [{}] }, 400, /Missing ref_table/],
    [
      'records of an unknown kind',
      'POST',
      '/audit',
      { body: [{ ref_table: 'x', ref_id: 1, operation: 'x' }] },
      400,
      /operation/,
    ],
    [
      'people who are no administrators',
      'GET',
      '/audit',
      { user: 'ada', password: 'ada-password' },
      403,
      /audit_log_view/,
    ],
  ];
  for (const [what, method, path, options, status, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call(method, path, options);
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
