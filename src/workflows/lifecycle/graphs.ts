import type { NodeInstance } from '../../domain/topology.ts';
import type { TasksGraph } from '../../graph/tasks-graph.ts';
import type { WorkflowContext } from '../context.ts';
import { viewOf } from '../topology-view.ts';
import { LifecycleBuilder } from './builder.ts';
import { healSubgraph } from './heal.ts';
import { installSubgraph } from './install.ts';
import { addOrderedSubgraphs } from './ordering.ts';
import type { RelationshipChoice } from './ordering.ts';
import { addResumeCleanup } from './resume-cleanup.ts';
import { rollbackSubgraph } from './rollback.ts';
import { uninstallSubgraph } from './uninstall.ts';
import { updateSubgraph } from './update.ts';

/** The instances a lifecycle graph is about. */
export interface Selection {
  readonly processed: readonly NodeInstance[];
  /** Instances whose order and relationships to the processed ones count too. */
  readonly intact: readonly NodeInstance[];
}

export interface LifecycleOptions {
  /** Put before the name of the graph. */
  readonly prefix?: string;
  readonly isFailureIgnored?: boolean;
}

/** Installs instances, targets of relationships first; relationships of intact instances to them are established. */
export async function installInstances(
  context: WorkflowContext,
  selection: Selection,
  options: LifecycleOptions = {},
): Promise<void> {
  const { processed, intact } = selection;
  await context.runGraph(
    `${options.prefix ?? ''}install`,
    (graph) => {
      const builder = builderFor(context, graph);
      addOrderedSubgraphs(builder, {
        processed,
        intact,
        direction: 'up',
        makeSubgraph: (instance) => installSubgraph(builder, instance),
        hasIntactOperations: true,
      });
    },
    {
      onRestored: (graph) => {
        if (context.execution.isResume) {
          addResumeCleanup(builderFor(context, graph), processed);
        }
      },
    },
  );
}

/** Uninstalls instances, sources of relationships first; relationships of intact instances to them are unlinked. */
export async function uninstallInstances(
  context: WorkflowContext,
  selection: Selection,
  options: LifecycleOptions = {},
): Promise<void> {
  const { processed, intact } = selection;
  await context.runGraph(`${options.prefix ?? ''}uninstall`, (graph) => {
    const builder = builderFor(context, graph);
    addOrderedSubgraphs(builder, {
      processed,
      intact,
      direction: 'down',
      makeSubgraph: (instance) =>
        uninstallSubgraph(builder, instance, { isFailureIgnored: options.isFailureIgnored ?? false }),
      hasIntactOperations: true,
    });
  });
}

/** Uninstalls all instances, then installs them again. */
export async function reinstallInstances(
  context: WorkflowContext,
  selection: Selection,
  options: LifecycleOptions = {},
): Promise<void> {
  await uninstallInstances(context, selection, { ...options, prefix: 'reinstall-' });
  await context.refresh();
  await installInstances(context, refreshed(context, selection), { prefix: 'reinstall-' });
}

/** Brings instances whose installation broke off back to their last settled state. */
export async function rollbackInstances(
  context: WorkflowContext,
  selection: Selection,
  options: LifecycleOptions = {},
): Promise<void> {
  const { processed, intact } = selection;
  await context.runGraph(`${options.prefix ?? ''}rollback`, (graph) => {
    const builder = builderFor(context, graph);
    addOrderedSubgraphs(builder, {
      processed,
      intact,
      direction: 'down',
      makeSubgraph: (instance) => rollbackSubgraph(builder, instance, options.isFailureIgnored ?? true),
      hasIntactOperations: true,
    });
  });
}

/** Runs the heal operations of instances, targets of relationships first. */
export async function healInstances(context: WorkflowContext, selection: Selection): Promise<void> {
  await context.runGraph('heal', (graph) => {
    const builder = builderFor(context, graph);
    addOrderedSubgraphs(builder, {
      ...selection,
      direction: 'up',
      makeSubgraph: (instance) => healSubgraph(builder, instance),
    });
  });
}

/** Runs the update operations of drifted instances, targets of relationships first. */
export async function updateInstances(context: WorkflowContext, selection: Selection): Promise<void> {
  await context.runGraph('update', (graph) => {
    const builder = builderFor(context, graph);
    addOrderedSubgraphs(builder, {
      ...selection,
      direction: 'up',
      makeSubgraph: (instance) => updateSubgraph(builder, instance),
    });
  });
}

/**
 * Establishes (`up`) or unlinks (`down`) chosen relationships of instances that are otherwise left alone.
 *
 * @param isModified - tells which relationships are meant
 */
export async function runRelationships(
  context: WorkflowContext,
  instances: readonly NodeInstance[],
  direction: 'up' | 'down',
  isModified: RelationshipChoice,
): Promise<void> {
  await context.runGraph(direction === 'up' ? 'establish-install' : 'unlink-uninstall', (graph) => {
    addOrderedSubgraphs(builderFor(context, graph), {
      processed: [],
      intact: instances,
      direction,
      makeSubgraph: () => undefined,
      hasIntactOperations: true,
      isModified,
    });
  });
}

/** The same instances as the present snapshot has them; those that are gone are left out. */
export function refreshed(context: WorkflowContext, selection: Selection): Selection {
  const present = (instances: readonly NodeInstance[]): NodeInstance[] =>
    instances.flatMap((instance) => context.topology.instances.get(instance.id) ?? []);
  return { processed: present(selection.processed), intact: present(selection.intact) };
}

/** The processed instances and, as intact ones, all others. */
export function selectionOf(context: WorkflowContext, processed: readonly NodeInstance[]): Selection {
  const chosen = new Set(processed.map((instance) => instance.id));
  return { processed, intact: viewOf(context.topology).instances.filter((instance) => !chosen.has(instance.id)) };
}

function builderFor(context: WorkflowContext, graph: TasksGraph): LifecycleBuilder {
  return new LifecycleBuilder(graph, viewOf(context.topology));
}
