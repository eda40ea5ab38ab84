import { expect } from 'chai';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { agentPattern, makeAgentAccounts } from '../../src/amqp/agent-accounts.ts';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { readServiceTask } from '../../src/amqp/envelopes.ts';
import type { ServiceTask } from '../../src/amqp/envelopes.ts';
import { BrokerManagement } from '../../src/amqp/management.ts';
import { noTlsFiles } from '../../src/amqp/tls-files.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { tarGz } from '../unit/files/archives.ts';
import { RestService, simpleBlueprint } from './kit.ts';
import type { CallOptions } from './kit.ts';

interface Agent {
  name: string;
  state: string;
  rabbitmq_username: string | null;
  rabbitmq_password: string | null;
  rabbitmq_exchange: string;
}

/** What an agent hears from the manager. */
class ListeningAgent {
  readonly #broker: BrokerConnection;
  readonly #heard: ServiceTask[] = [];
  #wake = (): void => undefined;

  constructor() {
    this.#broker = connectBroker({ url: 'memory:', log: silentLogger, name: 'agent', declaresQueues: false });
  }

  async start(exchange: string): Promise<void> {
    const consumer = this.#broker.forVhost('rabbitmq_vhost_default_tenant').consume({
      queue: `${exchange}_service`,
      bindings: [{ exchange, routingKey: 'service' }],
      prefetch: 5,
      read: readServiceTask,
      handle: (delivery) => {
        delivery.ack();
        this.#heard.push(delivery.body);
        this.#wake();
      },
    });
    await consumer.ready;
  }

  async next(): Promise<ServiceTask> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#heard.shift() as ServiceTask;
  }

  stop(): Promise<void> {
    return this.#broker.close();
  }
}

