import { expect } from 'chai';
import { GantryApiError, ManagerUnreachableError } from '../../../src/client/errors.ts';
import { Transport } from '../../../src/client/transport.ts';
import type { TransportOptions } from '../../../src/client/transport.ts';
import { FakeManager } from '../../kit/fake-manager.ts';
import type { FakeHandler } from '../../kit/fake-manager.ts';

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

  it('does not repeat a call that may have had its effect', async () => {
    for (const answer of ['hang up', { status: 503, body: {} }] as const) {
      await withTransport(
        () => answer,
        async (transport, manager) => {
          await thrownBy(transport.json('POST', '/executions', { body: {} }));
          expect(manager.seen).to.have.length(1);
        },
      );
    }
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

  it('gives up at once when it is told to', async () => {
    const abort = new AbortController();
    await withTransport(
      () => {
        abort.abort();
        return 'hang up';
      },
      async (transport) => {
        await thrownBy(transport.json('GET', '/x', { signal: abort.signal }));
      },
    );
  });
});
