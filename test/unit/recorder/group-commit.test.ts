import { expect } from 'chai';
import { GroupCommit } from '../../../src/recorder/group-commit.ts';

/** A commit that a test finishes by hand. */
function heldCommit() {
  const batches: { items: readonly number[]; finish: (error?: Error) => void }[] = [];
  const waiting: (() => void)[] = [];
  return {
    batches,
    begun: (count: number) =>
      new Promise<void>((resolve) => {
        const look = (): void => (batches.length >= count ? resolve() : void waiting.push(look));
        look();
      }),
    commit: (items: readonly number[]) =>
      new Promise<number[]>((resolve, reject) => {
        batches.push({
          items,
          finish: (error) => (error ? reject(error) : resolve(items.map((item) => item * 10))),
        });
        waiting.splice(0).forEach((look) => look());
      }),
  };
}

describe('group commit', () => {
  it('stores together what comes together and gives each item its result', async () => {
    const held = heldCommit();
    const group = new GroupCommit<number, number>({ maxItems: 10, commit: held.commit });
    const results = Promise.all([1, 2, 3].map((item) => group.add(item)));
    await held.begun(1);
    held.batches[0]!.finish();
    expect(await results).to.deep.equal([10, 20, 30]);
    expect(held.batches.map((batch) => batch.items)).to.deep.equal([[1, 2, 3]]);
  });

  it('collects the next batch while one is being stored', async () => {
    const held = heldCommit();
    const group = new GroupCommit<number, number>({ maxItems: 10, commit: held.commit });
    const first = group.add(1);
    await held.begun(1);
    const others = Promise.all([group.add(2), group.add(3)]);
    held.batches[0]!.finish();
    await first;
    await held.begun(2);
    held.batches[1]!.finish();
    expect(await others).to.deep.equal([20, 30]);
    expect(held.batches[1]!.items).to.deep.equal([2, 3]);
  });

  it('keeps batches within their size', async () => {
    const sizes: number[] = [];
    const group = new GroupCommit<number, number>({
      maxItems: 4,
      commit: async (items) => {
        sizes.push(items.length);
        return [...items];
      },
    });
    await Promise.all(Array.from({ length: 10 }, (_, item) => group.add(item)));
    expect(sizes).to.deep.equal([4, 4, 2]);
  });

  it('fails every item of a failed batch, and no other', async () => {
    const held = heldCommit();
    const group = new GroupCommit<number, number>({ maxItems: 1, commit: held.commit });
    const first = group.add(1).catch((error: Error) => error.message);
    const second = group.add(2);
    await held.begun(1);
    held.batches[0]!.finish(new Error('refused'));
    expect(await first).to.equal('refused');
    await held.begun(2);
    held.batches[1]!.finish();
    expect(await second).to.equal(20);
  });

  it('tells when everything is stored', async () => {
    let stored = 0;
    const group = new GroupCommit<number>({
      maxItems: 3,
      delay: 1,
      commit: async (items) => {
        stored += items.length;
        return [];
      },
    });
    await group.drained();
    const added = Promise.all(Array.from({ length: 7 }, (_, item) => group.add(item)));
    await group.drained();
    expect(stored).to.equal(7);
    await added;
  });
});
