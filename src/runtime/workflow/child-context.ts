import type { NodeInstance, Topology } from '../../domain/topology.ts';
import { buildGraph } from '../../graph/build.ts';
import type { MessageEnvironment } from '../../graph/operation-message.ts';
import { graphRows } from '../../graph/rows.ts';
import type { TaskRow } from '../../graph/rows.ts';
import type { GraphSettings } from '../../graph/tasks-graph.ts';
import type { LogLevel } from '../../workflows/context.ts';
import { WorkflowRefused } from '../../workflows/errors.ts';
import { filterInstances } from '../../workflows/parameters.ts';
import { viewOf } from '../../workflows/topology-view.ts';
import type {
  GraphOptions,
  InstanceFilter,
  LifecycleOptions,
  RelationshipInstance,
  WorkflowContext,
  WorkflowGraph,
  WorkflowLifecycle,
  WorkflowLogger,
} from '../workflow-sdk.ts';
import { GraphBuilder } from './graph-builder.ts';
import type { WorkflowCallName, WorkflowCalls, WorkflowStart } from './protocol.ts';

/** How the context reaches the executor. */
export interface ExecutorLink {
  call<Name extends WorkflowCallName>(
    name: Name,
    ...args: WorkflowCalls[Name]['args']
  ): Promise<WorkflowCalls[Name]['answer']>;
  log(level: LogLevel, message: string): void;
  event(message: string): void;
  newId(): string;
}

/** Rows of one message: a graph of a hundred thousand tasks is not one text. */
const rowsPerPart = 2000;

/** The executor makes the messages of operations itself; what it needs of a plugin is its reference. */
const bareEnvironment: MessageEnvironment = { common: {}, plugin: (plugin) => ({ ...plugin }) };

/** What a workflow function of a plugin works with, in the plugin's process: asks the executor for everything that counts. */
export class PluginWorkflowContext implements WorkflowContext {
  readonly execution: WorkflowContext['execution'];
  readonly parameters: WorkflowContext['parameters'];
  readonly signal: AbortSignal;
  readonly logger: WorkflowLogger;
  readonly lifecycle: WorkflowLifecycle;
  readonly #start: WorkflowStart;
  readonly #link: ExecutorLink;
  readonly #names = new Set<string>();
  #topology: Topology;
  #running: string | undefined;

  constructor(start: WorkflowStart, link: ExecutorLink, signal: AbortSignal) {
    this.#start = start;
    this.#link = link;
    this.#topology = start.topology;
    this.execution = start.execution;
    this.parameters = start.parameters;
    this.signal = signal;
    const write = (level: LogLevel) => (message: string) => link.log(level, String(message));
    this.logger = { debug: write('debug'), info: write('info'), warning: write('warning'), error: write('error') };
    this.lifecycle = {
      install: (name, instances) => this.#runLifecycle('install', name, instances),
      uninstall: (name, instances, options) => this.#runLifecycle('uninstall', name, instances, options),
      reinstall: (name, instances, options) => this.#runLifecycle('reinstall', name, instances, options),
    };
  }

  get topology(): Topology {
    return this.#topology;
  }

  /** Name of the graph that runs now. */
  get running(): string | undefined {
    return this.#running;
  }

  async refresh(): Promise<void> {
    this.#topology = await this.#link.call('refresh');
  }

  select({ nodeIds = [], instanceIds = [], typeNames = [] }: InstanceFilter = {}): readonly NodeInstance[] {
    return filterInstances(this, { nodeIds, instanceIds, typeNames });
  }

  relationshipsOf(instance: NodeInstance): readonly RelationshipInstance[] {
    const view = viewOf(this.#topology);
    return view.relationships(view.instance(instance.id));
  }

  hasStoredGraph(name: string): Promise<boolean> {
    return this.#link.call('hasStoredGraph', name);
  }

  async runGraph(name: string, build: (graph: WorkflowGraph) => void, options: GraphOptions = {}): Promise<void> {
    await this.#alone(name, async () => {
      if (!(await this.#link.call('hasStoredGraph', name))) {
        await this.#sendGraph(name, build, options);
      }
      await this.#link.call('runGraph', name, options);
    });
  }

  sendEvent(message: string): void {
    this.#link.event(String(message));
  }

  async #runLifecycle(
    kind: 'install' | 'uninstall' | 'reinstall',
    name: string,
    instances: readonly NodeInstance[],
    options: LifecycleOptions = {},
  ): Promise<void> {
    const ids = instances.map(({ id }) => id);
    await this.#alone(name, () => this.#link.call('lifecycle', kind, name, ids, options));
  }

  async #sendGraph(name: string, build: (graph: WorkflowGraph) => void, options: GraphOptions): Promise<void> {
    const { config, execution } = this.#start;
    const settings: GraphSettings = {
      newId: () => this.#link.newId(),
      taskRetries: options.taskRetries ?? config.taskRetries,
      taskRetryInterval: config.taskRetryInterval,
      subgraphRetries: config.subgraphRetries,
      isDryRun: execution.isDryRun,
    };
    const graph = buildGraph(settings, (tasks) => {
      const built: unknown = build(new GraphBuilder(tasks, viewOf(this.#topology)));
      if (built instanceof Promise) {
        built.catch(() => undefined);
        throw new WorkflowRefused(`The function that builds graph '${name}' is asynchronous: build the graph at once`);
      }
    });
    let part: TaskRow[] = [];
    for (const row of graphRows(graph, bareEnvironment)) {
      part.push(row);
      if (part.length === rowsPerPart) {
        await this.#link.call('addRows', name, JSON.stringify(part));
        part = [];
      }
    }
    if (part.length > 0) {
      await this.#link.call('addRows', name, JSON.stringify(part));
    }
  }

  /** A graph at a time, and none twice under one name: the second would be taken for the stored first. */
  async #alone(name: string, work: () => Promise<unknown>): Promise<void> {
    if (typeof name !== 'string' || name === '') {
      throw new WorkflowRefused('A graph needs a name: a text that is the same whenever the workflow runs');
    }
    if (this.#running !== undefined) {
      throw new WorkflowRefused(`Graph '${name}' cannot run while graph '${this.#running}' does: await that one first`);
    }
    if (this.#names.has(name)) {
      throw new WorkflowRefused(`Graph '${name}' has run already: give every graph of a workflow a name of its own`);
    }
    this.#names.add(name);
    this.#running = name;
    try {
      await work();
    } finally {
      this.#running = undefined;
    }
  }
}
