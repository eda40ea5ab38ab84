import { SeededRandom } from './random.ts';

/** Names of what can be hurt, as the site calls them. */
export interface Targets {
  /** Processes of the product, e.g. `executor-2`. */
  readonly processes: readonly string[];
  /** `rabbitmq` and `postgres`. */
  readonly servers: readonly string[];
}

export const servers = ['rabbitmq', 'postgres'] as const;
export type ServerName = (typeof servers)[number];

/**
 * One thing that goes wrong: a process or server is killed, a process hangs, or a process loses the network to a
 * server (its connections are reset, refused or go silent).
 */
export type Fault =
  | { readonly kind: 'kill'; readonly victim: string; readonly pause: number; readonly lasts: number }
  | { readonly kind: 'hang'; readonly victim: string; readonly pause: number; readonly lasts: number }
  | {
      readonly kind: 'cut';
      readonly victim: string;
      readonly from: ServerName;
      readonly how: 'reset' | 'refuse' | 'stall';
      readonly pause: number;
      readonly lasts: number;
    };

/** How often something is hit, by the first word of its name: most often what does the work. */
const weights: Readonly<Record<string, number>> = {
  executor: 6,
  broker: 5,
  all: 8,
  scheduler: 3,
  rest: 3,
  recorder: 2,
  postgres: 6,
  rabbitmq: 4,
};

function weightOf(name: string): number {
  return weights[name.replace(/-\d+$/, '')] ?? 1;
}

export interface PlanOptions {
  readonly seed: number;
  readonly kills: number;
  readonly targets: Targets;
  /** Hangs and cuts for every hundred kills. */
  readonly others: number;
}

/**
 * Makes up what goes wrong and when, all of it from the seed. `pause` is the time in milliseconds since the fault
 * before, `lasts` the time until what was hurt is mended.
 */
export function planFaults({ seed, kills, targets, others }: PlanOptions): Fault[] {
  const random = new SeededRandom(seed);
  const victims = [...targets.processes, ...targets.servers].flatMap((name) =>
    Array<string>(weightOf(name)).fill(name),
  );
  const faults: Fault[] = [];
  for (let count = 0; count < kills;) {
    const pause = random.between(50, 900);
    if (random.between(1, 100) <= others && targets.servers.length > 0) {
      faults.push(otherFault(random, targets, pause));
    } else {
      faults.push({ kind: 'kill', victim: random.pick(victims), pause, lasts: random.between(0, 1500) });
      count += 1;
    }
  }
  return faults;
}

function otherFault(random: SeededRandom, targets: Targets, pause: number): Fault {
  const victim = random.pick(targets.processes);
  if (random.between(0, 1) === 0) {
    return { kind: 'hang', victim, pause, lasts: random.between(1000, 12_000) };
  }
  const how = random.pick(['reset', 'refuse', 'stall'] as const);
  const lasts = how === 'reset' ? 0 : random.between(500, 8000);
  return { kind: 'cut', victim, from: random.pick(servers), how, pause, lasts };
}

/** One line about a fault. */
export function describeFault(fault: Fault): string {
  const time = `for ${fault.lasts} ms`;
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.victim} ${time}`;
    case 'hang':
      return `suspend ${fault.victim} ${time}`;
    case 'cut':
      return `${fault.how} the connections of ${fault.victim} to ${fault.from} ${time}`;
  }
}
