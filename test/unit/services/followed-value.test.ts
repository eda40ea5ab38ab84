import { expect } from 'chai';
import { silentLogger } from '../../../src/log/logger.ts';
import { followValue } from '../../../src/services/followed-value.ts';
import type { FollowedValue } from '../../../src/services/followed-value.ts';

interface Reading {
  resolve: (value: string) => void;
  reject: (error: Error) => void;
}

describe('a value that follows the database', () => {
  let readings: Reading[];
  let notify: () => void;
  let followed: FollowedValue<string>;

  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  beforeEach(async () => {
    readings = [];
    const starting = followValue<string>({
      database: {
        listen: async (_channel, handler) => {
          notify = () => handler('changed');
          return async () => undefined;
        },
      },
      channel: 'changes',
      read: () => new Promise((resolve, reject) => readings.push({ resolve, reject })),
      log: silentLogger,
      what: 'test',
    });
    await settled();
    readings[0]?.resolve('first');
    followed = await starting;
  });
  afterEach(() => followed.stop());

  it('is read again after the last of several notifications, one reading at a time', async () => {
    expect(followed.current).to.equal('first');
    notify();
    notify();
    expect(readings).to.have.length(2);
    readings[1]?.resolve('second');
    await settled();
    expect(readings).to.have.length(3);
    readings[2]?.resolve('third');
    await settled();
    expect(followed.current).to.equal('third');
  });

  it('is reloaded by a reading that began after the call', async () => {
    notify();
    let isReloaded = false;
    const reloading = followed.reload().then(() => (isReloaded = true));
    readings[1]?.resolve('before');
    await settled();
    expect(isReloaded).to.equal(false);
    readings[2]?.resolve('after');
    await reloading;
    expect(followed.current).to.equal('after');
  });

  it('keeps its last value when a reading fails, and can be stopped before it is repeated', async () => {
    notify();
    readings[1]?.reject(new Error('away'));
    await settled();
    expect(followed.current).to.equal('first');
    await followed.stop();
    expect(readings).to.have.length(2);
  });
});
