import { expect } from 'chai';
import fc from 'fast-check';
import { growthOf, median, percentile, summarizeLatencies } from '../../bench/statistics.ts';

describe('the statistics of benchmarks', () => {
  const cases: [readonly number[], number, number][] = [
    [[], 0.5, 0],
    [[7], 0, 7],
    [[7], 1, 7],
    [[1, 2, 3, 4], 0.5, 2],
    [[1, 2, 3, 4], 0.51, 3],
    [[1, 2, 3, 4], 1, 4],
    [Array.from({ length: 100 }, (_, index) => index + 1), 0.99, 99],
    [Array.from({ length: 1000 }, (_, index) => index + 1), 0.999, 999],
  ];
  for (const [values, share, expected] of cases) {
    it(`takes ${expected} for ${share} of ${values.length} values`, () => {
      expect(percentile(values, share)).to.equal(expected);
    });
  }

  it('takes a value that enough others do not exceed, and no smaller one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = values.toSorted((left, right) => left - right);
          const found = percentile(sorted, share);
          const upTo = (limit: number): number => sorted.filter((value) => value <= limit).length / sorted.length;
          expect(sorted).to.include(found);
          expect(upTo(found)).to.be.at.least(share - 1e-9);
          const smaller = sorted.filter((value) => value < found).at(-1);
          expect(smaller === undefined ? 0 : upTo(smaller)).to.be.below(share + 1e-9);
        },
      ),
    );
  });

  it('counts answers per second of the measured time, whatever their order', () => {
    const summary = summarizeLatencies([30, 10, 20, 40], 2);
    expect(summary).to.deep.equal({ count: 4, perSecond: 2, p50: 20, p99: 40 });
  });

  it('takes the middle value', () => {
    expect([median([]), median([3]), median([3, 1, 2]), median([4, 1, 3, 2])]).to.deep.equal([0, 3, 2, 3]);
  });

  it('tells how a measure has grown from its first to its last quarter', () => {
    expect(growthOf([100, 100, 100, 900, 100, 100, 100, 100])).to.equal(1);
    expect(growthOf([100, 100, 150, 150, 150, 150, 200, 200])).to.equal(2);
    expect(growthOf([100, 200])).to.equal(1);
    expect(growthOf([0, 0, 0, 5])).to.equal(1);
  });
});
