import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { unpackArchive } from '../../src/files/unpack.ts';
import { deploy, runWorkflow } from '../kit/blueprints.ts';
import { startEmbeddedManager } from '../kit/manager.ts';
import type { EmbeddedManager } from '../kit/manager.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { sharedRabbitmq } from '../kit/rabbitmq.ts';
import type { RabbitmqServer } from '../kit/rabbitmq.ts';
import { until } from '../kit/until.ts';

const blueprint = `
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml]
inputs:
  folder: {}
  given: {}
outputs:
  all:
    value: { get_secret: plain }
  part:
    value: { concat: ['it is ', { get_secret: hidden }] }
capabilities:
  all:
    value: { get_secret: plain }
workflows:
  shout:
    mapping: default_workflows.cloudify.plugins.workflows.execute_operation
    parameters:
      operation: { default: shouting.shout }
      operation_kwargs: { default: { word: { get_secret: plain } } }
      allow_kwargs_override: { default: true }
      run_by_dependency_order: { default: false }
      type_names: { default: [] }
      node_ids: { default: [] }
      node_instance_ids: { default: [] }
node_types:
  talker:
    derived_from: cloudify.nodes.Root
    properties:
      password: {}
      given: {}
node_templates:
  chatty:
    type: talker
    properties:
      password: { get_secret: plain }
      given: { get_input: given }
    interfaces:
      shouting:
        shout:
          implementation: scripts/shouting.sh
          inputs:
            word: { default: nothing }
      cloudify.interfaces.lifecycle:
        create:
          implementation: scripts/chatty.sh
          inputs:
            secret: { get_secret: plain }
            nested: { credentials: { token: { get_secret: hidden } } }
            folder: { get_input: folder }
            property: { get_property: [SELF, given] }
        configure:
          implementation: scripts/telling.sh
          inputs:
            attribute: { get_attribute: [SELF, stored] }
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
ctx instance runtime-properties stored '@{"get_secret": "plain"}'
ctx returns "returned: $secret"
echo "from an input: $property"
`;
const telling = 'echo "from a runtime property: $attribute"\n';
const shouting = 'echo "from a parameter: $word"\necho "$word" >&2\nctx abort-operation "given up with $word"\n';
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

