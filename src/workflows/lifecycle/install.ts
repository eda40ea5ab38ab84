import type { NodeInstance } from '../../domain/topology.ts';
import type { Task } from '../../graph/task.ts';
import { handlerPaths, operationNames } from '../names.ts';
import type { LifecycleBuilder, Steps } from './builder.ts';
import { hostPostStart } from './hosts.ts';

export interface InstallOptions {
  readonly parent?: Task;
  /** State to decide by, instead of the present one. */
  readonly state?: string;
}

/** States in which a part of the installation is already done. */
const beyondPrecreate = new Set(['creating', 'created', 'configuring', 'configured', 'starting', 'started']);
const beyondCreate = new Set(['created', 'configuring', 'configured', 'starting', 'started']);
const beyondConfigure = new Set(['configured', 'starting', 'started']);

/**
 * Adds the subgraph that installs an instance; which parts are left out is decided by its state.
 *
 * Compatibility: Cloudify 7 install sequence, its events and states.
 */
export function installSubgraph(builder: LifecycleBuilder, instance: NodeInstance, options: InstallOptions = {}): Task {
  const state = options.state ?? builder.stateOf(instance);
  const subgraph = builder.graph.subgraph(`install_${instance.id}`, {
    parent: options.parent,
    onFailure: { path: handlerPaths.subgraphOnFailure, instance_id: instance.id, on_retry: 'reinstall' },
  });
  const parts: InstallParts = {
    ...creationParts(builder, instance, state),
    ...configurationParts(builder, instance, state, subgraph),
    ...startParts(builder, instance, state, subgraph),
  };
  builder.graph.sequence(subgraph).add(...arrange(builder, instance, parts));
  return subgraph;
}

interface InstallParts {
  readonly validation: Steps;
  readonly precreate: Steps;
  readonly create: Steps;
  readonly preconfigure: Steps;
  readonly configure: Steps;
  readonly postconfigure: Steps;
  readonly start: Steps;
  readonly hostPostStart: Steps;
  readonly poststart: Steps;
  readonly monitoring: Steps;
  readonly establish: Steps;
}

function arrange(builder: LifecycleBuilder, instance: NodeInstance, parts: InstallParts): Steps {
  if (Object.values(parts).every((steps: Steps) => steps.length === 0)) {
    return [[builder.state(instance, 'started'), builder.event(instance, 'Node instance started (nothing to do)')]];
  }
  const orNothing = (steps: Steps, what: string): Steps =>
    steps.length > 0 ? steps : [builder.event(instance, `${what}: nothing to do`)];
  return [
    builder.state(instance, 'initializing'),
    ...orNothing(parts.validation, 'Validating node instance before creation'),
    ...orNothing(parts.precreate, 'Precreating node instance'),
    ...orNothing(parts.create, 'Creating node instance'),
    ...parts.preconfigure,
    ...orNothing(parts.configure, 'Configuring node instance'),
    ...parts.postconfigure,
    ...orNothing(parts.start, 'Starting node instance'),
    ...parts.hostPostStart,
    ...orNothing(parts.poststart, 'Poststarting node instance'),
    ...parts.monitoring,
    ...parts.establish,
    [builder.state(instance, 'started'), builder.event(instance, 'Node instance started')],
  ];
}

function creationParts(
  builder: LifecycleBuilder,
  instance: NodeInstance,
  state: string,
): Pick<InstallParts, 'validation' | 'precreate' | 'create'> {
  const event = (message: string): Task => builder.event(instance, message);
  const isNew = !beyondPrecreate.has(state);
  return {
    validation: isNew
      ? builder.operation(instance, operationNames.validateCreate, {
          before: () => [event('Validating node instance before creation')],
          after: () => [event('Node instance validated before creation')],
        })
      : [],
    precreate: isNew
      ? builder.operation(instance, operationNames.precreate, {
          before: () => [event('Precreating node instance')],
          after: () => [event('Node instance precreated')],
        })
      : [],
    create: beyondCreate.has(state)
      ? []
      : builder.operation(instance, operationNames.create, {
          before: () => [[event('Creating node instance'), builder.state(instance, 'creating')]],
          after: () => [[event('Node instance created'), builder.state(instance, 'created')]],
        }),
  };
}

function configurationParts(
  builder: LifecycleBuilder,
  instance: NodeInstance,
  state: string,
  subgraph: Task,
): Pick<InstallParts, 'preconfigure' | 'configure'> {
  if (beyondConfigure.has(state)) {
    return { preconfigure: [], configure: [] };
  }
  const event = (message: string): Task => builder.event(instance, message);
  return {
    preconfigure: builder.relationships(subgraph, instance, operationNames.preconfigureRelationship, false, {
      before: () => [event('Pre-configuring relationships')],
      after: () => [event('Relationships pre-configured')],
    }),
    configure: builder.operation(instance, operationNames.configure, {
      before: () => [[builder.state(instance, 'configuring'), event('Configuring node instance')]],
      after: () => [[builder.state(instance, 'configured'), event('Node instance configured')]],
    }),
  };
}

function startParts(
  builder: LifecycleBuilder,
  instance: NodeInstance,
  state: string,
  subgraph: Task,
): Pick<InstallParts, 'postconfigure' | 'start' | 'hostPostStart' | 'poststart' | 'monitoring' | 'establish'> {
  if (state === 'started') {
    return { postconfigure: [], start: [], hostPostStart: [], poststart: [], monitoring: [], establish: [] };
  }
  const event = (message: string): Task => builder.event(instance, message);
  return {
    postconfigure: builder.relationships(subgraph, instance, operationNames.postconfigureRelationship, false, {
      before: () => [event('Post-configuring relationships')],
      after: () => [event('Relationships post-configured')],
    }),
    start: builder.operation(instance, operationNames.start, {
      before: () => [[builder.state(instance, 'starting'), event('Starting node instance')]],
    }),
    hostPostStart: builder.view.isCompute(instance) ? hostPostStart(builder, instance) : [],
    poststart: builder.operation(instance, operationNames.poststart, {
      before: () => [event('Poststarting node instance')],
      after: () => [event('Node instance poststarted')],
    }),
    monitoring: builder.operation(instance, operationNames.monitoringStart),
    establish: builder.relationships(subgraph, instance, operationNames.establish, false, {
      before: () => [event('Establishing relationships')],
      after: () => [event('Relationships established')],
    }),
  };
}
