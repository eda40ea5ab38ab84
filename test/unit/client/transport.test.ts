import { Readable } from 'node:stream';
import { expect } from 'chai';
import { GantryApiError, ManagerUnreachableError } from '../../../src/client/errors.ts';
import { Transport } from '../../../src/client/transport.ts';
import type { StreamBody, TransportOptions } from '../../../src/client/transport.ts';
import { FakeManager } from '../../kit/fake-manager.ts';
import type { FakeAnswer, FakeHandler } from '../../kit/fake-manager.ts';

async function withTransport(
  handler: FakeHandler,
  work: (transport: Transport, manager: FakeManager) => Promise<void>,
  options: Partial<TransportOptions> = {},
): Promise<void> {
  const manager = await FakeManager.start(handler);
  const transport = new Transport({ url: manager.url, credentials: { kind: 'none' }, ...options });
  try {
    await work(transport, manager);
  } finally {
    transport.close();
    await manager.stop();
  }
}

async function thrownBy(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown');
}

describe('transport', () => {
  let opened = 0;
  const stream: StreamBody = {
    contentType: 'application/octet-stream',
    length: 9,
    open: () => {
      opened += 1;
      return Readable.from(['all of it']);
    },
  };

  it('sends credentials and tenant with every request', async () => {
    await withTransport(
      () => ({ body: {} }),
      async (transport, manager) => {
        await transport.json('GET', '/status');
        await transport.json('GET', '/status', { tenant: 'other' });
        expect(manager.seen[0]?.headers.authorization).to.equal('Basic YWRtaW46cMOkc3M=');
        expect(manager.seen[0]?.headers['tenant']).to.equal('default_tenant');
        expect(manager.seen[1]?.headers['tenant']).to.equal('other');
      },
      { credentials: { kind: 'basic', username: 'admin', password: 'päss' }, tenant: 'default_tenant' },
    );
  });

  it('sends a token in its own header', async () => {
    await withTransport(
      () => ({ body: {} }),
      async (transport, manager) => {
        await transport.json('GET', '/status');
        expect(manager.seen[0]?.headers['authentication-token']).to.equal('ctok-a-b');
      },
      { credentials: { kind: 'token', token: 'ctok-a-b' } },
    );
  });

  it('repeats list parameters and leaves out absent ones', async () => {
    await withTransport(
      () => ({ body: {} }),
      async (transport, manager) => {
        await transport.json('GET', '/executions', { query: { status: ['a', 'b'], _size: 5, _sort: undefined } });
        expect(String(manager.seen[0]?.query)).to.equal('status=a&status=b&_size=5');
      },
    );
  });

  it('turns a refusal into an error with code, status, message and details', async () => {
    await withTransport(
      () => ({
        status: 400,
        body: { error_code: 'invalid_filter_rule', message: 'no', server_traceback: null, err_reason: 'because' },
      }),
      async (transport) => {
        const error = await thrownBy(transport.json('POST', '/filters', { body: {} }));
        expect(error).to.be.instanceOf(GantryApiError);
        expect(error).to.include({ code: 'invalid_filter_rule', status: 400, message: 'no' });
        expect((error as GantryApiError).details).to.deep.equal({ err_reason: 'because' });
      },
    );
  });

  it('makes a readable message of a page that is not JSON', async () => {
    await withTransport(
      () => ({ status: 504, headers: { 'content-type': 'text/html' }, body: undefined }),
      async (transport) => {
        const error = await thrownBy(transport.json('POST', '/x', { body: {} }));
        expect(error).to.include({ code: 'http_504', message: 'POST /api/v3.1/x answered 504' });
      },
    );
  });

  it('repeats idempotent calls after a 503 and after a lost connection', async () => {
    let count = 0;
    await withTransport(
      () => {
        count += 1;
        return count === 1 ? { status: 503, body: {} } : count === 2 ? 'hang up' : { body: { fine: true } };
      },
      async (transport) => {
        expect(await transport.json('GET', '/status')).to.deep.equal({ fine: true });
        expect(count).to.equal(3);
      },
    );
  });

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    it(`sends a ${method} again with the same key when its answer was lost, and another one with a key of its own`, async () => {
      const done = new Set<unknown>();
      let count = 0;
      await withTransport(
        ({ headers }) => {
          done.add(headers['idempotency-key']);
          count += 1;
          // it is carried out each time; twice nobody hears of it
          const isNotReady = method === 'POST' && count === 2;
          return count === 1 ? 'hang up' : isNotReady ? { status: 503, body: {} } : { body: { done: true } };
        },
        async (transport) => {
          expect(await transport.json(method, '/executions', { body: {} })).to.deep.equal({ done: true });
          expect([...done])
            .to.have.length(1)
            .and.satisfy(([key]: unknown[]) => /^[0-9a-f-]{36}$/.test(String(key)));
          await transport.json(method, '/executions', { body: {} });
          expect(done.size).to.equal(2);
        },
      );
    });
  }

  it('sends no key with what changes nothing', async () => {
    await withTransport(
      () => ({ body: {} }),
      async (transport, manager) => {
        await transport.json('GET', '/status');
        await transport.json('POST', '/searches/deployments', { body: {}, isReading: true });
        expect(manager.seen.map(({ headers }) => headers['idempotency-key'])).to.deep.equal([undefined, undefined]);
      },
    );
  });

  it('sends an upload again from its start', async () => {
    await withTransport(
      () => (opened === 1 ? 'hang up' : { body: {} }),
      async (transport, manager) => {
        await transport.json('PUT', '/x', { stream });
        expect(manager.seen.map(({ body }) => body.toString())).to.deep.equal(['all of it', 'all of it']);
      },
    );
  });

  describe('when a change was carried out whose answer nobody can give again', () => {
    const lost: FakeHandler = () =>
      tries++ === 0 ? 'hang up' : { status: 409, body: { error_code: 'request_done_before', message: 'done' } };
    let tries = 0;
    beforeEach(() => (tries = 0));

    it('takes a deletion for done', async () => {
      await withTransport(lost, async (transport) => {
        expect(await transport.json('DELETE', '/x')).to.equal(undefined);
      });
    });

    it('looks where it was told to', async () => {
      await withTransport(lost, async (transport) => {
        expect(await transport.json('PUT', '/x', { whenDone: async () => 'there' })).to.equal('there');
      });
    });

    it('says so otherwise, and when it was somebody else who did it', async () => {
      await withTransport(lost, async (transport) => {
        expect(await thrownBy(transport.json('POST', '/x'))).to.include({ code: 'request_done_before' });
        // this one gets the refusal at once
        expect(await thrownBy(transport.json('DELETE', '/x'))).to.include({ code: 'request_done_before' });
      });
    });
  });

  const refusals: [string, FakeAnswer][] = [
    ['a refusal', { status: 409, body: { error_code: 'conflict_error', message: 'no' } }],
    ['maintenance mode', { status: 503, body: { error_code: 'maintenance_mode_active', message: 'later' } }],
    ['a proxy that has waited long enough', { status: 504, body: {} }],
  ];
  for (const [what, answer] of refusals) {
    it(`does not send anything again after ${what}`, async () => {
      await withTransport(
        () => answer,
        async (transport, manager) => {
          for (const method of ['GET', 'POST'] as const) {
            await thrownBy(transport.json(method, '/executions'));
          }
          expect(manager.seen).to.have.length(2);
        },
      );
    });
  }

  it('goes on longer with a manager it has heard of than with an address where nobody listens', async () => {
    await withTransport(
      () => 'hang up',
      async (transport, manager) => {
        await thrownBy(transport.json('POST', '/x'));
        expect(manager.seen).to.have.length(3);
      },
      { retries: 0, patience: 2 },
    );
  });

  it('says which address does not answer, and why', async () => {
    const manager = await FakeManager.start(() => ({}));
    const { url } = manager;
    await manager.stop();
    const transport = new Transport({ url, credentials: { kind: 'none' }, retries: 0 });
    const error = await thrownBy(transport.json('POST', '/x', { body: {} }));
    expect(error).to.be.instanceOf(ManagerUnreachableError);
    expect(error).to.include({ url, reason: 'ECONNREFUSED' });
  });

  it('gives up at once when it is told to, also between two attempts', async () => {
    for (const method of ['GET', 'POST'] as const) {
      const abort = new AbortController();
      await withTransport(
        () => {
          setImmediate(() => abort.abort());
          return 'hang up';
        },
        async (transport, manager) => {
          await thrownBy(transport.json(method, '/x', { signal: abort.signal }));
          expect(manager.seen).to.have.length(1);
        },
      );
    }
  });
});
