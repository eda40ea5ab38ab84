import { expect } from 'chai';
import { Patience } from '../../../src/scheduler/patience.ts';

describe('the limit for heartbeats of other processes', () => {
  let now = 0;

  /** A process that beat every two seconds until `now` is 100. */
  function steady(): Patience {
    now = 90;
    const patience = new Patience(6, () => now);
    for (; now < 100; now += 2) {
      patience.beat();
    }
    patience.beat();
    return patience;
  }

  it('is the stale limit as long as the own heartbeat is stored', () => {
    const patience = steady();
    expect(patience.seconds()).to.equal(6);
    now += 2;
    expect(patience.seconds()).to.equal(6);
  });

  it('grows while the own heartbeat cannot be stored', () => {
    const patience = steady();
    now += 20;
    expect(patience.seconds()).to.equal(26);
  });

  it('is longer after an outage, until the others had time to store a heartbeat again', () => {
    const patience = steady();
    now += 20;
    patience.beat();
    // somebody who beat last just before the outage, and has not been heard since
    now += 1;
    expect(patience.seconds()).to.be.greaterThan(23);
    now += 1;
    patience.beat();
    now += 2;
    patience.beat();
    expect(patience.seconds()).to.be.greaterThan(26);
    now += 2;
    patience.beat();
    expect(patience.seconds()).to.equal(6);
  });
});
