import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import { runDriftChecks } from './check-drift.ts';
import { runStatusChecks } from './check-status.ts';
import type { WorkflowContext } from './context.ts';
import { hasFailedDriftCheck, hasOwnDrift, hasRelationshipDrift, withoutDrift } from './drift.ts';
import { findHealthy, planHealing, takeMarked } from './health.ts';
import {
  healInstances,
  installInstances,
  reinstallInstances,
  runRelationships,
  selectionOf,
  uninstallInstances,
  updateInstances,
} from './lifecycle/graphs.ts';
import type { Selection } from './lifecycle/graphs.ts';
import { operationNames } from './names.ts';
import { viewOf } from './topology-view.ts';

/** Ids of the instances an update adds, removes or changes, and of those at the other end of their relationships. */
export interface UpdatePart {
  readonly instanceIds: readonly string[];
  readonly relatedIds: readonly string[];
}

/** Changed relationships besides: node id -> ids of the target nodes. */
export interface RelationshipPart extends UpdatePart {
  readonly targets: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface UpdateInput {
  readonly added: UpdatePart;
  readonly removed: UpdatePart;
  readonly extended: RelationshipPart;
  readonly reduced: RelationshipPart;
  /** Nodes whose properties or operations change. */
  readonly changedNodeIds: ReadonlySet<string>;
  /** Instances the user wants to be reinstalled. */
  readonly reinstallIds: readonly string[];
  readonly isFailureIgnored: boolean;
  readonly skipsInstall: boolean;
  readonly skipsUninstall: boolean;
  readonly skipsReinstall: boolean;
  readonly skipsDriftCheck: boolean;
  readonly skipsHeal: boolean;
  readonly forcesReinstall: boolean;
}

/**
 * The operations of a deployment update, while its model holds both what comes and what goes: unlink dropped
 * relationships, uninstall removed instances, update or reinstall changed ones, install added ones, establish new
 * relationships.
 */
export async function runUpdate(context: WorkflowContext, input: UpdateInput): Promise<void> {
  const { added, removed, extended, reduced } = input;
  if (reduced.instanceIds.length > 0 && !input.skipsUninstall) {
    await runRelationships(
      context,
      find(context, [...reduced.instanceIds, ...reduced.relatedIds]),
      'down',
      reduced.targets,
    );
  }
  if (removed.instanceIds.length > 0 && !input.skipsUninstall) {
    await uninstallInstances(context, select(context, removed), { isFailureIgnored: input.isFailureIgnored });
  }
  await new KeptInstances(context, input).bringUpToDate();
  if (added.instanceIds.length > 0 && !input.skipsInstall) {
    await installInstances(context, select(context, added));
  }
  if (extended.instanceIds.length > 0 && !input.skipsInstall) {
    await runRelationships(
      context,
      find(context, [...extended.instanceIds, ...extended.relatedIds]),
      'up',
      extended.targets,
    );
  }
}

/** What to do about the running instances an update neither adds nor removes. */
class KeptInstances {
  readonly #context: WorkflowContext;
  readonly #input: UpdateInput;
  /** Ids of the instances this is about. */
  readonly #kept: ReadonlySet<string>;
  readonly #mustReinstall = new Set<string>();
  /** Instances marked as drifted because nothing could check them. */
  #marked: readonly string[] = [];

  constructor(context: WorkflowContext, input: UpdateInput) {
    this.#context = context;
    this.#input = input;
    const others = new Set([...input.added.instanceIds, ...input.removed.instanceIds]);
    const kept = viewOf(context.topology).instances.filter(({ id, state }) => state === 'started' && !others.has(id));
    this.#kept = new Set(kept.map((instance) => instance.id));
  }

