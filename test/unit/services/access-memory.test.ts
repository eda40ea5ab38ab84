import { expect } from 'chai';
import { createAccessMemory } from '../../../src/services/access-memory.ts';

describe('the cache of access data', () => {
  let version: number;
  let readings: { resolve: () => void; reject: (error: Error) => void }[];
  const heldMemory = (): ReturnType<typeof createAccessMemory> =>
    createAccessMemory(async () => {
      const read = version;
      await new Promise<void>((resolve, reject) => readings.push({ resolve, reject }));
      return read;
    });

  beforeEach(() => {
    version = 1;
    readings = [];
  });

  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('asks once while the version stays, and again when it has changed', async () => {
    const memory = createAccessMemory(async () => version);
    let loads = 0;
    const load = async (): Promise<string> => `load ${(loads += 1)}`;
    const ask = async (): Promise<unknown> => (await memory.current()).remember('key', load);
    expect([await ask(), await ask()]).to.deep.equal(['load 1', 'load 1']);
    version = 2;
    expect([await ask(), await ask()]).to.deep.equal(['load 2', 'load 2']);
  });

  it('remembers neither what is not there nor what failed', async () => {
    const memory = createAccessMemory(async () => version);
    const known = await memory.current();
    expect(await known.remember('key', async () => undefined)).to.equal(undefined);
    const failure = await known.remember('key', () => Promise.reject(new Error('away'))).catch(String);
    expect(failure).to.equal('Error: away');
    expect(await known.remember('key', async () => 'here')).to.equal('here');
  });

  it('never returns a version that was read before the call', async () => {
    const memory = heldMemory();
    const early = memory.current();
    await settled();
    // committed while the version is being read
    version = 2;
    const late = [memory.current(), memory.current()];
    readings[0]?.resolve();
    const before = await early;
    await settled();
    expect(readings).to.have.length(2);
    readings[1]?.resolve();
    const [first, second] = await Promise.all(late);
    expect(first).to.equal(second);
    expect(first).not.to.equal(before);
  });

  it('keeps what was loaded for an older version out of the new one', async () => {
    const memory = createAccessMemory(async () => version);
    const old = await memory.current();
    let finish: (value: string) => void = () => undefined;
    const loading = old.remember('key', () => new Promise<string>((resolve) => (finish = resolve)));
    version = 2;
    const known = await memory.current();
    finish('old');
    expect(await loading).to.equal('old');
    expect(await known.remember('key', async () => 'new')).to.equal('new');
  });

  it('tries again after a version that could not be read', async () => {
    const memory = heldMemory();
    const failing = memory.current().catch(String);
    const waiting = memory.current();
    await settled();
    readings[0]?.reject(new Error('away'));
    expect(await failing).to.equal('Error: away');
    await settled();
    readings[1]?.resolve();
    expect(await waiting).to.have.property('remember');
  });
});
