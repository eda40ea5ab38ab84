import { expect } from 'chai';
import { silentLogger } from '../../../src/log/logger.ts';
import { Job } from '../../../src/scheduler/job.ts';

describe('scheduled job', () => {
  it('runs once more for everything asked while it runs', async () => {
    let runs = 0;
    let finish: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const done = new Promise<void>((resolve) => {
      const job = new Job({
        name: 'test',
        log: silentLogger,
        work: async () => {
          runs += 1;
          begun();
          if (runs === 1) {
            await new Promise<void>((go) => {
              finish = go;
            });
          } else {
            resolve();
          }
          return undefined;
        },
      });
      job.ask();
      void started.then(() => {
        job.ask();
        job.ask();
        finish();
      });
    });
    await done;
    expect(runs).to.equal(2);
  });

  it('runs again when its work says so, and not after a stop', async () => {
    let runs = 0;
    let job: Job | undefined;
    await new Promise<void>((resolve) => {
      job = new Job({
        name: 'test',
        log: silentLogger,
        work: async () => {
          runs += 1;
          if (runs === 3) {
            resolve();
          }
          return 1;
        },
      });
      job.ask();
    });
    await job?.stop();
    const stopped = runs;
    job?.ask();
    job?.askIn(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(runs).to.equal(stopped);
  });
});