  async bringUpToDate(): Promise<void> {
    this.#input.reinstallIds.filter((id) => this.#kept.has(id)).forEach((id) => this.#mustReinstall.add(id));
    const chosen = [...this.#mustReinstall];
    const toUpdate = await this.#findDrifted();
    await this.#update(toUpdate);
    const reinstalled = this.#input.skipsReinstall
      ? chosen
      : [...this.#mustReinstall].filter((id) => this.#kept.has(id));
    await this.#reinstall(reinstalled);
    const cleared = this.#input.skipsDriftCheck ? [] : reinstalled;
    await this.#clearDrift([...new Set([...cleared, ...this.#marked])]);
  }

  /** Checks for drift; answers with the ids of the drifted instances that operations can update. */
  async #findDrifted(): Promise<string[]> {
    const candidates = [...this.#kept].filter((id) => !this.#mustReinstall.has(id));
    const drifted = new Set<string>();
    if (!this.#input.skipsDriftCheck && candidates.length > 0) {
      await runDriftChecks(this.#context, 'update_check_drift', {
        instances: this.#find(candidates),
        isOrdered: true,
        isFailureIgnored: true,
      });
      await this.#context.refresh();
      for (const instance of this.#find(candidates)) {
        if (hasFailedDriftCheck(instance)) {
          this.#reinstallSubtree(instance);
        } else if (hasOwnDrift(instance) || hasRelationshipDrift(instance)) {
          drifted.add(instance.id);
        }
      }
    }
    await this.#markUnchecked();
    this.#marked.forEach((id) => drifted.add(id));
    for (const instance of this.#find([...drifted])) {
      if (!this.#mustReinstall.has(instance.id) && !this.#canBeUpdated(instance)) {
        this.#reinstallSubtree(instance);
      }
    }
    const toUpdate = [...drifted].filter((id) => !this.#mustReinstall.has(id));
    if (this.#input.forcesReinstall) {
      toUpdate.forEach((id) => this.#mustReinstall.add(id));
      return [];
    }
    return toUpdate;
  }

  /** Changed instances nobody can check for drift count as drifted. */
  async #markUnchecked(): Promise<void> {
    const view = viewOf(this.#context.topology);
    const isChecked = (instance: NodeInstance): boolean =>
      !this.#input.skipsDriftCheck && view.hasOperation(instance, operationNames.checkDrift);
    this.#marked = this.#find([...this.#kept])
      .filter((instance) => this.#input.changedNodeIds.has(instance.nodeId) && !isChecked(instance))
      .map((instance) => instance.id);
    const drift = { ok: true, result: true, task: null };
    await this.#write(this.#marked, (properties) => ({ ...properties, configuration_drift: drift }));
  }

  #canBeUpdated(instance: NodeInstance): boolean {
    const view = viewOf(this.#context.topology);
    const { update, updateConfig, updateApply } = operationNames;
    return (
      !hasOwnDrift(instance) || [update, updateConfig, updateApply].some((name) => view.hasOperation(instance, name))
    );
  }

  async #update(drifted: readonly string[]): Promise<void> {
    if (drifted.length === 0) {
      return;
    }
    if (!this.#input.skipsHeal) {
      await this.#heal(drifted);
    }
    const ids = drifted.filter((id) => !this.#mustReinstall.has(id));
    const chosen = new Set(ids);
    const intact = [...this.#kept].filter((id) => !chosen.has(id));
    await updateInstances(this.#context, { processed: this.#find(ids), intact: this.#find(intact) });
    await this.#context.refresh();
    const failed = await takeMarked(this.#context, this.#find(ids), 'update_failed');
    failed.forEach((instance) => this.#mustReinstall.add(instance.id));
  }

  /** Instances are healed before they are updated; where that fails they are reinstalled instead. */
  async #heal(ids: readonly string[]): Promise<void> {
    await runStatusChecks(this.#context, { instances: this.#find(ids), isOrdered: false, isFailureIgnored: true });
    await this.#context.refresh();
    const instances = this.#find(ids);
    const { toHeal, toReinstall } = planHealing(this.#context, instances, findHealthy(instances, false));
    toReinstall.forEach((instance) => this.#mustReinstall.add(instance.id));
    if (toHeal.length === 0) {
      return;
    }
    await healInstances(this.#context, selectionOf(this.#context, toHeal));
    await this.#context.refresh();
    const failed = await takeMarked(this.#context, this.#find(toHeal.map(({ id }) => id)), 'heal_failed');
    failed.forEach((instance) => this.#mustReinstall.add(instance.id));
  }

  async #reinstall(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) {
      return;
    }
    const chosen = new Set(ids);
    const intact = [...this.#kept].filter((id) => !chosen.has(id));
    await reinstallInstances(
      this.#context,
      { processed: this.#find(ids), intact: this.#find(intact) },
      { isFailureIgnored: this.#input.isFailureIgnored },
    );
  }

  async #clearDrift(ids: readonly string[]): Promise<void> {
    await this.#write(ids, withoutDrift);
  }

  async #write(ids: readonly string[], update: (properties: JsonObject) => JsonObject): Promise<void> {
    if (ids.length > 0) {
      await this.#context.updateSystemProperties(ids.map((instanceId) => ({ instanceId, update })));
      await this.#context.refresh();
    }
  }

  #reinstallSubtree(instance: NodeInstance): void {
    viewOf(this.#context.topology)
      .containedSubtree(instance)
      .forEach((member) => this.#mustReinstall.add(member.id));
  }

  #find(ids: readonly string[]): NodeInstance[] {
    return find(this.#context, ids);
  }
}

function select(context: WorkflowContext, part: UpdatePart): Selection {
  return { processed: find(context, part.instanceIds), intact: find(context, part.relatedIds) };
}

function find(context: WorkflowContext, ids: readonly string[]): NodeInstance[] {
  return [...new Set(ids)].flatMap((id) => context.topology.instances.get(id) ?? []);
}