/** Paths whose answer is a secret that the caller asks for and may see, and streams, which do not end. */
const askedFor =
  /\/secrets\/(?:\{|share)|\/(?:outputs|capabilities)$|\/stream|\/rabbitmq|file-server|\/archive$|\/config$|\/tenants\/\{[a-z_]+\}$/;

describe('secrets, passwords and tokens', function () {
  this.timeout(180_000);
  let postgres: PostgresServer;
  let manager: EmbeddedManager;
  let databaseUrl: string;
  let folder: string;
  let logFile: string;
  let messages: Awaited<ReturnType<RabbitmqServer['trace']>>;
  /** Every answer in which the value was not asked for. */
  const answers: string[] = [];
  const tokens: Record<string, string> = {};

  before(async () => {
    postgres = await PostgresServer.start();
    databaseUrl = await postgres.createDatabase();
    folder = await mkdtemp(join(tmpdir(), 'gantry-secrecy-'));
    logFile = join(folder, 'log');
    const rabbitmq = await sharedRabbitmq();
    const amqpUrl = await rabbitmq.createVhost('secrecy');
    messages = await rabbitmq.trace(amqpUrl);
    manager = await startEmbeddedManager({
      words: ['--amqp', amqpUrl, '--database', databaseUrl, '--log-file', logFile, '--log-level', 'debug'],
    });
    await useEverything();
  });

  after(async () => {
    await manager?.stop();
    await messages?.stop();
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
      {
        'scripts/chatty.sh': chatty,
        'scripts/telling.sh': telling,
        'scripts/failing.sh': failing,
        'scripts/shouting.sh': shouting,
      },
      { folder, given: { get_secret: 'plain' } },
    );
    const ended = await runWorkflow(manager.client, 'chatty', 'install');
    const { status } = await manager.client.executions.get(ended.execution.id);
    expect(status).to.equal('failed');
    for (const parameters of [{}, { operation_kwargs: { word: { get_secret: 'hidden' } } }]) {
      const shouted = await runWorkflow(manager.client, 'chatty', 'shout', { parameters });
      expect(shouted.execution.status).to.equal('failed');
    }
    await tell('POST', '/executions', {
      deployment_id: 'chatty',
      workflow_id: 'shout',
      parameters: { operation: { get_secret: 'plain' } },
    });
    await tell('PUT', '/snapshots/everything', { queue: true });
    await tell('PUT', '/log-bundles/everything', { queue: true });
    await until('both archives', async () => {
      const archives = await Promise.all(
        ['snapshots', 'log-bundles'].map((kind) => call('GET', `/${kind}/everything`)),
      );
      const found = await Promise.all(
        archives.map(async (answer) => ((await answer.json()) as { status: string }).status),
      );
      return found.every((one) => one === 'created');
    });
  }

  /** Ids of everything the scenario has made, by the names that paths have for them. */
  async function idsByName(): Promise<Record<string, string[]>> {
    const ids = async (path: string, member = 'id'): Promise<string[]> => {
      const { items } = (await (await call('GET', path)).json()) as { items: Record<string, string>[] };
      return items.map((item) => item[member] ?? '');
    };
    const [executions, instances] = await Promise.all([
      ids('/executions?_include_system_workflows=true'),
      ids('/node-instances'),
    ]);
    const graphs = (
      await Promise.all(executions.map((id) => ids(`/tasks_graphs?execution_id=${id}&name=install`)))
    ).flat();
    return {
      blueprint_id: ['chatty'],
      deployment_id: ['chatty'],
      key: ['typed'],
      secret_key: ['typed'],
      execution_id: executions,
      node_instance_id: instances,
      tasks_graph_id: graphs,
      snapshot_id: ['everything'],
      log_bundle_id: ['everything'],
      tenant_name: ['default_tenant'],
      username: ['admin', 'somebody'],
      token_id: await ids('/tokens'),
    };
  }

  /** Every path that can be read, with every id that the scenario has for it. */
  async function everyReadablePath(): Promise<string[]> {
    const { paths } = (await (await call('GET', '/openapi.json')).json()) as {
      paths: Record<string, { get?: unknown }>;
    };
    const ids = await idsByName();
    return Object.entries(paths)
      .filter(([path, { get }]) => get !== undefined && !askedFor.test(path))
      .flatMap(([path]) => {
        const name = /\{([a-z_]+)\}/.exec(path)?.[1];
        const values = name === undefined ? [''] : (ids[name] ?? ['everything', 'chatty']);
        return values.map((value) => path.replaceAll(/\{[a-z_]+\}/g, value).replace(/^\/api\/v3\.1/, ''));
      });
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

  it('were all used in the scenario', () => {
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

  it('are masked in the events', async () => {
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
    expect(all).to.contain('from an input: ***');
    expect(all).to.contain('from a runtime property: ***');
    expect(all).to.contain('from a parameter: ***');
    expect(all).to.contain('given up with ***');
    expect(all).to.contain('returned: ***');
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

  it('are in no answer to anything that can be read', async () => {
    const paths = await everyReadablePath();
    expect(paths.length).to.be.greaterThan(100);
    for (const path of paths) {
      for (const query of [
        '',
        '?_all_tenants=true&_size=10000',
        `?deployment_id=chatty&execution_id=x&_get_data=true`,
      ]) {
        const response = await call('GET', `${path}${query}`);
        expect(response.status, path).to.be.lessThan(500);
        expectNothingIn(await response.text(), `GET ${path}${query}`);
      }
    }
  });

  it('are in no message of the broker', () => {
    const all = messages.texts.join('\n');
    expect(all).to.contain('scripts/shouting.sh');
    expect(all).to.contain('{"word":{"get_secret":"plain"}');
    expectNothingIn(all, 'messages');
  });

  it('are in no snapshot or log bundle', async () => {
    for (const kind of ['snapshots', 'log-bundles']) {
      const archive = join(folder, `${kind}.zip`);
      const response = await call('GET', `/${kind}/everything/archive`);
      await writeFile(archive, Buffer.from(await response.arrayBuffer()));
      await unpackArchive(archive, join(folder, kind));
      const paths = await filesBelow(join(folder, kind));
      expect(paths.length).to.be.greaterThan(1);
      for (const path of paths) {
        expectNothingIn(await readFile(path, 'latin1'), path);
      }
    }
  });

  it('are not in the log', async () => {
    const log = await readFile(logFile, 'utf8');
    expect(log.length).to.be.greaterThan(500);
    expectNothingIn(log, 'log');
    expectNothingIn(manager.program.lines.join('\n'), 'standard error');
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
