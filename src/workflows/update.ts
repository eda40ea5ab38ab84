import type { JsonObject } from '../domain/plan.ts';
import type { NodeInstance } from '../domain/topology.ts';
import { runDriftChecks } from './check-drift.ts';
import { runStatusChecks } from './check-status.ts';
import type { WorkflowContext } from './context.ts';
import { hasFailedDriftCheck, hasOwnDrift, hasRelationshipDrift, withoutDrift } from './drift.ts';
import { findHealthy, findMarked, planHealing, takeMarked } from './health.ts';
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
import type { RelationshipChoice } from './lifecycle/ordering.ts';
import { operationNames } from './names.ts';
import { viewOf } from './topology-view.ts';

/** Ids of the instances an update adds, removes or changes, and of those at the other end of their relationships. */
export interface UpdatePart {
  readonly instanceIds: readonly string[];
  readonly relatedIds: readonly string[];
}

/** A relationship between two instances that comes or goes. */
export interface ChangedRelationship {
  readonly sourceId: string;
  readonly targetId: string;
  readonly type: string;
}

/** Changed relationships besides. */
export interface RelationshipPart extends UpdatePart {
  readonly relationships: readonly ChangedRelationship[];
}

/**
 * The choices of an update. They are kept: after a restart the deployment is half changed, and the same questions would
 * have other answers.
 */
export interface Decisions {
  /** The choice of that name as it was made first; `choose` makes it if there is none. All are ids of instances. */
  once(name: string, choose: () => Iterable<string>): Promise<readonly string[]>;
}

/** What the caller of an update decides. */
export interface UpdateChoices {
  /** Instances to be reinstalled, changed or not. */
  readonly reinstallIds: readonly string[];
  readonly isFailureIgnored: boolean;
  readonly skipsInstall: boolean;
  readonly skipsUninstall: boolean;
  readonly skipsReinstall: boolean;
  readonly skipsDriftCheck: boolean;
  readonly skipsHeal: boolean;
  readonly forcesReinstall: boolean;
}

export interface UpdateInput extends UpdateChoices {
  readonly added: UpdatePart;
  readonly removed: UpdatePart;
  readonly extended: RelationshipPart;
  readonly reduced: RelationshipPart;
  /** Nodes whose properties or operations change. */
  readonly changedNodeIds: ReadonlySet<string>;
  readonly decisions: Decisions;
}

/** Unlinks dropped relationships and uninstalls removed instances. */
export async function runRemovals(context: WorkflowContext, input: UpdateInput): Promise<void> {
  const { removed, reduced } = input;
  if (input.skipsUninstall) {
    return;
  }
  if (reduced.instanceIds.length > 0) {
    const instances = find(context, [...reduced.instanceIds, ...reduced.relatedIds]);
    await runRelationships(context, instances, 'down', choiceOf(reduced));
  }
  if (removed.instanceIds.length > 0) {
    await uninstallInstances(context, select(context, removed), { isFailureIgnored: input.isFailureIgnored });
  }
}

/** Updates or reinstalls changed instances, installs added ones and establishes new relationships. */
export async function runChanges(context: WorkflowContext, input: UpdateInput): Promise<void> {
  const { added, extended } = input;
  await new KeptInstances(context, input).bringUpToDate();
  if (input.skipsInstall) {
    return;
  }
  if (added.instanceIds.length > 0) {
    await installInstances(context, select(context, added));
  }
  if (extended.instanceIds.length > 0) {
    const instances = find(context, [...extended.instanceIds, ...extended.relatedIds]);
    await runRelationships(context, instances, 'up', choiceOf(extended));
  }
}

/** What to do about the running instances an update neither adds nor removes. */
class KeptInstances {
  readonly #context: WorkflowContext;
  readonly #input: UpdateInput;
  /** Ids of the instances this is about. */
  #kept: ReadonlySet<string> = new Set();
  readonly #mustReinstall = new Set<string>();
  /** Instances marked as drifted because nothing could check them. */
  #marked: readonly string[] = [];

  constructor(context: WorkflowContext, input: UpdateInput) {
    this.#context = context;
    this.#input = input;
  }

