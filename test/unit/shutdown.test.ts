import { expect } from 'chai';
import { silentLogger } from '../../src/log/logger.ts';
import { Shutdown } from '../../src/shutdown.ts';

describe('shutdown', () => {
  it('stops components in the reverse order of their start, once', async () => {
    const ended: string[] = [];
    const shutdown = new Shutdown(silentLogger);
    shutdown.add('first', async () => ended.push('first'));
    shutdown.add('second', async () => ended.push('second'));
    await Promise.all([shutdown.run(), shutdown.run()]);
    expect(ended).to.deep.equal(['second', 'first']);
  });

  it('continues after a component that fails, and one that never stops', async () => {
    const ended: string[] = [];
    const shutdown = new Shutdown(silentLogger, 5);
    shutdown.add('first', async () => ended.push('first'));
    shutdown.add('stuck', () => new Promise(() => undefined));
    shutdown.add('broken', () => Promise.reject(new Error('broken')));
    await shutdown.run();
    expect(ended).to.deep.equal(['first']);
  });
});
