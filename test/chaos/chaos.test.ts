import { expect } from 'chai';
import { runChaos } from './chaos.ts';

describe('killing processes', function () {
  this.timeout(600_000);

  it('loses, hangs and spoils no execution', async () => {
    const complaints: string[] = [];
    const result = await runChaos({ kills: 20, seed: 20, log: (line) => complaints.push(line) });
    expect(result, complaints.join('\n')).to.include({ kills: 20, lost: 0, hung: 0, wrong: 0 });
    expect(result.executions).to.be.greaterThan(3);
  });
});
