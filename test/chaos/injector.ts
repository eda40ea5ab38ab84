import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './faults.ts';
import { describeFault } from './faults.ts';
import type { Site } from './site.ts';

/** Something that went wrong, with the times it began and was over (milliseconds since the epoch). */
export interface Incident {
  readonly fault: Fault;
  readonly from: number;
  until: number;
}

/** Lets the planned faults happen, each at its time; what is down already is not hurt again. */
export class Injector {
  readonly incidents: Incident[] = [];
  private readonly site: Site;
  private readonly log: (line: string) => void;
  private readonly down = new Set<string>();
  private readonly mending: Promise<void>[] = [];

  constructor(site: Site, log: (line: string) => void) {
    this.site = site;
    this.log = log;
  }

  /** Resolves when the last fault has happened and everything is mended. @returns the number of kills */
  async run(faults: readonly Fault[]): Promise<number> {
    let kills = 0;
    for (const fault of faults) {
      await delay(fault.pause);
      await this.whenUp(fault.victim);
      kills += fault.kind === 'kill' ? 1 : 0;
      this.log(`${fault.kind === 'kill' ? `${kills}: ` : ''}${describeFault(fault)}`);
      const incident = { fault, from: Date.now(), until: Infinity };
      this.incidents.push(incident);
      this.down.add(fault.victim);
      await this.hurt(fault);
      this.mending.push(this.mendLater(fault, incident));
    }
    await Promise.all(this.mending);
    return kills;
  }

  /** A victim that is down is waited for, so that the plan stays what the seed says. */
  private async whenUp(name: string): Promise<void> {
    while (this.down.has(name)) {
      await delay(20);
    }
  }

  private async hurt(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case 'kill':
        await this.site.kill(fault.victim);
        return;
      case 'hang':
        this.site.cluster.programs.get(fault.victim)?.suspend();
        return;
      case 'cut': {
        const line = this.site.line(fault.victim, fault.from);
        if (fault.how === 'reset') {
          line.cut();
        } else {
          line.become(fault.how);
        }
      }
    }
  }

  private async mendLater(fault: Fault, incident: Incident): Promise<void> {
    await delay(fault.lasts);
    if (fault.kind === 'kill') {
      await this.site.restart(fault.victim);
    } else if (fault.kind === 'hang') {
      this.site.cluster.programs.get(fault.victim)?.resume();
    } else {
      this.site.line(fault.victim, fault.from).become('pass');
    }
    incident.until = Date.now();
    this.down.delete(fault.victim);
  }
}