  async bringUpToDate(): Promise<void> {
    const others = new Set([...this.#input.added.instanceIds, ...this.#input.removed.instanceIds]);
    const kept = await this.#decide('kept', () =>
      viewOf(this.#context.topology).instances.filter(({ id, state }) => state === 'started' && !others.has(id)),
    );
    this.#kept = new Set(kept);
    const chosen = this.#input.reinstallIds.filter((id) => this.#kept.has(id));
    this.#mustBeReinstalled(chosen);
    const toUpdate = await this.#findDrifted();
    await this.#update(toUpdate);
    const reinstalled = this.#input.skipsReinstall
      ? chosen
      : [...this.#mustReinstall].filter((id) => this.#kept.has(id));
    await this.#reinstall(reinstalled);
    const cleared = this.#input.skipsDriftCheck ? [] : reinstalled;
    await this.#write([...new Set([...cleared, ...this.#marked])], withoutDrift);
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
      const checked = this.#find(candidates);
      const failed = await this.#decide('drift_check_failed', () =>
        checked.filter(hasFailedDriftCheck).flatMap((instance) => this.#subtreeOf(instance)),
      );
      this.#mustBeReinstalled(failed);
      const found = await this.#decide('drifted', () =>
        checked.filter(
          (instance) => !hasFailedDriftCheck(instance) && (hasOwnDrift(instance) || hasRelationshipDrift(instance)),
        ),
      );
      found.forEach((id) => drifted.add(id));
    }
    await this.#markUnchecked();
    this.#marked.forEach((id) => drifted.add(id));
    const broken = await this.#decide('not_updatable', () =>
      this.#find([...drifted])
        .filter((instance) => !this.#mustReinstall.has(instance.id) && !this.#canBeUpdated(instance))
        .flatMap((instance) => this.#subtreeOf(instance)),
    );
    this.#mustBeReinstalled(broken);
    const toUpdate = [...drifted].filter((id) => !this.#mustReinstall.has(id));
    if (this.#input.forcesReinstall) {
      this.#mustBeReinstalled(toUpdate);
      return [];
    }
    return toUpdate;
  }

  /** Changed instances that cannot be checked for drift count as drifted. */
  async #markUnchecked(): Promise<void> {
    const isChecked = (instance: NodeInstance): boolean =>
      !this.#input.skipsDriftCheck && viewOf(this.#context.topology).hasOperation(instance, operationNames.checkDrift);
    this.#marked = await this.#decide('unchecked', () =>
      this.#find([...this.#kept]).filter(
        (instance) => this.#input.changedNodeIds.has(instance.nodeId) && !isChecked(instance),
      ),
    );
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
    await this.#reinstallFailed(ids, 'update_failed');
  }

  /** Instances are healed before they are updated; where that fails they are reinstalled instead. */
  async #heal(ids: readonly string[]): Promise<void> {
    await runStatusChecks(this.#context, { instances: this.#find(ids), isOrdered: false, isFailureIgnored: true });
    await this.#context.refresh();
    const instances = this.#find(ids);
    const plan = planHealing(this.#context, instances, findHealthy(instances, false));
    const toReinstall = await this.#decide('not_healable', () => plan.toReinstall);
    const toHeal = await this.#decide('to_heal', () => plan.toHeal);
    this.#mustBeReinstalled(toReinstall);
    if (toHeal.length === 0) {
      return;
    }
    await healInstances(this.#context, selectionOf(this.#context, this.#find(toHeal)));
    await this.#reinstallFailed(toHeal, 'heal_failed');
  }

  /** Instances on which an operation left its marker are reinstalled; the marker goes once that is recorded. */
  async #reinstallFailed(ids: readonly string[], marker: string): Promise<void> {
    await this.#context.refresh();
    const failed = await this.#decide(marker, () => findMarked(this.#context, this.#find(ids), marker));
    this.#mustBeReinstalled(failed);
    await takeMarked(this.#context, this.#find(failed), marker);
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

  async #write(ids: readonly string[], update: (properties: JsonObject) => JsonObject): Promise<void> {
    if (ids.length > 0) {
      await this.#context.updateSystemProperties(ids.map((instanceId) => ({ instanceId, update })));
      await this.#context.refresh();
    }
  }

  #decide(name: string, choose: () => readonly NodeInstance[]): Promise<readonly string[]> {
    return this.#input.decisions.once(name, () => new Set(choose().map((instance) => instance.id)));
  }

  #mustBeReinstalled(ids: readonly string[]): void {
    ids.forEach((id) => this.#mustReinstall.add(id));
  }

  #subtreeOf(instance: NodeInstance): readonly NodeInstance[] {
    return viewOf(this.#context.topology).containedSubtree(instance);
  }

  #find(ids: readonly string[]): NodeInstance[] {
    return find(this.#context, ids);
  }
}

function choiceOf({ relationships }: RelationshipPart): RelationshipChoice {
  const keys = new Set(relationships.map(({ sourceId, targetId, type }) => `${sourceId}\n${targetId}\n${type}`));
  return ({ source, target, type }) => keys.has(`${source.id}\n${target.id}\n${type}`);
}

function select(context: WorkflowContext, part: UpdatePart): Selection {
  return { processed: find(context, part.instanceIds), intact: find(context, part.relatedIds) };
}

function find(context: WorkflowContext, ids: readonly string[]): NodeInstance[] {
  return [...new Set(ids)].flatMap((id) => context.topology.instances.get(id) ?? []);
}
