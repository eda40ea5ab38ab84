import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type { SeededRandom } from '../random.ts';
import { variants } from './blueprint.ts';
import type { Answer, Call, Person, Requests } from './requests.ts';

/** Tenants that are there all the time; the second one has quotas. */
export const tenants = ['default_tenant', 'crowded', 'quiet'] as const;
/** Tenants that come and go. */
export const passingTenants = ['passing0', 'passing1'] as const;
const quotas = { deployments: 6, executions: 8 };

/** What all clients know of each other's doings. */
export interface Shared {
  readonly admin: Person;
  /** Everybody, as often as they come. */
  readonly people: readonly Person[];
  readonly archives: readonly Buffer[];
  /** Executions that began lately. */
  readonly executions: { tenant: string; id: string }[];
  /** Deployment modifications that began lately. */
  readonly modifications: { tenant: string; id: string }[];
  /** Executions that somebody has sent on after they had ended, so that their operations may run again. */
  readonly resumed: Set<string>;
}

const kept = 60;

/** One client at one moment: who asks, in which tenant, and with which chance. */
export class Visit {
  readonly random: SeededRandom;
  readonly shared: Shared;
  readonly person: Person;
  readonly tenant: string;
  readonly #requests: Requests;

  constructor(requests: Requests, shared: Shared, random: SeededRandom) {
    this.#requests = requests;
    this.shared = shared;
    this.random = random;
    this.person = random.pick(shared.people);
    this.tenant = random.pick(tenants);
  }

  call(method: Call['method'], path: string, body?: JsonObject, more: Partial<Call> = {}): Promise<Answer> {
    const { person, tenant } = this;
    return this.#requests.send({ person, tenant, method, path, body, ...more });
  }

  /** Asks for an execution, and tells the others of it. */
  async begin(method: Call['method'], path: string, body: JsonObject): Promise<void> {
    const answer = await this.call(method, path, body);
    const id = answer.body['execution_id'] ?? answer.body['id'];
    if (answer.status < 300 && typeof id === 'string') {
      remember(this.shared.executions, { tenant: this.tenant, id });
    }
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.random.between(1, 100) <= percent;
  }

  deployment(): string {
    return `d${this.random.between(0, 7)}`;
  }

  /** One more than there are variants: it is not always there. */
  blueprint(): string {
    return `b${this.random.between(0, variants)}`;
  }

  group(): string {
    return `g${this.random.between(0, 1)}`;
  }
}

/** Something that people do, and how often they do it in comparison to the rest. */
export interface Action {
  readonly weight: number;
  readonly run: (visit: Visit) => Promise<unknown>;
}

/** Keeps an entry of a list that forgets its oldest ones. */
export function remember<Entry>(list: Entry[], entry: Entry): void {
  list.push(entry);
  if (list.length > kept) {
    list.shift();
  }
}

/** The list of an answer. */
export function itemsOf({ body }: Answer): JsonObject[] {
  const items: Json | undefined = body['items'];
  return Array.isArray(items) ? (items as JsonObject[]) : [];
}

const roles = ['manager', 'user', 'operations', 'viewer'] as const;

/** Makes tenants, people of every role, blueprints and the first deployments. */
export async function prepare(requests: Requests, admin: Person, archives: readonly Buffer[]): Promise<Shared> {
  const must = async (call: Omit<Call, 'person'>): Promise<void> => {
    const { status, body } = await requests.send({ person: admin, ...call });
    if (status >= 300) {
      throw new Error(`${call.method} ${call.path}: ${status} ${JSON.stringify(body)}`);
    }
  };
  const [home, crowded] = tenants;
  for (const name of tenants.slice(1)) {
    await must({ tenant: home, method: 'POST', path: `/tenants/${name}` });
  }
  await must({ tenant: home, method: 'PUT', path: `/tenants/${crowded}/quotas`, body: quotas });
  const people = roles.map((role) => ({
    name: `a-${role}`,
    password: `secret-of-${role}`,
    isReader: role === 'viewer',
  }));
  for (const [index, { name, password }] of people.entries()) {
    await must({ tenant: home, method: 'PUT', path: '/users', body: { username: name, password, role: 'default' } });
    for (const tenant of tenants) {
      const role = roles[index] ?? 'viewer';
      const body = { tenant_name: tenant, username: name, role };
      await must({ tenant: home, method: 'PUT', path: '/tenants/users', body });
    }
  }
  const everyBlueprint = tenants.flatMap((tenant) =>
    archives.map((archive, index) => must({ tenant, method: 'PUT', path: `/blueprints/b${index}`, archive })),
  );
  await Promise.all(everyBlueprint);
  const [manager, user, operations, viewer] = people as [Person, Person, Person, Person];
  return {
    admin,
    people: [admin, admin, admin, manager, manager, manager, user, user, operations, viewer],
    archives,
    executions: [],
    modifications: [],
    resumed: new Set(),
  };
}
