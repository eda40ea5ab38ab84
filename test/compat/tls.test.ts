import { join } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/config/package-root.ts';
import { roleNames } from '../../src/config/config.ts';
import { makeCertificates } from '../kit/certificates.ts';
import type { TestCertificates } from '../kit/certificates.ts';
import { Cfy, clientEnvironment } from '../kit/cfy.ts';
import { ManagerCluster } from '../kit/manager.ts';
import { isNginxInstalled, NginxServer, renderProductNginx } from '../kit/nginx.ts';
import { freePort } from '../kit/ports.ts';
import { PostgresServer } from '../kit/postgres-server.ts';
import { runProgram } from '../kit/program.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';

describe('an installation with TLS everywhere', function () {
  this.timeout(300_000);
  let certificates: TestCertificates;
  let postgres: PostgresServer;
  let rabbitmq: RabbitmqServer;
  let manager: ManagerCluster;
  let nginx: NginxServer;
  let ports: { external: number; internal: number; plain: number };
  let cfy: Cfy;

  before(async function () {
    if (!isNginxInstalled()) {
      this.skip();
    }
    certificates = await makeCertificates();
    const { files, folder } = certificates;
    [postgres, rabbitmq, cfy] = await Promise.all([
      PostgresServer.start(files),
      RabbitmqServer.start(files),
      Cfy.make(),
    ]);
    const [external, internal, plain] = await Promise.all([freePort(), freePort(), freePort()]);
    ports = { external, internal, plain };
    const database = new URL(await postgres.createDatabase());
    database.search = String(new URLSearchParams({ sslmode: 'verify-full', sslrootcert: files.authority }));
    manager = await ManagerCluster.start({
      databaseUrl: database.href,
      amqpUrl: `amqps://guest:guest@127.0.0.1:${rabbitmq.tlsPort}`,
      amqpManagementUrl: `https://guest:guest@127.0.0.1:${rabbitmq.tlsManagementPort}`,
      processes: [roleNames],
      environment: {
        GANTRY_AMQP_CA_FILE: files.authority,
        GANTRY_AMQP_CERT_FILE: files.certificate,
        GANTRY_AMQP_KEY_FILE: files.key,
        GANTRY_PUBLIC_URL: `https://127.0.0.1:${internal}`,
      },
    });
    nginx = await NginxServer.start(external, (directory) =>
      renderProductNginx(directory, {
        listen: `127.0.0.1:${external} ssl http2`,
        tls: `ssl_certificate ${folder.fileOf('external', 'pem')}; ssl_certificate_key ${folder.fileOf('external', 'key')};`,
        upstream: new URL(manager.url).host,
        files: join(manager.folder, 'files'),
        more: { internal: `127.0.0.1:${internal}`, plain: `127.0.0.1:${plain}`, certificates: folder.path },
      }),
    );
  });

  after(async () => {
    await nginx?.stop();
    await cfy?.dispose();
    await manager?.stop();
    await Promise.all([rabbitmq?.stop(), postgres?.stop()]);
    await certificates?.remove();
  });

  function useProfile(authority: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const credentials = ['-u', 'admin', '-p', manager.password, '-t', 'default_tenant'];
    const port = String(ports.external);
    return cfy.run('profiles', 'use', '127.0.0.1', '--rest-port', port, '--ssl', '-c', authority, ...credentials);
  }

  it('is not trusted by cfy with another authority', async () => {
    const { code, stdout, stderr } = await useProfile(certificates.strange.authority);
    expect(code).to.not.equal(0);
    expect(stdout + stderr).to.match(/certificate|SSL/i);
  });

  it('installs a blueprint with the unmodified cfy', async () => {
    const { code, stdout, stderr } = await useProfile(certificates.files.authority);
    expect(code, stdout + stderr).to.equal(0);
    const blueprint = join(packageRoot(), 'test', 'fixtures', 'compat', 'blueprint.yaml');
    const output = await cfy.must('install', blueprint, '-b', 'secure', '-d', 'secure');
    expect(output).to.contain("'install' workflow execution succeeded");
    expect(await cfy.must('deployments', 'outputs', 'secure')).to.contain('hello');
  });

  it('gives every tenant its vhost', async () => {
    await cfy.must('tenants', 'create', 'secure');
    const vhosts = (await rabbitmq.manage('GET', '/api/vhosts')) as { name: string }[];
    expect(vhosts.map(({ name }) => name)).to.include('rabbitmq_vhost_secure');
  });

  it('talks to its servers over TLS only', async () => {
    const connections = (await rabbitmq.manage('GET', '/api/connections')) as { ssl?: boolean; name: string }[];
    expect(connections.filter(({ ssl }) => ssl !== true)).to.deep.equal([]);
  });

  it('is trusted by Python clients that know the authority, and by no others', async () => {
    const python = join(await clientEnvironment(), 'python');
    const { files, strange } = certificates;
    const { stdout, stderr, code } = await runProgram(python, [
      '-W',
      'ignore',
      join(packageRoot(), 'test', 'compat', 'tls_client.py'),
      ...[ports.external, ports.internal, ports.plain].map(String),
      manager.password,
      files.authority,
      strange.authority,
    ]);
    expect(code, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal({
      'known authority': 'premium',
      'port of agents': 'premium',
      'unknown authority': 'SSLError',
      'no authority': 'SSLError',
      'other host': 'SSLError',
      'whatever comes': 'premium',
      'without TLS': 'CloudifyClientError SSL_REQUIRED',
    });
  });
});
