import { once as onceTold } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as toProcess } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { packBlueprint } from '../../src/client/archive.ts';
import { GantryClient } from '../../src/client/client.ts';
import { RestService, simpleBlueprint } from './kit.ts';
import type { Answer, CallOptions } from './kit.ts';

/** A change that is asked for twice with one key, as a proxy does when the first answer never came. */
interface Case {
  method: string;
  path: string;
  body?: unknown;
  /** Of both answers. */
  status: number;
  /** How often it was carried out. */
  count: () => Promise<number>;
}

describe('requests that are sent again', function () {
  this.timeout(60_000);
  let one: RestService;
  let other: RestService;

  before(async () => {
    one = await RestService.start({ hasEngine: true });
    other = await one.startBeside();
    await one.upload('app', {
      'blueprint.yaml': `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
node_templates:
  worker:
    type: cloudify.nodes.Root
`,
    });
    await one.call('PUT', '/deployments/app', { body: { blueprint_id: 'app' } });
    await one.call('PUT', '/secrets/old', { body: { value: 'x' } });
  });

  after(async () => {
    await other?.stop();
    await one?.stop();
  });

  const keyed = (key: string, options: CallOptions = {}): CallOptions => ({
    ...options,
    headers: { 'idempotency-key': key },
  });
  const changes = async (table: string, operation: string): Promise<number> => {
    const [row] = await one.database.query<{ count: number }>(
      `select count(*) as count from audit_log where ref_table = $1 and operation = $2 and creator_name = 'admin'`,
      [table, operation],
    );
    return row?.count ?? 0;
  };
  const events = async (): Promise<number> => {
    const [row] = await one.database.query<{ count: number }>(
      `select count(*) as count from events where message = 'said once'`,
    );
    return row?.count ?? 0;
  };
  const executionId = async (): Promise<string> =>
    (await one.call('GET', '/executions')).json<{ items: { id: string }[] }>().items[0]?.id ?? '';

  const cases: (() => Promise<Case>)[] = [
    async () => ({
      method: 'PUT',
      path: '/sites/here',
      body: {},
      status: 200,
      count: () => changes('sites', 'create'),
    }),
    async () => ({
      method: 'POST',
      path: '/sites/here',
      body: { new_name: 'there' },
      status: 200,
      count: () => changes('sites', 'update'),
    }),
    async () => ({ method: 'DELETE', path: '/sites/there', status: 204, count: () => changes('sites', 'delete') }),
    async () => ({
      method: 'PATCH',
      path: '/secrets/old',
      body: { value: 'y' },
      status: 200,
      count: () => changes('secrets', 'update'),
    }),
    async () => ({ method: 'DELETE', path: '/secrets/old', status: 204, count: () => changes('secrets', 'delete') }),
    async () => ({
      method: 'PUT',
      path: '/deployments/second',
      body: { blueprint_id: 'app' },
      status: 201,
      count: () => changes('deployments', 'create'),
    }),
    async () => ({
      method: 'POST',
      path: '/executions',
      body: { deployment_id: 'app', workflow_id: 'install' },
      status: 201,
      count: async () =>
        (await one.call('GET', '/executions?workflow_id=install&_include=id')).json<{ items: unknown[] }>().items
          .length,
    }),
    async () => ({
      method: 'POST',
      path: '/executions',
      body: { deployment_id: 'app', workflow_id: 'uninstall', force_status: 'failed' },
      status: 201,
      count: async () =>
        (await one.call('GET', '/executions?workflow_id=uninstall&_include=id')).json<{ items: unknown[] }>().items
          .length,
    }),
    async () => ({
      method: 'POST',
      path: '/events',
      body: {
        execution_id: await executionId(),
        events: [{ event_type: 'said', message: { text: 'said once' }, context: {} }],
      },
      status: 201,
      count: events,
    }),
    async () => {
      const { items } = (await one.call('GET', '/node-instances?deployment_id=second')).json<{
        items: { id: string; version: number }[];
      }>();
      const [instance] = items;
      return {
        method: 'PATCH',
        path: `/node-instances/${instance?.id ?? ''}`,
        body: { version: instance?.version ?? 0, runtime_properties: { told: 'once' } },
        status: 200,
        count: async () =>
          (await one.call('GET', `/node-instances/${instance?.id ?? ''}`)).json<{ version: number }>().version -
          (instance?.version ?? 0),
      };
    },
  ];

  for (const [index, make] of cases.entries()) {
    it(`are carried out once and answered each time, whichever process gets them (${index + 1})`, async () => {
      const { method, path, body, status, count } = await make();
      const before = await count();
      const options = keyed(`key-${index}`, body === undefined ? {} : { body });
      const first = await one.call(method, path, options);
      const second = await other.call(method, path, options);
      const place = `${method} ${path}: ${second.text}`;
      expect([first.status, second.status], place).to.deep.equal([status, status]);
      expect((await count()) - before, place).to.equal(1);
      const idOf = (answer: Answer): unknown => (answer.text === '' ? undefined : answer.json<{ id?: unknown }>()?.id);
      expect(idOf(second)).to.equal(idOf(first));
    });
  }

  it('are carried out once also when they are sent at the same time', async () => {
    const before = await changes('sites', 'create');
    const answers = await Promise.all(
      [one, other, one, other].map((process) => process.call('PUT', '/sites/race', keyed('race', { body: {} }))),
    );
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200, 200, 200]);
    expect((await changes('sites', 'create')) - before).to.equal(1);
  });

  it('are distinguished by key, caller and request', async () => {
    const make = (name: string, key: string): Promise<Answer> =>
      one.call('PUT', `/sites/${name}`, keyed(key, { body: {} }));
    expect((await make('a', 'same')).status).to.equal(200);
    expect((await make('b', 'same')).status).to.equal(200);
    expect((await make('a', 'another')).status).to.equal(409);
    expect((await one.call('PUT', '/sites/a', { body: {} })).status).to.equal(409);
  });

  it('are tried again when they were refused', async () => {
    const options = keyed('again', { body: { blueprint_id: 'app' } });
    await one.call('PUT', '/deployments/third', { body: { blueprint_id: 'app' } });
    expect((await one.call('PUT', '/deployments/third', options)).status).to.equal(409);
    await one.database.query(`update deployments set id = 'renamed' where id = 'third'`);
    expect((await other.call('PUT', '/deployments/third', options)).status).to.equal(201);
  });

  it('say that they were carried out where their answer cannot be given again', async () => {
    const options = keyed('token', { body: {} });
    expect((await one.call('POST', '/tokens', options)).status).to.equal(200);
    const again = await other.call('POST', '/tokens', options);
    expect([again.status, again.json<{ error_code: string }>().error_code]).to.deep.equal([409, 'request_done_before']);
  });

  it('are not done again by what they have done: its refusal is that they were carried out', async () => {
    const options = keyed('taken', { body: { tenant_name: 'x' } });
    expect((await one.call('POST', '/tenants/taken', options)).status).to.equal(201);
    const again = await other.call('POST', '/tenants/taken', options);
    expect(again.json<{ error_code: string }>().error_code).to.equal('request_done_before');
  });

  describe('by the client of this program, whose connection breaks when they have been carried out', () => {
    let breaking: Server;
    let client: GantryClient;
    let folder: string;
    /** Changes whose answers do not arrive. */
    let lost: string[];

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'gantry-once-'));
      await writeFile(join(folder, 'blueprint.yaml'), simpleBlueprint);
      lost = [];
      const seen = new Set<string>();
      breaking = createServer((request, response) => {
        const key = request.headers['idempotency-key'];
        // the process that answers the second time is another one
        const isSecond = typeof key === 'string' && seen.has(key);
        const { method = '', url = '', headers } = request;
        const forward = toProcess(`${(isSecond ? other : one).origin}${url}`, { method, headers }, (answer) => {
          if (typeof key === 'string' && !isSecond) {
            seen.add(key);
            lost.push(`${method} ${url.replace('/api/v3.1', '')} ${answer.statusCode ?? 0}`);
            answer.resume();
            request.socket.destroy();
          } else {
            response.writeHead(answer.statusCode ?? 0, answer.headers);
            answer.pipe(response);
          }
        });
        request.pipe(forward);
      });
      breaking.listen(0, '127.0.0.1');
      await onceTold(breaking, 'listening');
      client = new GantryClient({
        url: `http://127.0.0.1:${(breaking.address() as AddressInfo).port}`,
        credentials: { kind: 'basic', username: 'admin', password: 'a-password-for-tests' },
        tenant: 'default_tenant',
      });
    });

    after(async () => {
      client?.close();
      breaking?.closeAllConnections();
      breaking?.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('are carried out once, and answered', async () => {
      const { blueprints, deployments, executions } = client;
      const archive = await packBlueprint(join(folder, 'blueprint.yaml'));
      expect(await blueprints.upload('lost', archive)).to.include({ id: 'lost' });
      expect((await blueprints.waitUntilFinal('lost')).state).to.equal('uploaded');
      expect(await deployments.create('lost', 'lost')).to.include({ id: 'lost' });
      const started = await executions.start('lost', 'install');
      expect(started).to.include({ workflow_id: 'install', deployment_id: 'lost' });
      await client.secrets.delete((await client.secrets.create('lost', 'x')).key);
      expect(lost.map((request) => request.replace(/\?.*? /, ' '))).to.deep.equal([
        'PUT /blueprints/lost 201',
        'PUT /deployments/lost 201',
        'POST /executions 201',
        'PUT /secrets/lost 200',
        'DELETE /secrets/lost 204',
      ]);
      const [row] = await one.database.query<{ count: number }>(
        `select count(*)::integer as count from executions where workflow_id = 'install' and deployment_id =
           (select storage_id from deployments where id = 'lost')`,
      );
      expect(row?.count).to.equal(1);
    });
  });

  it('need a key that can be written into a header', async () => {
    const refused = await one.call('PUT', '/sites/x', keyed('two words', { body: {} }));
    expect(refused.status).to.equal(400);
    expect(refused.text).to.contain('Idempotency-Key');
  });
});
