import { expect } from 'chai';
import { WriterStoppedError } from '../../../src/executor/progress-writer.ts';
import { RunWrites } from '../../../src/executor/run-writes.ts';

describe('what a run of an execution writes', () => {
  it('is over only when everything taken is stored or has failed, and nothing is taken after that', async () => {
    const writes = new RunWrites();
    const commits: ((error?: Error) => void)[] = [];
    const write = (): Promise<void> =>
      writes.add(
        () =>
          new Promise((resolve, reject) => {
            commits.push((error) => (error ? reject(error) : resolve()));
          }),
      );
    const [good, bad] = [write(), write()];
    let isOver = false;
    const closing = writes.close().then(() => (isOver = true));
    expect(await write().catch((error: unknown) => error)).to.be.instanceOf(WriterStoppedError);
    expect(commits).to.have.length(2);
    commits[0]?.();
    await good;
    expect(isOver).to.equal(false);
    commits[1]?.(new Error('refused'));
    expect(await bad.catch((error: unknown) => error)).to.include({ message: 'refused' });
    await closing;
  });
});
