import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import express from 'express';
import { Metrics } from '../../../src/metrics/metrics.ts';
import { measureRequests, probeListener } from '../../../src/rest/probes.ts';

async function serve(listener: Parameters<typeof createServer>[1]): Promise<{ url: string; close: () => void }> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The value of a line with this name and these labels, beside that of the process. */
function valueOf(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const wanted = Object.entries({ ...labels, instance_name: 'one' }).map(([key, value]) => `${key}="${value}"`);
  for (const [, found, list = '', value] of text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)) {
    if (found === name && list.split(',').sort().join() === wanted.sort().join()) {
      return Number(value);
    }
  }
  return undefined;
}

describe('probes', () => {
  const isReady = { database: true, broker: true };
  const metrics = new Metrics({ instance_name: 'one' });
  let probes: { url: string; close: () => void };

  before(async () => {
    const checks = [
      { name: 'database', isReady: async () => isReady.database },
      {
        name: 'broker',
        isReady: () => {
          if (!isReady.broker) {
            throw new Error('gone');
          }
          return true;
        },
      },
    ];
    probes = await serve(probeListener({ metrics, checks }));
  });
  after(() => probes.close());

  const ask = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(probes.url + path, { method });
    return [response.status, await response.text()];
  };

  it('say that the process runs, whatever else is away', async () => {
    isReady.database = false;
    expect(await ask('/healthz')).to.deep.equal([200, '{"status":"alive"}\n']);
  });

  for (const [database, broker, status] of [
    [true, true, 200],
    [false, true, 503],
    [true, false, 503],
  ] as const) {
    it(`say ${status} when database and broker are ${database} and ${broker}`, async () => {
      Object.assign(isReady, { database, broker });
      const [code, text] = await ask('/readyz');
      expect(code).to.equal(status);
      expect(JSON.parse(text)).to.deep.include({ checks: { database, broker } });
    });
  }

  it('tell nothing else', async () => {
    expect((await ask('/'))[0]).to.equal(404);
    expect((await ask('/metrics', 'POST'))[0]).to.equal(405);
  });

  it('tell what was measured, with the name of the process', async () => {
    metrics.observeOperation('failed', 2);
    metrics.observeExecution('install', 'succeeded', 3);
    metrics.add({ name: 'gantry_test_one', help: 'One', read: () => 7 });
    metrics.add({ name: 'gantry_test_many', help: 'Many', label: 'kind', read: async () => ({ a: 1, b: 2 }) });
    const [status, text] = await ask('/metrics');
    expect(status).to.equal(200);
    expect(valueOf(text, 'gantry_operation_duration_seconds_count', { outcome: 'failed' })).to.equal(1);
    const labels = { workflow: 'install', outcome: 'succeeded' };
    expect(valueOf(text, 'gantry_execution_duration_seconds_sum', labels)).to.equal(3);
    expect(valueOf(text, 'gantry_test_one')).to.equal(7);
    expect(valueOf(text, 'gantry_test_many', { kind: 'b' })).to.equal(2);
    expect(text).to.include('nodejs_eventloop_lag_seconds');
  });

  it('leave out a number that cannot be read, and count that', async () => {
    metrics.add({
      name: 'gantry_test_broken',
      help: 'Broken',
      read: () => {
        throw new Error('no');
      },
    });
    await ask('/metrics');
    const [status, text] = await ask('/metrics');
    expect(status).to.equal(200);
    expect(valueOf(text, 'gantry_metrics_failed_total', { metric: 'gantry_test_broken' })).to.be.greaterThan(0);
    expect(valueOf(text, 'gantry_test_one')).to.equal(7);
  });

  it('measure requests by route, never by path', async () => {
    const app = express();
    measureRequests(app, metrics);
    app.get('/things/:id', (_request, response) => {
      response.status(201).end();
    });
    const served = await serve((request, response) => {
      app(request, response);
    });
    await fetch(`${served.url}/things/4711`);
    await fetch(`${served.url}/elsewhere/4712`);
    served.close();
    const [, text] = await ask('/metrics');
    const name = 'gantry_http_request_duration_seconds_count';
    expect(valueOf(text, name, { method: 'GET', route: '/things/:id', status: '201' })).to.equal(1);
    expect(valueOf(text, name, { method: 'GET', route: 'none', status: '404' })).to.equal(1);
    expect(text).to.not.match(/471[12]/);
  });
});
