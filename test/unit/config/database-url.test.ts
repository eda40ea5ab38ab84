import { expect } from 'chai';
import { databaseServers } from '../../../src/config/database-url.ts';
import { DatabaseServers } from '../../../src/store/primary.ts';

describe('the servers of a database URL', () => {
  for (const [url, servers] of [
    ['postgres://u:p@one/x?a=1,2', ['postgres://u:p@one/x?a=1,2']],
    ['postgres://u:p,q@one/x', ['postgres://u:p,q@one/x']],
    [
      'postgres://u@one:1,two:2/x?sslmode=require',
      ['postgres://u@one:1/x?sslmode=require', 'postgres://u@two:2/x?sslmode=require'],
    ],
    ['postgresql://one,[::1]:5433', ['postgresql://one', 'postgresql://[::1]:5433']],
    ['embedded', ['embedded']],
  ] as const) {
    it(`are ${servers.join(' and ')} for ${url}`, () => {
      expect(databaseServers(url)).to.deep.equal(servers);
    });
  }

  it('are tried in turn, and left once however many connections fail at the same time', () => {
    const servers = new DatabaseServers('postgres://one,two,three/x');
    const first = servers.current;
    servers.leave(first);
    servers.leave(first);
    expect(servers.current).to.equal('postgres://two/x');
    servers.leave(servers.current);
    servers.leave(servers.current);
    expect(servers.current).to.equal(first);
  });
});
