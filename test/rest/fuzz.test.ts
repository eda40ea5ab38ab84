import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import { openApiDocument } from '../../src/rest/openapi.ts';
import { addFamilies } from './families.ts';
import { requestsTo } from './fuzz-requests.ts';
import type { FuzzOperation, FuzzRequest, Schema } from './fuzz-requests.ts';
import { everyRoute } from '../kit/answer-check.ts';
import { RestService } from './kit.ts';

/** More requests, or others, for a long run: `GANTRY_TEST_FUZZ_RUNS=2000 GANTRY_TEST_FUZZ_SEED=7`. */
const numRuns = Number(process.env['GANTRY_TEST_FUZZ_RUNS'] ?? 10);
const seed = Number(process.env['GANTRY_TEST_FUZZ_SEED'] ?? 1);

interface Described {
  parameters: FuzzOperation['parameters'];
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}

function operationsOf(document: ReturnType<typeof openApiDocument>): FuzzOperation[] {
  const paths = document['paths'] as Record<string, Record<string, Described>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody }]) => ({
      method,
      path,
      parameters,
      body: requestBody?.content['application/json'].schema,
    })),
  );
}

const operations = operationsOf(openApiDocument(everyRoute, 'test'));

/** Answers of these never end; those below only after what nobody does here. */
const endless = new Set(['get /audit/stream', 'get /stream']);

/**
 * Changed by refused requests, too, or beside them: what is known of logins, who asked for what, that the process
 * lives, and what was sent after the answer to an earlier one.
 */
const bookkeeping = ['users', 'tokens', 'audit_log', 'processes', 'managers', 'outbox'];

describe('any request', function () {
  this.timeout(120_000 + numRuns * 1000);
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  let rest: RestService;
  let login: Record<string, string>;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    const account = { username: 'fuzzer', password: 'password-of-the-fuzzer', role: 'sys_admin' };
    expect((await rest.call('PUT', '/users', { body: account })).status).to.equal(201);
    login = {
      authorization: `Basic ${Buffer.from(`${account.username}:${account.password}`).toString('base64')}`,
    };
    await addFamilies(rest.database, { tenantId: 0, creatorId: 0 }, [{ name: 'known', visibility: 'tenant' }]);
    for (const [method, path, body] of [
      ['POST', '/tenants/known', undefined],
      ['POST', '/user-groups', { group_name: 'known' }],
      ['PUT', '/users', { username: 'known', password: 'password-of-known' }],
    ] as const) {
      expect((await rest.call(method, path, { body })).status).to.equal(201);
    }
    await watchChanges();
  });

  after(async () => {
    agent.destroy();
    await rest?.stop();
  });

  /** Every row that a committed transaction changes leaves a row in `changes`. */
  async function watchChanges(): Promise<void> {
    await rest.database.query('create table changes (id bigint generated always as identity, name text)');
    await rest.database.query(`create function note_change() returns trigger language plpgsql as $$
      begin insert into changes (name) values (tg_table_name); return null; end $$`);
    const tables = await rest.database.query<{ name: string }>(
      `select relname as name from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
         and not relispartition and relname <> all($1)`,
      [['changes', ...bookkeeping]],
    );
    for (const { name } of tables) {
      await rest.database.query(`create trigger note_change after insert or update or delete on ${name}
        for each row execute function note_change()`);
    }
  }

  async function takeChanges(): Promise<string[]> {
    const rows = await rest.database.query<{ name: string }>('delete from changes returning name');
    return [...new Set(rows.map(({ name }) => name))];
  }

  async function send(method: string, { path, headers, body }: FuzzRequest): Promise<{ status: number; text: string }> {
    const { hostname, port } = new URL(rest.origin);
    const call = request({
      agent,
      hostname,
      port,
      path,
      method: method.toUpperCase(),
      headers: body ? { ...headers, 'content-length': String(body.length) } : headers,
      timeout: 30_000,
    });
    call.on('timeout', () => call.destroy(new Error('No answer for 30 seconds')));
    call.end(body);
    const [response] = (await once(call, 'response')) as [Parameters<typeof readText>[0] & { statusCode: number }];
    return { status: response.statusCode, text: await readText(response) };
  }

  for (const operation of operations.filter(({ method, path }) => !endless.has(`${method} ${path}`))) {
    const { method, path } = operation;

    it(`${method.toUpperCase()} ${path} is answered, and what is refused changes nothing`, async () => {
      await fc.assert(
        fc.asyncProperty(requestsTo(operation, login), async (given) => {
          // nobody is there to do what these wait for
          const waits = given.path.includes('?') ? '&' : '?';
          const path = `${given.path}${waits}async_create=true&async_upload=true`;
          const { status, text } = await send(method, method === 'put' ? { ...given, path } : given);
          expect(status, text).to.be.within(200, 499);
          const changed = await takeChanges();
          if (status >= 400) {
            expect(JSON.parse(text)).to.include.keys('message', 'error_code');
            expect(changed, text).to.deep.equal([]);
          }
        }),
        { numRuns, seed },
      );
    });
  }
});
