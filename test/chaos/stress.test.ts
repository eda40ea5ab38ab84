import { expect } from 'chai';
import { runStress } from './stress/stress.ts';

describe('stress', function () {
  this.timeout(300_000);

  it('leaves nothing hung, contradictory or behind when many people do everything at once', async () => {
    const lines: string[] = [];
    const result = await runStress({ seconds: 6, seed: 3, log: (line) => lines.push(line) });
    expect(result, lines.join('\n')).to.include({ hung: 0, wrong: 0 });
    expect(result.executions, lines.join('\n')).to.be.greaterThan(20);
  });
});
