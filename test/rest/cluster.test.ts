import { expect } from 'chai';
import { hostname } from 'node:os';
import { RestService } from './kit.ts';

interface Member {
  hostname: string;
  private_ip: string;
  networks: Record<string, string>;
  fs_sync_node_id: string;
  ca_cert_content: string | null;
}

interface ClusterStatus {
  status: string;
  services: Record<string, { status: string; nodes: Record<string, { status: string; services: object }> }>;
}

describe('the machines of a manager', function () {
  this.timeout(60_000);
  let rest: RestService;
  const other = {
    hostname: 'other',
    private_ip: '10.0.0.2',
    public_ip: '203.0.113.2',
    version: '7.0.5',
    edition: 'premium',
    distribution: 'linux',
    distro_release: '6',
    ca_cert_content: 'PEM',
  };

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
  });

  after(() => rest?.stop());

  async function items<Item>(path: string): Promise<Item[]> {
    const answer = await rest.call('GET', path);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json<{ items: Item[] }>().items;
  }

  it('lists the machines that signed on, and those entered by hand', async () => {
    const added = await rest.call('POST', '/managers', { body: other });
    expect(added.status, added.text).to.equal(200);
    expect(added.json<object>()).to.deep.include({ ...other, networks: { default: '10.0.0.2' }, fs_sync_node_id: '' });
    const members = await items<Member>('/managers');
    expect(members.map((member) => member.hostname)).to.have.members([hostname(), 'other']);
    expect(await items<Member>('/managers?hostname=other')).to.have.length(1);
    const changed = await rest.call('PUT', '/managers/other', {
      body: { fs_sync_node_id: 'node', bootstrap_cluster: false },
    });
    expect(changed.json<Member>().fs_sync_node_id).to.equal('node');
  });

  it('leaves out machines of which nothing was heard for long', async () => {
    await rest.database.query(`update managers set last_seen = now() - interval '1 day' where hostname = $1`, [
      hostname(),
    ]);
    expect((await items<Member>('/managers')).map((member) => member.hostname)).to.deep.equal(['other']);
    await rest.database.query(`update managers set last_seen = now() where hostname = $1`, [hostname()]);
  });

  it('tells the state of each machine', async () => {
    const answer = await rest.call('GET', '/cluster-status');
    const { status, services } = answer.json<ClusterStatus>();
    expect(status).to.equal('Degraded');
    expect(services['manager']?.nodes[hostname()]).to.deep.include({ status: 'OK' });
    expect(services['manager']?.nodes['other']).to.deep.include({ status: 'Fail' });
    expect(services['broker']?.status).to.equal('OK');
    const removed = await rest.call('DELETE', '/managers/other');
    expect([removed.status, removed.json<Member>().hostname]).to.deep.equal([200, 'other']);
    const summary = await rest.call('GET', '/cluster-status?summary=true');
    expect(summary.json<object>()).to.deep.equal({ status: 'OK', services: {} });
  });

  it('lists brokers, keeps their networks and hides credentials', async () => {
    expect(
      (await rest.call('POST', '/brokers', { body: { name: 'b2', address: '10.0.0.9', port: 5671 } })).status,
    ).to.equal(200);
    const networks = { outside: '203.0.113.9' };
    expect((await rest.call('PUT', '/brokers/b2', { body: { networks } })).status).to.equal(200);
    expect((await rest.call('PUT', '/brokers/localhost', { body: { networks } })).status).to.equal(200);
    const brokers = await items<{ name: string; networks: object; password: string | null }>('/brokers');
    expect(brokers.map((broker) => [broker.name, broker.networks])).to.deep.equal([
      ['localhost', { default: 'localhost', outside: '203.0.113.9' }],
      ['b2', { default: '10.0.0.9', outside: '203.0.113.9' }],
    ]);
    expect((await rest.call('DELETE', '/brokers/b2')).status).to.equal(200);
    expect(await items('/brokers')).to.have.length(1);
  });

  it('lists the database when asked to', async () => {
    expect(await items('/db-nodes')).to.deep.equal([]);
    const updated = await rest.call('POST', '/db-nodes', { body: { action: 'update' } });
    const [node] = updated.json<{ items: { is_external: boolean }[] }>().items;
    expect(node?.is_external).to.equal(true);
    expect(await items('/db-nodes')).to.deep.equal([node]);
  });

  const refused: [string, string, string, object | undefined, number, RegExp][] = [
    ['a machine twice', 'POST', '/managers', { ...other, hostname: hostname() }, 409, /already exists/],
    ['a machine without address', 'POST', '/managers', { hostname: 'x' }, 400, /Missing private_ip/],
    ['a bad host name', 'POST', '/managers', { ...other, hostname: 'a/b' }, 400, /illegal characters/],
    ['to remove a running machine', 'DELETE', `/managers/${hostname()}`, undefined, 400, /processes are running/],
    ['an unknown machine', 'DELETE', '/managers/moon', undefined, 404, /moon/],
    ['to synchronise an unknown machine', 'PUT', '/managers/moon', { fs_sync_node_id: 'x' }, 404, /moon/],
    ['a broker twice', 'POST', '/brokers', { name: 'localhost', address: 'x' }, 409, /already exists/],
    ['a port out of range', 'POST', '/brokers', { name: 'x', address: 'x', port: 70_000 }, 400, /port/],
    ['networks that are none', 'PUT', '/brokers/localhost', { networks: { a: 1 } }, 400, /networks/],
    ['an unknown broker', 'PUT', '/brokers/moon', { networks: {} }, 404, /moon/],
    ['to remove the broker in use', 'DELETE', '/brokers/localhost', undefined, 400, /this manager uses it/],
    ['an unknown action', 'POST', '/db-nodes', { action: 'eat' }, 400, /eat/],
  ];
  for (const [what, method, path, body, status, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await rest.call(method, path, { body });
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
