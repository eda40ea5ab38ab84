import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { fetchRemoteText, isPublicAddress } from '../../../src/files/remote.ts';

const limits = { maxBytes: 1000, timeout: 2000 };

describe('fetching from other hosts', () => {
  let server: Server | undefined;

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
  });

  async function refusal(url: string, allowedHosts: readonly string[]): Promise<string> {
    let message = '';
    await fetchRemoteText(url, { allowedHosts }, limits).catch(
      (error: unknown) => (message = (error as Error).message),
    );
    return message;
  }

  const privateAddresses = [
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'not an address',
  ];
  for (const address of privateAddresses) {
    it(`does not take ${address} for a public address`, () => {
      expect(isPublicAddress(address)).to.equal(false);
    });
  }

  for (const address of ['93.184.216.34', '8.8.8.8', '2606:2800:220:1:248:1893:25c8:1946']) {
    it(`takes ${address} for a public address`, () => {
      expect(isPublicAddress(address)).to.equal(true);
    });
  }

  it('reads from a host that is named in the list, with or without port', async () => {
    const host = await serve((_request, response) => response.end('types'));
    expect(await fetchRemoteText(`http://${host}/x`, { allowedHosts: ['127.0.0.1'] }, limits)).to.equal('types');
    expect(await fetchRemoteText(`http://${host}/x`, { allowedHosts: [host] }, limits)).to.equal('types');
  });

  it('refuses hosts that are not in the list and says what to do', async () => {
    const host = await serve((_request, response) => response.end('types'));
    expect(await refusal(`http://${host}/x`, [])).to.match(/GANTRY_IMPORT_HOSTS/);
    expect(await refusal(`http://${host}/x`, ['example.com', '*.example.com'])).to.match(/not allowed/);
  });

  it('refuses private addresses when any host is allowed', async () => {
    const host = await serve((_request, response) => response.end('types'));
    expect(await refusal(`http://${host}/x`, ['*'])).to.match(/private address/);
    expect(await refusal(`http://localhost:${host.split(':')[1] ?? ''}/x`, ['*'])).to.match(/private address/);
    expect(await refusal('http://[::1]:9/x', ['*'])).to.match(/private address/);
    expect(await refusal('http://2130706433/x', ['*'])).to.match(/private address/);
  });

  it('checks every redirect again', async () => {
    const host = await serve((_request, response) => {
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    });
    expect(await refusal(`http://${host}/x`, [host, '*'])).to.match(/private address/);
    expect(await refusal(`http://${host}/x`, [host])).to.match(/not allowed/);
  });

  it('gives up on a circle of redirects', async () => {
    const host = await serve((_request, response) => response.writeHead(302, { location: '/again' }).end());
    expect(await refusal(`http://${host}/x`, [host])).to.match(/redirects more than/);
  });

  it('stops reading an answer that is too large', async () => {
    const host = await serve((_request, response) => response.end('x'.repeat(5000)));
    expect(await refusal(`http://${host}/x`, [host])).to.match(/larger than 1000 bytes/);
  });

  it('reports other answers by their status', async () => {
    const host = await serve((_request, response) => response.writeHead(404).end());
    expect(await refusal(`http://${host}/x`, [host])).to.match(/status code: 404/);
  });

  for (const url of [
    'file:///etc/passwd',
    'ftp://127.0.0.1/x',
    'gopher://x',
    'http://user:secret@127.0.0.1/',
    'no url',
  ]) {
    it(`refuses ${url}`, async () => {
      expect(await refusal(url, ['*', '127.0.0.1'])).to.match(/Cannot fetch|Not a URL/);
    });
  }
});
