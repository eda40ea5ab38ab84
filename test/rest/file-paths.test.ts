import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { isNginxInstalled, NginxServer, renderProductNginx } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { adminPassword, RestService, simpleBlueprint } from './kit.ts';

interface Reading {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

const marker = 'MARKER-OF-SOMEBODY-ELSE';
const blueprintFile = 'blueprints/default_tenant/files/secret.txt';

/** Ways to write a path to `target` below the file server that must lead nowhere. */
function detours(target: string): string[] {
  const [first = '', ...rest] = target.split('/');
  const below = rest.join('/');
  const encodedDots = ['..', '%2e%2e', '%2E%2e', '.%2e', '%252e%252e', '%c0%ae%c0%ae', '..%00', '...'];
  return [
    ...encodedDots.map((dots) => `/resources/plugins/${dots}/${target}`),
    ...encodedDots.map((dots) => `/resources/cloudify_agent/${dots}/${target}`),
    ...encodedDots.map((dots) => `/api/v3.1/file-server-proxy/plugins/${dots}/${target}`),
    `/resources/plugins/..%2f${target}`,
    `/resources/plugins/%2e%2e%2f${target}`,
    `/resources/plugins/..%252f${target}`,
    `/resources/plugins\\..\\${target}`,
    `/resources/plugins%5c..%5c${target}`,
    `/resources/cloudify_agent/..%2f${target}`,
    `/resources/cloudify_agent%2f..%2f${target}`,
    `/resources/cloudify_agent%5c..%5c${target}`,
    `/resources/cloudify_agent../${target}`,
    `/resources/cloudify_agent;/../${target}`,
    `/resources/cloudify/types/types.yaml#/../../../${target}`,
    `/resources/cloudify/types/types.yaml?/../../../${target}`,
    `/resources../files/${target}`,
    `/resources/.%2f${target}/.`,
    `/resources/${target}%00`,
    `/resources/${target}%00.html`,
    `/resources/${target}.`,
    `/resources/${target}%20`,
    `/resources/${target}/`,
    `/resources/${target}::$DATA`,
    `/resources/${first.toUpperCase()}/${below}`,
    `/resources/${first}./${below}`,
    `/resources/${first}%20/${below}`,
    `/resources/${first};a=b/${below}`,
    `/RESOURCES/${target}`,
    `/resources-local/${target}`,
    `//resources-local/${target}`,
    `/resources/../resources-local/${target}`,
    `/%72esources-local/${target}`,
    `/resources-auth/${target}`,
    `/api/v3.1/file-server-auth/../file-server-proxy/plugins/../${target}`,
  ];
}

/** Ways to write the same path, which are as good as the path itself. */
function spellings(target: string): string[] {
  const [first = '', ...rest] = target.split('/');
  return [
    `/resources/${target}`,
    `/resources//${target}`,
    `/resources/${target.replaceAll('/', '///')}`,
    `/resources/${target.replaceAll('/', '%2f')}`,
    `/resources/%${first.charCodeAt(0).toString(16)}${first.slice(1)}/${rest.join('/')}`,
    `/api/v3.1/file-server-proxy/${target}`,
    `/api/v3.1/file-server-proxy//${target}`,
  ];
}

describe('paths of the file server', function () {
  this.timeout(60_000);
  let rest: RestService;
  let nginx: NginxServer | undefined;
  const fronts: Record<'service' | 'nginx', string> = { service: '', nginx: '' };

  before(async () => {
    rest = await RestService.start();
    fronts.service = rest.origin;
    if (isNginxInstalled()) {
      const port = await freePort();
      const { host } = new URL(rest.origin);
      nginx = await NginxServer.start(port, (directory) =>
        renderProductNginx(directory, { listen: `127.0.0.1:${port}`, upstream: host, files: rest.services.files.root }),
      );
      fronts.nginx = `http://127.0.0.1:${port}`;
    }
    await rest.call('POST', '/tenants/other');
    await rest.call('PUT', '/users', { body: { username: 'stranger', password: 'stranger-password' } });
    await rest.call('PUT', '/tenants/users', {
      body: { tenant_name: 'other', username: 'stranger', role: 'manager' },
    });
    await rest.upload('files', { 'blueprint.yaml': simpleBlueprint, 'secret.txt': marker });
    await store('snapshots/s1/s1.zip', marker);
    await store('plugins/p1/plugin.yaml', 'for everybody');
    await store('deployments/default_tenant/d1/index.html', 'a page');
    await store('deployments/default_tenant/d1/data/big.bin', '0123456789'.repeat(1000));
    await writeFile(join(rest.folder, 'outside.txt'), marker);
  });

  after(async () => {
    await nginx?.stop();
    await rest?.stop();
  });

  async function store(path: string, content: string): Promise<void> {
    const place = join(rest.services.files.root, path);
    await mkdir(dirname(place), { recursive: true });
    await writeFile(place, content);
  }

  /** Sends the path byte for byte, which `fetch` does not. */
  async function read(
    origin: string,
    path: string,
    {
      user = 'admin',
      method = 'GET',
      headers = {},
      content = '',
    }: { user?: string; method?: string; headers?: object; content?: string } = {},
  ): Promise<Reading> {
    const { hostname, port } = new URL(origin);
    const password = user === 'admin' ? adminPassword : `${user}-password`;
    const credentials = Buffer.from(`${user}:${password}`).toString('base64');
    const sent = httpRequest({
      hostname,
      port,
      path,
      method,
      agent: false,
      headers: { ...(user === '' ? {} : { authorization: `Basic ${credentials}` }), ...headers },
    });
    sent.end(content);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const body = await buffer(response);
    return { status: response.statusCode ?? 0, headers: response.headers, body: body.toString() };
  }

  for (const front of ['service', 'nginx'] as const) {
    describe(front === 'nginx' ? 'through nginx' : 'from the service itself', () => {
      let origin: string;

      before(function () {
        origin = fronts[front];
        if (origin === '') {
          this.skip();
        }
      });

      it('refuses detours to every caller', async () => {
        const paths = [blueprintFile, 'snapshots/s1/s1.zip', '../outside.txt'].flatMap(detours);
        for (const path of paths) {
          for (const user of ['stranger', '', ...(path.includes('outside') ? ['admin'] : [])]) {
            const { status, body } = await read(origin, path, { user });
            expect(body, `${user} ${path}`).not.to.contain(marker);
            const isTypes = path.startsWith('/resources/cloudify/types/types.yaml');
            expect(status, `${user} ${path}`).to.be.oneOf(isTypes ? [200, 400, 401] : [400, 401, 403, 404]);
          }
        }
      });

      it('checks the tenant however the path is spelled', async () => {
        for (const path of spellings(blueprintFile)) {
          expect((await read(origin, path, { user: 'stranger' })).status, path).to.equal(403);
          expect((await read(origin, path, { user: '' })).status, path).to.equal(401);
          const { status, body } = await read(origin, path);
          expect([status, body], path).to.deep.equal([200, marker]);
        }
      });

      it('gives snapshots to those only who may download them', async () => {
        for (const path of spellings('snapshots/s1/s1.zip')) {
          expect((await read(origin, path, { user: 'stranger' })).status, path).to.equal(403);
          expect((await read(origin, path)).body, path).to.equal(marker);
        }
      });

      it('writes and removes nothing through a detour', async () => {
        const kept = join(rest.services.files.root, 'deployments/default_tenant/d1/index.html');
        const places = ['deployments/default_tenant/d1/index.html', 'plugins/p1/plugin.yaml', '../outside.txt'];
        for (const path of places.flatMap(detours)) {
          for (const [method, user] of [
            ['PUT', 'stranger'],
            ['DELETE', 'stranger'],
            ['PUT', ''],
            ...(path.includes('outside') ? [['PUT', 'admin'] as const] : []),
          ] as const) {
            const { status } = await read(origin, path, { method, user, content: 'overwritten' });
            expect(status, `${user} ${method} ${path}`).to.be.oneOf([400, 401, 403, 404, 405]);
          }
        }
        expect(await readFile(kept, 'utf8')).to.equal('a page');
        expect(await readFile(join(rest.folder, 'outside.txt'), 'utf8')).to.equal(marker);
        expect((await read(origin, '/resources/plugins/p1/plugin.yaml')).body).to.equal('for everybody');
      });

      it('lets only permitted callers write and remove files', async () => {
        const path = `/resources/deployments/default_tenant/written-${front}/file.txt`;
        const put = (user: string): Promise<Reading> => read(origin, path, { method: 'PUT', user, content: 'written' });
        expect((await put('stranger')).status).to.equal(403);
        expect((await put('')).status).to.equal(401);
        expect((await read(origin, path)).status).to.equal(404);
        expect((await put('admin')).status).to.equal(200);
        expect((await read(origin, path)).body).to.equal('written');
        expect((await read(origin, path, { method: 'DELETE', user: 'stranger' })).status).to.equal(403);
        expect((await read(origin, path, { method: 'DELETE' })).status).to.equal(200);
        expect((await read(origin, path)).status).to.equal(404);
      });

      it("follows no link out of a deployment's directories", async () => {
        const directory = join(rest.services.files.root, 'deployments/default_tenant', `linked-${front}`);
        await mkdir(directory);
        await symlink(rest.folder, join(directory, 'up'));
        await symlink(join(rest.folder, 'outside.txt'), join(directory, 'file'));
        await symlink('../d1', join(directory, 'neighbour'));
        await symlink(rest.folder, `${directory}-whole`);
        await writeFile(join(directory, 'own.txt'), 'own');
        await symlink('own.txt', join(directory, 'alias.txt'));
        const base = `/resources/deployments/default_tenant/linked-${front}`;
        for (const path of ['/up/outside.txt', '/up/', '/file', '/neighbour/index.html', '-whole/outside.txt']) {
          const { status, body } = await read(origin, base + path);
          expect(body, path).not.to.contain(marker);
          expect(status, path).to.equal(404);
        }
        expect((await read(origin, `${base}/alias.txt`)).body).to.equal('own');
        expect(Object.keys(JSON.parse((await read(origin, `${base}/`)).body) as object)).to.deep.equal(['own.txt']);
      });

      it('lists a directory that has an index.html, without a redirect', async () => {
        const list = await read(origin, '/resources/deployments/default_tenant/d1/');
        expect(list.status).to.equal(200);
        expect(JSON.parse(list.body)).to.have.all.keys('index.html', 'data/big.bin');
        expect((await read(origin, '/resources/deployments/default_tenant/d1')).status).to.equal(404);
      });

      const downloads: [string, string][] = [
        ['a file', '/resources/deployments/default_tenant/d1/data/big.bin'],
        ['a file past nginx', '/api/v3.1/file-server-proxy/deployments/default_tenant/d1/data/big.bin'],
      ];
      for (const [what, path] of downloads) {
        it(`sends ${what} whole, in part, or not again`, async () => {
          const whole = await read(origin, path);
          expect(whole.status).to.equal(200);
          expect(whole.body).to.have.length(10_000);
          expect(whole.headers['content-length']).to.equal('10000');
          expect(whole.headers['accept-ranges']).to.equal('bytes');
          expect(whole.headers['content-type']).to.equal('application/octet-stream');
          expect(whole.headers).not.to.have.property('x-accel-redirect');
          expect(whole.headers['x-content-type-options']).to.contain('nosniff');
          const { etag = '', 'last-modified': time = '' } = whole.headers;
          expect(etag).to.match(/^"[0-9a-f]+-2710"$/);

          const part = await read(origin, path, { headers: { range: 'bytes=9995-' } });
          expect([part.status, part.body]).to.deep.equal([206, '56789']);
          expect(part.headers['content-range']).to.equal('bytes 9995-9999/10000');
          const beyond = await read(origin, path, { headers: { range: 'bytes=20000-' } });
          expect([beyond.status, beyond.headers['content-range']]).to.deep.equal([416, 'bytes */10000']);
          const changed = await read(origin, path, { headers: { range: 'bytes=0-1', 'if-range': '"other"' } });
          expect([changed.status, changed.body.length]).to.deep.equal([200, 10_000]);

          expect((await read(origin, path, { headers: { 'if-none-match': etag } })).status).to.equal(304);
          expect((await read(origin, path, { headers: { 'if-none-match': '"other"' } })).status).to.equal(200);
          expect((await read(origin, path, { headers: { 'if-modified-since': time } })).status).to.equal(304);
          expect((await read(origin, path, { headers: { 'if-match': '"other"' } })).status).to.equal(412);
          expect((await read(origin, path, { user: '', headers: { 'if-none-match': etag } })).status).to.equal(401);

          const head = await read(origin, path, { method: 'HEAD' });
          expect([head.status, head.body, head.headers['content-length']]).to.deep.equal([200, '', '10000']);
        });
      }

      it('sends downloads of the API with the name of the file, also in part', async () => {
        const path = '/api/v3.1/blueprints/files/archive';
        const headers = { tenant: 'default_tenant' };
        const whole = await read(origin, path, { headers });
        expect(whole.status).to.equal(200);
        expect(whole.headers['content-disposition']).to.contain('files.zip');
        const part = await read(origin, path, { headers: { ...headers, range: 'bytes=0-1' } });
        expect([part.status, part.body]).to.deep.equal([206, 'PK']);
      });
    });
  }

  it('names a file in X-Accel-Redirect to nginx only', async () => {
    const path = '/api/v3.1/file-server-proxy/deployments/default_tenant/d1/data/big.bin';
    const named = await read(fronts.service, path, { headers: { 'x-sendfile-type': 'X-Accel-Redirect' } });
    expect([named.status, named.body]).to.deep.equal([200, '']);
    expect(named.headers['x-accel-redirect']).to.equal('/resources-local/deployments/default_tenant/d1/data/big.bin');
    const refused = await read(fronts.service, path, {
      user: 'stranger',
      headers: { 'x-sendfile-type': 'X-Accel-Redirect' },
    });
    expect(refused.status).to.equal(403);
    expect(refused.headers).not.to.have.property('x-accel-redirect');
  });
});
