import { expect } from 'chai';
import type { Channel } from 'amqplib';
import { connectBroker } from '../../src/amqp/connection.ts';
import type { BrokerConnection } from '../../src/amqp/connection.ts';
import { BrokerManagement } from '../../src/amqp/management.ts';
import { noTlsFiles } from '../../src/amqp/tls-files.ts';
import type { BrokerTlsFiles } from '../../src/amqp/tls-files.ts';
import type { Logger } from '../../src/log/logger.ts';
import { makeCertificates } from '../kit/certificates.ts';
import type { TestCertificates } from '../kit/certificates.ts';
import type { CertificateFiles } from '../kit/postgres-server.ts';
import { RabbitmqServer } from '../kit/rabbitmq.ts';
import { TcpProxy } from '../kit/tcp-proxy.ts';

interface Line {
  level: string;
  message: string;
  reason: string;
}

function tlsOf({ authority, certificate, key }: CertificateFiles): BrokerTlsFiles {
  return { caFile: authority, certificateFile: certificate, keyFile: key };
}

describe('RabbitMQ over TLS', function () {
  this.timeout(60_000);
  let certificates: TestCertificates;
  let server: RabbitmqServer;
  const open: BrokerConnection[] = [];

  before(async () => {
    certificates = await makeCertificates();
    server = await RabbitmqServer.start(certificates.files);
  });

  afterEach(() => Promise.all(open.splice(0).map((connection) => connection.close())));

  after(async () => {
    await server?.stop();
    await certificates?.remove();
  });

  function urlOn(port: number, host = '127.0.0.1'): string {
    return `amqps://guest:guest@${host}:${port}`;
  }

  function connectWith(url: string, tls: BrokerTlsFiles, write: (line: Line) => void = () => undefined) {
    const tell =
      (level: string) =>
      (message: string, fields: { reason?: string } = {}) =>
        write({ level, message, reason: fields.reason ?? '' });
    const log = { error: tell('error'), warn: tell('warn'), info: tell('info'), debug: tell('debug') };
    const connection = connectBroker({
      url,
      tls,
      name: 'test',
      log: { ...log, child: () => log } as unknown as Logger,
    });
    open.push(connection);
    return connection;
  }

  /** What a connection tells of why there is none. */
  async function refusalOf(url: string, tls: BrokerTlsFiles): Promise<Line> {
    return new Promise((resolve) => connectWith(url, tls, resolve));
  }

  it('is spoken with a broker whose authority is known, in every vhost', async () => {
    const connection = connectWith(urlOn(server.tlsPort), tlsOf(certificates.files));
    await connection.whenConnected();
    await server.manage('PUT', '/api/vhosts/other');
    const answer = await connection
      .forVhost('other')
      .withChannel((channel: Channel) => channel.assertQueue('found', { exclusive: true }));
    expect(answer.queue).to.equal('found');
    const connections = (await server.manage('GET', '/api/connections')) as {
      ssl: boolean;
      peer_cert_subject: string;
    }[];
    expect(connections.map(({ ssl }) => ssl)).to.satisfy((values: boolean[]) => values.every(Boolean));
  });

  it('is refused by a program that does not know the authority', async () => {
    for (const tls of [{ ...tlsOf(certificates.files), caFile: certificates.strange.authority }, noTlsFiles]) {
      const { level, reason } = await refusalOf(urlOn(server.tlsPort), tls);
      expect(level).to.equal('error');
      expect(reason).to.contain(`The certificate of 127.0.0.1:${server.tlsPort} is signed by no authority`);
      expect(reason).to.contain('Name the file of its authority in GANTRY_AMQP_CA_FILE');
    }
  });

  it('is refused by a program that asked for another host', async () => {
    const { reason } = await refusalOf(urlOn(server.tlsPort, 'localhost'), tlsOf(certificates.files));
    expect(reason).to.contain('was made for other hosts (IP Address:127.0.0.1). Use one of them in AMQP_URL');
  });

  it('shows a certificate to a broker that wants one', async () => {
    const { caFile } = tlsOf(certificates.files);
    const { strange } = certificates;
    for (const tls of [
      { ...noTlsFiles, caFile },
      { caFile, certificateFile: strange.certificate, keyFile: strange.key },
    ]) {
      const { reason } = await refusalOf(urlOn(server.tlsPort), tls);
      expect(reason).to.match(/wants a certificate of ours .*GANTRY_AMQP_CERT_FILE and GANTRY_AMQP_KEY_FILE/);
    }
  });

  it('says so when the port has no TLS', async () => {
    const { reason } = await refusalOf(urlOn(server.port), tlsOf(certificates.files));
    expect(reason).to.contain('does not speak TLS. Turn TLS on there, use the port that has it');
  });

  it('reports what to correct also when the broker was down at first', async () => {
    const proxy = await TcpProxy.start(server.tlsPort);
    proxy.become('refuse');
    const lines: Line[] = [];
    await new Promise<void>((resolve) => {
      connectWith(urlOn(proxy.port), { ...noTlsFiles, caFile: certificates.strange.authority }, (line) => {
        lines.push(line);
        proxy.become('pass');
        if (lines.length === 2) {
          resolve();
        }
      });
    });
    await proxy.stop();
    expect(lines.map(({ level }) => level)).to.deep.equal(['warn', 'error']);
    expect(lines[1]?.reason).to.contain('signed by no authority');
  });

  for (const [what, tls, message] of [
    ['an authority that is not there', { caFile: '/nowhere/ca.pem' }, 'GANTRY_AMQP_CA_FILE names /nowhere/ca.pem'],
    ['an authority that is none', { caFile: import.meta.filename }, 'which holds no certificate'],
    ['a certificate that is none', { certificateFile: import.meta.filename }, 'cannot be used'],
  ] as const) {
    it(`is not begun with ${what}`, () => {
      expect(() => connectWith(urlOn(server.tlsPort), { ...noTlsFiles, ...tls })).to.throw(message);
    });
  }

  describe('of the management API', () => {
    const manage = (authority: string | undefined, host = '127.0.0.1'): Promise<string> =>
      new BrokerManagement({
        url: `https://guest:guest@${host}:${server.tlsManagementPort}`,
        tls: { ...noTlsFiles, caFile: authority },
      })
        .putVhost('made-over-tls')
        .then(
          () => 'done',
          (error: Error) => error.message,
        );

    it('is checked in the same way', async () => {
      const { files, strange } = certificates;
      expect(await manage(files.authority)).to.equal('done');
      expect(await manage(strange.authority)).to.contain('Name the file of its authority in GANTRY_AMQP_CA_FILE');
      expect(await manage(undefined)).to.contain('signed by no authority');
      expect(await manage(files.authority, 'localhost')).to.contain('Use one of them in GANTRY_AMQP_MANAGEMENT_URL');
    });
  });
});
