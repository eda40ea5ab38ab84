import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { deploy, runWorkflow } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { PostgresServer } from '../kit/postgres-server.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs:
  folder: {}
node_types:
  talker:
    derived_from: cloudify.nodes.Root
    properties:
      password: {}
node_templates:
  chatty:
    type: talker
    properties:
      password: { get_secret: plain }
    interfaces:
      cloudify.interfaces.lifecycle:
        create:
          implementation: scripts/chatty.sh
          inputs:
            secret: { get_secret: plain }
            nested: { credentials: { token: { get_secret: hidden } } }
            folder: { get_input: folder }
        start:
          implementation: scripts/failing.sh
          max_retries: 0
          inputs:
            secret: { get_secret: plain }
`;
const chatty = `
env > "$folder/environment"
echo "the secret is $secret"
echo "encoded: $(printf %s "$secret" | base64)"
echo "nested: $nested" >&2
ctx logger info "and with a logger: $secret"
`;
const failing = 'echo "it failed with $secret" >&2\nexit 3\n';

const clear = {
  plain: 'plain-secret-value-4711',
  hidden: 'hidden-secret-value-0815',
  typed: 'typed-secret-value-1234',
  replaced: 'replaced-secret-value-99',
  password: 'first-password-of-somebody',
  changed: 'second-password-of-somebody',
  wrong: 'wrong-password-of-somebody',
  passphrase: 'passphrase-of-an-export',
  brokerPassword: 'broker-password-of-a-tenant',
};

/** Ways in which a value would still be one that can be read. */
function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64');
  return [value, base64.replace(/=+$/, ''), Buffer.from(value).toString('hex'), encodeURIComponent(value)];
}

describe('secrets, passwords and tokens', function () {
  this.timeout(180_000);
  let postgres: PostgresServer;
  let manager: EmbeddedManager;
  let databaseUrl: string;
  let folder: string;
  let logFile: string;
  /** Every answer in which the value was not asked for. */
  const answers: string[] = [];
  const tokens: Record<string, string> = {};

  before(async () => {
    postgres = await PostgresServer.start();
    databaseUrl = await postgres.createDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gantry-secrecy-'));
    logFile = join(folder, 'log');
    manager = await startEmbeddedManager({
      words: ['--database', databaseUrl, '--log-file', logFile, '--log-level', 'debug'],
    });
    await useEverything();
  });

  after(async () => {
    await manager?.stop();
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function call(method: string, path: string, body?: unknown, login?: string): Promise<Response> {
    const credentials = Buffer.from(login ?? `admin:${manager.password}`).toString('base64');
    return fetch(`${manager.url}/api/v3.1${path}`, {
      method,
      headers: { authorization: `Basic ${credentials}`, tenant: 'default_tenant', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** A call whose answer must not give anything away. */
  async function tell(method: string, path: string, body?: unknown, login?: string): Promise<void> {
    const response = await call(method, path, body, login);
    expect(response.status, path).to.be.lessThan(500);
    answers.push(`${method} ${path.split('?')[0] ?? ''}: ${await response.text()}`);
  }

  async function useEverything(): Promise<void> {
    await tell('PUT', '/secrets/plain', { value: clear.plain });
    await tell('PUT', '/secrets/hidden', { value: clear.hidden, is_hidden_value: true });
    await tell('PUT', '/secrets/typed', { value: { a: clear.typed }, schema: { type: 'object' } });
    await tell('PUT', '/secrets/typed', { value: { a: 1, b: clear.wrong }, schema: { required: ['c'] } });
    await tell('PUT', '/secrets/replaced', { value: 'before' });
    await tell('PATCH', '/secrets/replaced', { value: clear.replaced });
    await tell('GET', `/secrets/share/export?_passphrase=${clear.passphrase}`);
    await tell('POST', '/tenants/other', { rabbitmq_password: clear.brokerPassword });
    await tell('PUT', '/users', { username: 'somebody', password: clear.password });
    await tell('GET', '/user', undefined, `somebody:${clear.password}`);
    await tell('GET', '/user', undefined, `somebody:${clear.wrong}`);
    await tell('GET', `/secrets/share/export?_passphrase=${clear.passphrase}`, undefined, `somebody:${clear.password}`);
    await tell('POST', '/users/somebody', { password: clear.changed }, `somebody:${clear.password}`);
    await tell('PUT', '/users', { username: 'somebody', password: clear.wrong });
    const created = await call('POST', '/tokens', { description: 'one' });
    tokens['api'] = ((await created.json()) as { value: string }).value.split('-')[2] ?? '';
    await deploy(
      manager.client,
      'chatty',
      blueprint,
      { 'scripts/chatty.sh': chatty, 'scripts/failing.sh': failing },
      {
        folder,
      },
    );
    const ended = await runWorkflow(manager.client, 'chatty', 'install');
    const { status } = await manager.client.executions.get(ended.execution.id);
    expect(status).to.equal('failed');
  }

  async function storedTexts(): Promise<Record<string, string>> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    );
    const texts: Record<string, string> = {};
    for (const { name } of rows) {
      const found = await client.query<{ text: string }>(
        `select row_to_json(found)::text as text from "${name}" found`,
      );
      texts[name] = found.rows.map(({ text }) => text).join('\n');
    }
    await client.end();
    return texts;
  }

  async function filesBelow(directory: string): Promise<string[]> {
    const entries = await readdir(directory, { recursive: true });
    const paths = entries.map((name) => join(directory, name));
    const kinds = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
    return paths.filter((_path, index) => kinds[index]?.isFile() === true);
  }

  function expectNothingIn(text: string, where: string): void {
    const values = { ...clear, ...tokens };
    const found = Object.entries(values).filter(([, value]) => formsOf(value).some((form) => text.includes(form)));
    expect(
      found.map(([name, value]) => {
        const at =
          formsOf(value)
            .map((form) => text.indexOf(form))
            .find((index) => index >= 0) ?? 0;
        return `${name}: ${text.slice(Math.max(0, at - 150), at + 50)}`;
      }),
      where,
    ).to.deep.equal([]);
  }

  it('were all at work in the scenario', () => {
    expect(tokens['api']).to.have.length(40);
    expect(answers.length).to.be.greaterThan(12);
  });

  it('are in no table of the database', async () => {
    for (const [table, text] of Object.entries(await storedTexts())) {
      expectNothingIn(text, `table ${table}`);
    }
  });

  it('of executions are stored as hashes only', async () => {
    const texts = await storedTexts();
    const hashes = new Set(
      [...(texts['executions'] ?? '').matchAll(/"token_hash":"([0-9a-f]{64})"/g)].map(([, hash]) => hash),
    );
    expect(hashes.size).to.be.greaterThan(0);
    const log = await readFile(logFile, 'utf8');
    const environment = await readFile(join(folder, 'environment'), 'utf8');
    for (const [where, text] of Object.entries({ ...texts, log, environment })) {
      const found = [...text.matchAll(/[0-9a-f]{32}/g)].filter(([token]) =>
        hashes.has(createHash('sha256').update(token).digest('hex')),
      );
      expect(found, where).to.deep.equal([]);
    }
  });

  it('are in the events only as stars', async () => {
    const { events = '', ...others } = await storedTexts();
    const all =
      events +
      Object.entries(others)
        .filter(([name]) => name.startsWith('events'))
        .map(([, text]) => text)
        .join('\n');
    expect(all).to.contain('the secret is ***');
    expect(all).to.contain('and with a logger: ***');
    expect(all).to.contain('it failed with ***');
  });

  it('are in no answer that was not asked for them', async () => {
    for (const path of [
      '/secrets',
      '/users?_get_data=true',
      '/tokens',
      '/tenants',
      '/brokers',
      '/config',
      '/executions',
    ]) {
      await tell('GET', path);
    }
    for (const path of ['/nodes', '/node-instances', '/deployments', '/blueprints', '/events?_size=10000', '/audit']) {
      await tell('GET', path);
    }
    expectNothingIn(answers.join('\n'), 'answers');
  });

  it('are not in the log', async () => {
    expectNothingIn(await readFile(logFile, 'utf8'), 'log');
  });

  it('are in no file of the manager', async () => {
    for (const path of await filesBelow(manager.dataDir)) {
      const content = await readFile(path, 'latin1');
      if (!path.endsWith('admin-password')) {
        expectNothingIn(content, path);
      }
    }
  });

  it('are encrypted with the new key only after a rotation', async () => {
    const keyFile = join(manager.dataDir, 'secret.key');
    const [oldId = ''] = (await readFile(keyFile, 'utf8')).split(' ');
    const rotated = await manager.gantry(
      'keys',
      'rotate',
      '--data',
      manager.dataDir,
      '--database',
      databaseUrl,
      '--json',
    );
    expect(rotated.code, rotated.stderr).to.equal(0);
    const { id, rewritten } = JSON.parse(rotated.stdout) as { id: string; rewritten: number };
    expect(rewritten).to.be.greaterThan(4);
    const texts = Object.values(await storedTexts()).join('\n');
    expect(texts).to.contain(`${id}.`);
    expect(texts).to.not.contain(`${oldId}.`);
    // the running manager has found the new key
    const read = (await (await call('GET', '/secrets/plain')).json()) as { value: string };
    expect(read.value).to.equal(clear.plain);
    await tell('PUT', '/secrets/new', { value: 'anything' });
    const { secrets = '' } = await storedTexts();
    expect(secrets).to.not.contain(`${oldId}.`);
    const pruned = await manager.gantry('keys', 'prune', '--data', manager.dataDir, '--database', databaseUrl);
    expect(pruned.code).to.not.equal(0);
    expect(pruned.stderr).to.contain('try again in a minute');
  });
});
