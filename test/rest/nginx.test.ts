import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { isNginxInstalled, NginxServer, renderProductNginx } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { addDeployment } from '../db/samples.ts';
import { StreamReader } from '../kit/stream-reader.ts';
import { adminPassword, RestService } from './kit.ts';

describe('the product behind its nginx.conf', function () {
  this.timeout(60_000);
  let rest: RestService;
  let nginx: NginxServer;
  let origin: string;

  before(async function () {
    if (!isNginxInstalled()) {
      this.skip();
    }
    rest = await RestService.start({ hasEngine: false });
    const port = await freePort();
    nginx = await NginxServer.start(port, (directory) =>
      renderProductNginx(directory, {
        listen: `127.0.0.1:${port}`,
        upstream: new URL(rest.origin).host,
        files: rest.services.files.root,
      }),
    );
    origin = `http://127.0.0.1:${port}`;
  });

  after(async () => {
    await nginx?.stop();
    await rest?.stop();
  });

  function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const credentials = Buffer.from(`admin:${adminPassword}`).toString('base64');
    return fetch(origin + path, {
      ...init,
      headers: { authorization: `Basic ${credentials}`, tenant: 'default_tenant', ...init.headers },
    });
  }

  it('passes the API on without the audit headers', async () => {
    const response = await ask('/api/v3.1/version');
    expect(response.status).to.equal(200);
    expect(await response.json()).to.include({ edition: 'premium' });
    expect(response.headers.get('x-cloudify-audit-username')).to.equal(null);
    expect(response.headers.get('server')).to.equal('nginx');
  });

  it('answers 401 of the service as they are', async () => {
    const response = await fetch(`${origin}/api/v3.1/blueprints`);
    expect(response.status).to.equal(401);
    expect(await response.json()).to.include({ error_code: 'unauthorized_error' });
  });

  it('serves files to those who may read them, as nothing a browser would run', async () => {
    const directory = rest.services.files.deploymentDirectory('default_tenant', 'd1');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'page.html'), '<script></script>');
    const response = await ask('/resources/deployments/default_tenant/d1/page.html');
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.equal('text/plain');
    expect(response.headers.get('x-content-type-options')).to.contain('nosniff');
    expect(await response.text()).to.equal('<script></script>');
    expect((await fetch(`${origin}/resources/deployments/default_tenant/d1/page.html`)).status).to.equal(401);
  });

  it('does not let clients forge their address to guess more passwords', async () => {
    const statuses: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const guess = Buffer.from(`guesser:password ${round}`).toString('base64');
      const headers = {
        authorization: `Basic ${guess}`,
        'x-forwarded-for': `10.0.0.${round}`,
        'x-real-ip': '10.9.9.9',
      };
      statuses.push((await ask('/api/v3.1/version', { headers })).status);
    }
    expect(statuses.slice(-2)).to.deep.equal([429, 429]);
  });

  it('gives types, lists and archives of directories from the service', async () => {
    const types = await ask('/resources/cloudify/types/types.yaml');
    expect(types.status).to.equal(200);
    expect(await types.text()).to.contain('cloudify.nodes.Root');
    const list = await ask('/resources/deployments/default_tenant/d1/');
    expect(list.status).to.equal(200);
    expect(Object.keys((await list.json()) as object)).to.deep.equal(['page.html']);
    const archive = await ask('/resources/deployments/default_tenant/d1/?archive=true');
    expect(archive.status).to.equal(200);
    expect((await archive.arrayBuffer()).byteLength).to.be.greaterThan(20);
    expect((await ask('/resources/plugins/nothing')).status).to.equal(404);
  });

  const hostile = [
    '/resources/plugins/..%2f..%2fsecret.key',
    '/resources/deployments/default_tenant/%2e%2e/%2e%2e/%2e%2e/secret.key',
    '/resources/.incoming/x',
    '/resources-local/deployments/default_tenant/d1/page.html',
    '/resources-auth',
  ];
  for (const path of hostile) {
    it(`does not serve ${path}`, async () => {
      const response = await ask(path);
      expect(response.status).to.be.oneOf([403, 404]);
    });
  }

  it('passes live streams on as they come', async () => {
    const reader = await StreamReader.open(`${origin}/api/v3.1/stream?topics=deployments,events`, {
      authorization: `Basic ${Buffer.from(`admin:${adminPassword}`).toString('base64')}`,
      tenant: 'default_tenant',
    });
    const deployment = await addDeployment(rest.database);
    await reader.until(({ event, body }) => event === 'deployment' && body['id'] === deployment.id);
    reader.close();
  });
});
