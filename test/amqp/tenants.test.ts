import { once } from 'node:events';
import { mkdtemp, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { BrokerManagement } from '../../src/amqp/management.ts';
import { noTlsFiles } from '../../src/amqp/tls-files.ts';
import { makeTenantAccounts } from '../../src/amqp/tenant-accounts.ts';
import type { TenantBrokerAccounts } from '../../src/amqp/tenant-accounts.ts';
import { resourcePath } from '../../src/config/package-root.ts';
import { GantryError } from '../../src/domain/errors.ts';
import { FileStore } from '../../src/files/file-store.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { ensureBrokerAccounts, removeBrokerLeftovers } from '../../src/scheduler/broker-accounts.ts';
import type { BrokerAccountsDependencies } from '../../src/scheduler/broker-accounts.ts';
import { createSecretBox } from '../../src/security/secret-box.ts';
import type { Caller } from '../../src/services/caller.ts';
import { createTenantService } from '../../src/services/tenants.ts';
import type { TenantService } from '../../src/services/tenants.ts';
import { createTestDatabase } from '../kit/database.ts';
import type { TestDatabase } from '../kit/database.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';

const administrator = { user: { id: 0, username: 'admin', role: 'sys_admin' }, method: 'http_basic' } as Caller;

describe('the broker account of a tenant', function () {
  this.timeout(120_000);
  const secretBox = createSecretBox(new Map([['aaaaaaaa', Buffer.alloc(32, 1)]]), 'aaaaaaaa');
  let rabbitmq: RabbitmqServer;
  let test: TestDatabase;
  let folder: string;
  let files: FileStore;
  let accounts: TenantBrokerAccounts;
  let caretaker: BrokerAccountsDependencies;

  before(async () => {
    rabbitmq = await RabbitmqServer.start();
    test = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gantry-tenants-'));
    files = new FileStore({ root: folder, sharedRoot: resourcePath() });
    await files.prepare();
    const management = new BrokerManagement({ url: rabbitmq.managementUrl, tls: noTlsFiles });
    accounts = makeTenantAccounts(management, 'guest');
    caretaker = { database: test.database, log: silentLogger, accounts, ...secretBox };
    await rabbitmq.manage('PUT', '/api/policies/%2F/bounded', {
      pattern: '^bounded',
      definition: { 'max-length': 7 },
      'apply-to': 'queues',
      priority: 1,
    });
  });

  after(async () => {
    await test?.close();
    await rabbitmq?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  function serviceWith(broker: TenantBrokerAccounts): TenantService {
    const { database } = test;
    const external = { refuseWhenEnabled: () => Promise.resolve() };
    return createTenantService({ database, secrets: secretBox, broker, files, external });
  }

  async function names(kind: 'vhosts' | 'users'): Promise<string[]> {
    const found = (await rabbitmq.manage('GET', `/api/${kind}`)) as { name: string }[];
    return found.map(({ name }) => name).filter((name) => name.startsWith('rabbitmq_'));
  }

  async function createTenant(name: string): Promise<string> {
    const tenants = serviceWith(accounts);
    const tenant = await tenants.create(administrator, name, undefined);
    const password = await tenants.brokerPassword(tenant);
    const { port } = rabbitmq;
    return `amqp://rabbitmq_user_${name}:${password}@127.0.0.1:${port}`;
  }

  /** What the broker answers to work on a channel: undefined when it is done, its refusal otherwise. */
  async function outcomeOf(
    url: string,
    work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createChannel']>>) => Promise<unknown>,
  ): Promise<string | undefined> {
    let connection;
    try {
      connection = await connect(url);
    } catch (error) {
      return String(error);
    }
    connection.on('error', () => undefined);
    const channel = await connection.createChannel();
    const broken = once(channel, 'error').then(([error]) => String(error));
    try {
      return await Promise.race([work(channel).then(() => undefined), broken]);
    } catch (error) {
      return String(error);
    } finally {
      await connection.close();
    }
  }

  /** A leftover is due a moment after it was noted. */
  async function removeAllLeftovers(): Promise<void> {
    for (let next = await removeBrokerLeftovers(caretaker); next !== undefined;) {
      await delay(next);
      next = await removeBrokerLeftovers(caretaker);
    }
  }

  it('is a vhost and a user that may do everything there', async () => {
    const url = await createTenant('alpha');
    expect(await names('vhosts')).to.deep.equal(['rabbitmq_vhost_alpha']);
    expect(await names('users')).to.deep.equal(['rabbitmq_user_alpha']);
    const outcome = await outcomeOf(`${url}/rabbitmq_vhost_alpha`, async (channel) => {
      await channel.assertExchange('agent', 'direct', { durable: true });
      await channel.assertQueue('agent_operation', { durable: true });
      await channel.bindQueue('agent_operation', 'agent', 'operation');
      channel.publish('agent', 'operation', Buffer.from('{}'));
      await channel.checkQueue('agent_operation');
    });
    expect(outcome).to.equal(undefined);
    const [policy] = (await rabbitmq.manage('GET', '/api/policies/rabbitmq_vhost_alpha')) as object[];
    expect(policy).to.include({ name: 'bounded', pattern: '^bounded', vhost: 'rabbitmq_vhost_alpha' });
  });

  it('is nothing in vhosts of others, and in `/` only the exchanges that logs and events go to', async () => {
    const url = await createTenant('beta');
    expect(await outcomeOf(`${url}/rabbitmq_vhost_alpha`, async () => undefined)).to.be.a('string');
    const tell = await outcomeOf(`${url}/%2F`, (channel) =>
      channel.assertExchange('cloudify-logs', 'fanout', { durable: true }),
    );
    expect(tell).to.equal(undefined);
    for (const work of [
      { what: 'command', name: 'cloudify.management', type: 'direct' },
      { what: 'pretend', name: 'cloudify-logs-2', type: 'fanout' },
    ]) {
      const outcome = await outcomeOf(`${url}/%2F`, (channel) => channel.assertExchange(work.name, work.type));
      expect(outcome, work.what).to.contain('ACCESS_REFUSED');
    }
    const listen = await outcomeOf(`${url}/%2F`, (channel) => channel.assertQueue('cloudify-logs-events'));
    expect(listen).to.contain('ACCESS_REFUSED');
  });

  it('lets the manager itself in', async () => {
    const { url } = rabbitmq;
    expect(await outcomeOf(`${url}/rabbitmq_vhost_alpha`, (channel) => channel.assertQueue('of-the-manager'))).to.equal(
      undefined,
    );
  });

  it('is created with the tenant or not at all: when the broker refuses, nothing remains', async () => {
    const failing: TenantBrokerAccounts = {
      ...accounts,
      async ensure(account) {
        await accounts.ensure(account);
        throw new GantryError('manager_unavailable', 'The broker has gone');
      },
    };
    const outcome = await serviceWith(failing)
      .create(administrator, 'gamma', undefined)
      .catch((error: GantryError) => error.code);
    expect(outcome).to.equal('manager_unavailable');
    expect(await test.database.query(`select from tenants where name = 'gamma'`)).to.deep.equal([]);
    expect(await names('vhosts')).to.include('rabbitmq_vhost_gamma');
    await removeAllLeftovers();
    expect(await names('vhosts')).to.have.members(['rabbitmq_vhost_alpha', 'rabbitmq_vhost_beta']);
    expect(await names('users')).to.have.members(['rabbitmq_user_alpha', 'rabbitmq_user_beta']);
  });

  it('stays when a tenant of that name is asked for again', async () => {
    const outcome = await serviceWith(accounts)
      .create(administrator, 'alpha', undefined)
      .catch((error: GantryError) => error.code);
    expect(outcome).to.equal('conflict_error');
    await removeAllLeftovers();
    expect(await names('vhosts')).to.include('rabbitmq_vhost_alpha');
  });

  it('goes with the tenant, with its queues, its files and the accounts of its agents', async () => {
    await mkdir(join(folder, 'deployments', 'beta', 'd1'), { recursive: true });
    await writeFile(join(folder, 'deployments', 'beta', 'd1', 'file'), 'content');
    await serviceWith(accounts).remove(administrator, 'beta');
    await removeAllLeftovers();
    expect(await names('vhosts')).to.deep.equal(['rabbitmq_vhost_alpha']);
    expect(await names('users')).to.deep.equal(['rabbitmq_user_alpha']);
    expect(await stat(join(folder, 'deployments', 'beta')).catch(() => undefined)).to.equal(undefined);
    expect(await test.database.query('select from broker_leftovers')).to.deep.equal([]);
  });

  it('waits while the broker is away, and goes later', async () => {
    await createTenant('delta');
    await serviceWith(accounts).remove(administrator, 'delta');
    const away = { ...accounts, removeVhost: () => Promise.reject(new Error('The broker is away')) };
    const outcome = await removeBrokerLeftovers({ ...caretaker, accounts: away }).catch(String);
    expect(outcome).to.contain('away');
    await removeAllLeftovers();
    expect(await names('vhosts')).to.deep.equal(['rabbitmq_vhost_alpha']);
  });

  it('is made for tenants that were there before, once', async () => {
    await ensureBrokerAccounts(caretaker);
    await ensureBrokerAccounts(caretaker);
    expect(await names('vhosts')).to.have.members(['rabbitmq_vhost_alpha', 'rabbitmq_vhost_default_tenant']);
    const [row] = await test.database.query<{ password: string }>(
      `select rabbitmq_password as password from tenants where name = 'default_tenant'`,
    );
    const password = secretBox.decrypt(row?.password ?? '');
    const url = `amqp://rabbitmq_user_default_tenant:${password}@127.0.0.1:${rabbitmq.port}/rabbitmq_vhost_default_tenant`;
    expect(await outcomeOf(url, (channel) => channel.assertQueue('own'))).to.equal(undefined);
  });
});