describe('agents', function () {
  this.timeout(60_000);
  const listening = new ListeningAgent();
  let rest: RestService;
  let instance: string;
  const vera: CallOptions = { user: 'vera', password: 'vera-password' };
  const agent = (): Record<string, unknown> => ({
    node_instance_id: instance,
    state: 'creating',
    create_rabbitmq_user: true,
    ip: '10.0.0.5',
    install_method: 'remote',
    system: 'ubuntu focal',
    version: '7.0.5',
    rabbitmq_exchange: 'web-1',
  });

  before(async () => {
    rest = await RestService.start();
    await rest.upload('app', { 'blueprint.yaml': simpleBlueprint });
    await rest.call('PUT', '/deployments/app', { body: { blueprint_id: 'app' } });
    const { items } = (await rest.call('GET', '/node-instances')).json<{ items: { id: string }[] }>();
    instance = items[0]?.id ?? '';
    await rest.call('PUT', '/users', { body: { username: 'vera', password: 'vera-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'default_tenant', username: 'vera', role: 'viewer' },
    });
    const made = await rest.call('PUT', '/agents/web-1', { body: agent() });
    expect(made.status, made.text).to.equal(200);
    await listening.start('web-1');
  });

  after(async () => {
    await listening.stop();
    await rest?.stop();
  });

  it('are entered with an account of their own, which stays when they are entered again', async () => {
    const first = (await rest.call('GET', '/agents/web-1')).json<Agent>();
    expect(first).to.include({ state: 'creating', rabbitmq_username: 'rabbitmq_agent_default_tenant_web-1' });
    expect(first.rabbitmq_password).to.match(/^[\w-]{32}$/);
    const again = await rest.call('PUT', '/agents/web-1', {
      body: { ...agent(), state: 'started', rabbitmq_exchange: 'x' },
    });
    expect([again.status, again.json<Agent>()]).to.deep.equal([200, first]);
    const [row] = await rest.database.query<{ password: string }>('select rabbitmq_password as password from agents');
    expect(row?.password).not.to.contain(first.rabbitmq_password);
  });

  it('never get the account of somebody else', async () => {
    const stolen = { ...agent(), rabbitmq_username: 'rabbitmq_user_default_tenant' };
    const made = await rest.call('PUT', '/agents/default_tenant', { body: stolen });
    expect(made.json<Agent>().rabbitmq_username).to.equal('rabbitmq_agent_default_tenant_default_tenant');
  });

  it('show their accounts to those only who may enter agents', async () => {
    const accounts = async (path: string, options: CallOptions = {}): Promise<(string | null | undefined)[]> => {
      const answer = (await rest.call('GET', path, options)).json<{ items?: Agent[] } & Agent>();
      const [shown = answer] = answer.items ?? [];
      return [shown.rabbitmq_username, shown.rabbitmq_password];
    };
    expect(await accounts('/agents?_get_data=true&_search=web')).not.to.include(null);
    for (const [path, options] of [
      ['/agents?_search=web', {}],
      ['/agents?_get_data=true&_search=web', vera],
      ['/agents/web-1', vera],
    ] as const) {
      expect(await accounts(path, options), path).to.deep.equal([null, null]);
    }
  });

  it('change their state, and are found by what they run on', async () => {
    const changed = await rest.call('PATCH', '/agents/web-1', { body: { state: 'started', version: '7.0.6' } });
    expect(changed.json<object>()).to.include({ state: 'started', version: '7.0.6', system: 'ubuntu focal' });
    const found = await rest.call('GET', `/agents?node_instance_ids=${instance}&state=started&install_methods=remote`);
    expect(found.json<{ items: Agent[] }>().items.map(({ name }) => name)).to.deep.equal(['web-1']);
  });

  it('are told which plugins to install, with a token to fetch them', async () => {
    const description = { package_name: 'thing', package_version: '1', archive_name: 'thing.wgn', wheels: [] };
    const wagon = tarGz([{ name: 'thing/package.json', content: JSON.stringify(description) }]);
    const plugin = (await rest.call('POST', '/plugins', { raw: wagon })).json<{ id: string }>();
    const asked = await rest.call('POST', `/plugins/${plugin.id}`, { body: { action: 'install', agents: ['web-1'] } });
    expect(asked.json<{ installation_state: object[] }>().installation_state).to.deep.equal([
      { state: 'pending-install', error: null, manager: null, agent: 'web-1' },
    ]);
    const { name, kwargs } = await listening.next();
    expect([name, (kwargs['plugin'] as { id: string }).id]).to.deep.equal(['install-plugin', plugin.id]);
    const token = kwargs['rest_token'] as string;
    const fetched = await rest.call('GET', `/plugins/${plugin.id}/archive`, { token });
    expect(fetched.status).to.equal(200);
    const report = { agent: 'web-1', state: 'installed' };
    expect((await rest.call('PUT', `/plugins/${plugin.id}`, { token, body: report })).status).to.equal(200);
    expect((await rest.call('DELETE', `/plugins/${plugin.id}`)).status).to.equal(204);
    expect((await listening.next()).name).to.equal('uninstall-plugin');
  });

  it('are told of new certificates', async () => {
    const answer = await rest.call('PATCH', '/agents', {
      body: { bundle: false, broker_ca_cert: 'PEM', manager_ca_cert: null },
    });
    expect([answer.status, answer.body]).to.deep.equal([200, { number_of_updated_agents: 2 }]);
    expect(await listening.next()).to.deep.equal({
      name: 'replace-ca-certs',
      kwargs: { new_broker_ca: 'PEM', new_manager_ca: null },
    });
  });

  it('get accounts on the broker that reach their own queues only', async () => {
    const calls: [string, string, unknown][] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        calls.push([request.method ?? '', request.url ?? '', JSON.parse(body)]);
        response.writeHead(calls.length === 4 ? 500 : 201).end();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://guest:guest@127.0.0.1:${(server.address() as AddressInfo).port}`;
    const accounts = makeAgentAccounts(new BrokerManagement({ url, tls: noTlsFiles }));
    const account = { username: 'a', password: 'p', tenantName: 't', exchange: 'web.1' };
    await accounts.ensure(account);
    const own = String.raw`^(cloudify-(events-topic|logs|monitoring)|web\.1($|_(operation|workflow|service|response_.*))$)`;
    expect(agentPattern('web.1')).to.equal(own);
    const telling = '^cloudify-(events-topic|logs|monitoring)$';
    expect(calls).to.deep.equal([
      ['PUT', '/api/users/a', { password: 'p', tags: '' }],
      ['PUT', '/api/permissions/rabbitmq_vhost_t/a', { configure: own, write: own, read: own }],
      ['PUT', '/api/permissions/%2F/a', { configure: telling, write: telling, read: '' }],
    ]);
    const failure = await accounts.ensure(account).catch((error: unknown) => error);
    expect(failure).to.have.property('code', 'manager_unavailable');
    server.close();
  });

  const refused: [string, string, string, object, number, RegExp][] = [
    ['an unknown state', 'PUT', '/agents/new', { state: 'asleep' }, 400, /Invalid agent state: `asleep`/],
    ['a change to an unknown state', 'PATCH', '/agents/web-1', { state: 'asleep' }, 400, /Invalid agent state/],
    ['an unknown instance', 'PUT', '/agents/new', { node_instance_id: 'moon' }, 404, /moon/],
    ['a name that is none', 'PUT', '/agents/a%20b', {}, 400, /illegal characters/],
    ['an unknown agent', 'PATCH', '/agents/moon', { state: 'started' }, 404, /moon/],
    [
      'an agent without exchange',
      'PUT',
      '/agents/new',
      { rabbitmq_exchange: undefined },
      400,
      /Missing rabbitmq_exchange/,
    ],
    ['new certificates that are none', 'PATCH', '/agents', { bundle: true }, 400, /Give broker_ca_cert/],
  ];
  for (const [what, method, path, body, status, message] of refused) {
    it(`refuse ${what}`, async () => {
      const answer = await rest.call(method, path, { body: method === 'PUT' ? { ...agent(), ...body } : body });
      expect(answer.status, answer.text).to.equal(status);
      expect(answer.json<{ message: string }>().message).to.match(message);
    });
  }
});
