import { LRUCache } from 'lru-cache';
import type { Plan } from '../domain/plan.ts';
import type { Session } from './session.ts';

interface Known {
  /** Of the row, another one after every change. */
  readonly version: string;
  readonly plan: Plan;
}

/** Plans may be large; those that are in use at the same time are few. */
const keptPlans = 8;

/** Keeps plans of blueprints, so that many deployments of one blueprint read and parse its plan once. */
export class PlanCache {
  readonly #plans = new LRUCache<number, Known>({ max: keptPlans });

  /**
   * The plan of a blueprint as it is stored now. It is shared: nobody may change it.
   * @returns undefined when the blueprint is gone, or has no plan
   */
  async load(session: Session, blueprintStorageId: number): Promise<Plan | undefined> {
    const known = this.#plans.get(blueprintStorageId);
    const [row] = await session.prepared<{ version: string; plan: Plan | null }>(
      `select xmin::text as version, case when xmin::text is distinct from $2 then plan end as plan
       from blueprints where storage_id = $1`,
      [blueprintStorageId, known?.version ?? null],
    );
    if (row && row.version === known?.version) {
      return known.plan;
    }
    if (!row?.plan) {
      return undefined;
    }
    this.#plans.set(blueprintStorageId, { version: row.version, plan: row.plan });
    return row.plan;
  }
}
