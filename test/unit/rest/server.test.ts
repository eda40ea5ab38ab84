import { expect } from 'chai';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveHttp } from '../../../src/rest/server.ts';

async function ask(url: string, agent: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

describe('a REST service that is stopped', () => {
  it('answers running requests, then closes their connections', async () => {
    const held: ServerResponse[] = [];
    let arrived: () => void = () => undefined;
    const server = await serveHttp({ host: '127.0.0.1', port: 0 }, (request, response) => {
      if (request.url === '/held') {
        held.push(response);
        arrived();
      } else {
        response.end('at once');
      }
    });
    const agent = new Agent({ keepAlive: true });
    const before = await ask(`${server.url}/now`, agent);
    expect(before.headers.connection).to.equal('keep-alive');
    const waiting = new Promise<void>((resolve) => (arrived = resolve));
    const answer = ask(`${server.url}/held`, agent);
    await waiting;
    const stopped = server.stop();
    held[0]?.end('in the end');
    const { statusCode, headers } = await answer;
    expect([statusCode, headers.connection]).to.deep.equal([200, 'close']);
    await stopped;
    const refused = await ask(`${server.url}/now`, agent).catch((error: NodeJS.ErrnoException) => error.code);
    expect(refused).to.equal('ECONNREFUSED');
    agent.destroy();
  });
});
