import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { GantryClient } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/config.ts';
import { silentLogger } from '../../src/log/logger.ts';
import { createApp } from '../../src/rest/app.ts';
import { serveHttp } from '../../src/rest/server.ts';
import type { HttpServer } from '../../src/rest/server.ts';
import { CertificateFolder } from '../../src/security/certificate-folder.ts';
import { isNginxInstalled, NginxServer, renderProductNginx } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { until } from '../kit/until.ts';
import { adminPassword, RestService } from './kit.ts';

interface SecureAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  /** Serial number of the server's certificate. */
  serial: string | undefined;
  protocol: string | null;
}

describe('TLS', function () {
  this.timeout(120_000);
  let rest: RestService;
  let path: string;
  let folder: CertificateFolder;
  let ca: string;

  before(async () => {
    rest = await RestService.start({ hasEngine: false });
    path = await mkdtemp(join(tmpdir(), 'gantry-tls-'));
    folder = new CertificateFolder(path, { authority: 30, server: 10 }, () => Date.now());
    await folder.create({ external: ['127.0.0.1', 'localhost'], internal: ['127.0.0.1'] });
    ca = await readFile(join(path, 'ca.pem'), 'utf8');
  });

  after(async () => {
    await rest?.stop();
    await rm(path, { recursive: true, force: true });
  });

  async function ask(url: string, options: https.RequestOptions = {}): Promise<SecureAnswer> {
    const credentials = Buffer.from(`admin:${adminPassword}`).toString('base64');
    const client = url.startsWith('https:') ? https : http;
    const call = client.request(url, {
      ca,
      agent: false,
      ...options,
      headers: { authorization: `Basic ${credentials}`, tenant: 'default_tenant' },
    });
    call.end();
    const [response] = (await once(call, 'response')) as [http.IncomingMessage];
    const socket = response.socket as TLSSocket;
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      serial: url.startsWith('https:') ? socket.getPeerCertificate().serialNumber : undefined,
      protocol: url.startsWith('https:') ? socket.getProtocol() : null,
      text: await readText(response),
    };
  }

  function clientFor(url: string, caCertificate?: string): GantryClient {
    return new GantryClient({
      url,
      credentials: { kind: 'basic', username: 'admin', password: adminPassword },
      tenant: 'default_tenant',
      retries: 0,
      ...(caCertificate === undefined ? {} : { caCertificate }),
    });
  }

  describe('of the service itself', () => {
    let server: HttpServer;

    before(async () => {
      const config = loadConfig({
        GANTRY_PORT: '0',
        GANTRY_TLS_CERT: folder.fileOf('external', 'pem'),
        GANTRY_TLS_KEY: folder.fileOf('external', 'key'),
      });
      server = await serveHttp(config.http, createApp({ config, log: silentLogger, services: rest.services }));
    });

    after(() => server?.stop(0));

    it('is trusted by clients that know the authority, and by no others', async () => {
      expect(server.url).to.match(/^https:/);
      const client = clientFor(server.url, ca);
      expect(await client.version()).to.include({ edition: 'premium' });
      client.close();
      const stranger = clientFor(server.url);
      const outcome = await stranger.version().catch((error: Error) => error.message);
      stranger.close();
      expect(outcome).to.match(/SELF_SIGNED|UNABLE_TO/);
    });

    it('tells browsers to keep using TLS', async () => {
      const { headers } = await ask(`${server.url}/api/v3.1/version`);
      expect(headers['strict-transport-security']).to.equal('max-age=31536000; includeSubDomains');
      expect(headers['x-content-type-options']).to.equal('nosniff');
      expect(headers['x-powered-by']).to.equal(undefined);
    });

    it('refuses versions older than TLS 1.2', async () => {
      const url = `${server.url}/api/v3.1/version`;
      expect((await ask(url, { maxVersion: 'TLSv1.2' })).protocol).to.equal('TLSv1.2');
      const old = await ask(url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }).catch(
        (error: Error) => error.message,
      );
      expect(old).to.be.a('string');
    });

    it('takes a renewed certificate without a restart', async () => {
      const url = `${server.url}/api/v3.1/version`;
      const { serial } = await ask(url);
      await folder.rotate(false);
      await until('the new certificate', async () => (await ask(url)).serial !== serial);
    });
  });

  it('needs both files, which must be there', async () => {
    expect(() => loadConfig({ GANTRY_TLS_CERT: '/nowhere' })).to.throw('belong together');
    const tls = { certificateFile: join(path, 'none.pem'), keyFile: join(path, 'none.key') };
    const outcome = await serveHttp({ host: '127.0.0.1', port: 0, tls }, () => undefined).catch(
      (error: Error) => error.message,
    );
    expect(outcome).to.contain('none.').and.contain('gantry certs create');
  });

  describe('of nginx', () => {
    let nginx: NginxServer;
    let external: string;
    let internal: string;
    let plain: string;

    before(async function () {
      if (!isNginxInstalled()) {
        this.skip();
      }
      const [first, second, third] = await Promise.all([freePort(), freePort(), freePort()]);
      const file = (kind: 'pem' | 'key'): string => folder.fileOf('external', kind);
      nginx = await NginxServer.start(first, (directory) =>
        renderProductNginx(directory, {
          listen: `127.0.0.1:${first} ssl http2`,
          tls: `ssl_certificate ${file('pem')}; ssl_certificate_key ${file('key')};`,
          upstream: new URL(rest.origin).host,
          files: rest.services.files.root,
          more: { internal: `127.0.0.1:${second}`, plain: `127.0.0.1:${third}`, certificates: path },
        }),
      );
      external = `https://127.0.0.1:${first}`;
      internal = `https://127.0.0.1:${second}`;
      plain = `http://127.0.0.1:${third}`;
    });

    after(() => nginx?.stop());

    it('shows people and agents a certificate each, and serves both the same', async () => {
      const answers = await Promise.all([external, internal].map((origin) => ask(`${origin}/api/v3.1/version`)));
      expect(answers.map(({ status }) => status)).to.deep.equal([200, 200]);
      expect(new Set(answers.map(({ serial }) => serial)).size).to.equal(2);
      const types = await ask(`${internal}/resources/cloudify/types/types.yaml`);
      expect(types.text).to.contain('cloudify.nodes.Root');
    });

    it('is known to the service, which tells browsers to keep using TLS', async () => {
      const { headers } = await ask(`${external}/api/v3.1/version`);
      expect(headers['strict-transport-security']).to.equal('max-age=31536000; includeSubDomains');
      expect(headers['server']).to.equal('nginx');
    });

    it('refuses credentials sent without TLS, and redirects browsers', async () => {
      const api = await ask(`${plain}/api/v3.1/version`);
      expect(api.status).to.equal(400);
      expect(JSON.parse(api.text)).to.include({ error_code: 'SSL_REQUIRED' });
      const page = await ask(`${plain}/console`);
      expect([page.status, page.headers.location]).to.deep.equal([308, 'https://127.0.0.1/console']);
    });

    it('refuses versions older than TLS 1.2', async () => {
      const old = await ask(`${external}/api/v3.1/version`, {
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1',
        ciphers: 'DEFAULT@SECLEVEL=0',
      }).catch((error: Error) => error.message);
      expect(old).to.be.a('string');
    });
  });
});
