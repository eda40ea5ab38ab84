import { LRUCache } from 'lru-cache';
import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import { loadViewer } from '../store/execution-viewer.ts';
import { findExecutions } from '../store/executions.ts';
import type { Scope, Viewer } from '../store/scope.ts';
import type { Session } from '../store/session.ts';

/** What operations need to know of their execution; the status is not among it, since it changes. */
export type ExecutionFact = Pick<
  Execution,
  | 'id'
  | 'tenantId'
  | 'tenantName'
  | 'creatorId'
  | 'visibility'
  | 'deploymentId'
  | 'deploymentStorageId'
  | 'blueprintId'
  | 'workflowId'
>;

const keptExecutions = 5000;
const keptFor = 10 * 60 * 1000;
/** Rights of users change, so they are looked up again soon. */
const viewersKeptFor = 15_000;

/** Looks executions up once for all their operations. */
export class ExecutionFacts {
  readonly #session: Session;
  readonly #facts = new LRUCache<string, ExecutionFact>({ max: keptExecutions, ttl: keptFor });
  readonly #viewers = new LRUCache<number, Viewer>({ max: keptExecutions, ttl: viewersKeptFor });

  constructor(session: Session) {
    this.#session = session;
  }

  /** The execution if it is known already. */
  peek(executionId: string | undefined): ExecutionFact | undefined {
    return executionId === undefined ? undefined : this.#facts.get(executionId);
  }

  /** Looks up what is not known yet, with one query; executions that do not exist stay unknown. */
  async load(executionIds: Iterable<string>): Promise<void> {
    const unknown = [...new Set(executionIds)].filter((id) => !this.#facts.has(id));
    if (unknown.length > 0) {
      for (const execution of await findExecutions(this.#session, unknown)) {
        this.#facts.set(execution.id, execution);
      }
    }
  }

  /** @throws GantryError not_found_error when there is no such execution */
  async get(executionId: string | undefined): Promise<ExecutionFact> {
    if (executionId !== undefined) {
      await this.load([executionId]);
      const fact = this.#facts.get(executionId);
      if (fact) {
        return fact;
      }
    }
    throw new GantryError('not_found_error', `Requested \`Execution\` with ID \`${executionId ?? ''}\` was not found`);
  }

  /** What the creator of an execution sees. */
  async scopeOf(fact: ExecutionFact): Promise<Scope & { viewer: Viewer }> {
    let viewer = this.#viewers.get(fact.creatorId);
    if (!viewer) {
      viewer = await loadViewer(this.#session, fact.creatorId);
      this.#viewers.set(fact.creatorId, viewer);
    }
    return { tenantId: fact.tenantId, viewer };
  }
}
