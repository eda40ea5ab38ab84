import { expect } from 'chai';
import { runChaos } from './chaos.ts';
import type { ChaosResult } from './chaos.ts';
import { runEmbeddedChaos } from './embedded.ts';
import { planFaults, servers } from './faults.ts';

const clean = { lost: 0, hung: 0, wrong: 0 };

describe('chaos', function () {
  this.timeout(600_000);

  const expectClean = (result: ChaosResult, kills: number, lines: readonly string[]): void => {
    expect(result, lines.join('\n')).to.include({ kills, ...clean });
    expect(result.executions).to.be.greaterThan(3);
  };

  it('is planned by its seed', () => {
    const targets = { processes: ['executor-1', 'broker-2', 'rest-3'], servers };
    const plan = (seed: number): unknown => planFaults({ seed, kills: 50, targets, others: 30 });
    expect(plan(7)).to.deep.equal(plan(7));
    expect(plan(7)).to.not.deep.equal(plan(8));
  });

  it('loses, hangs and spoils no execution when processes, servers and networks fail', async () => {
    const lines: string[] = [];
    const result = await runChaos({ kills: 8, seed: 4, others: 30, deployments: 1, log: (line) => lines.push(line) });
    expectClean(result, 8, lines);
  });

  it('loses, hangs and spoils no execution when a manager of one process is killed', async () => {
    const lines: string[] = [];
    const result = await runEmbeddedChaos({ kills: 3, seed: 2, log: (line) => lines.push(line) });
    expectClean(result, 3, lines);
  });
});
