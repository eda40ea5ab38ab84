import { WorkflowRefused } from '../../workflows/errors.ts';
import type { WorkflowContext } from '../../workflows/context.ts';
import {
  installInstances,
  reinstallInstances,
  selectionOf,
  uninstallInstances,
} from '../../workflows/lifecycle/graphs.ts';
import type { NodeInstance, Topology } from '../../domain/topology.ts';
import type { GraphOptions, LifecycleOptions } from '../workflow-sdk.ts';
import type { WorkflowCallName, WorkflowCalls } from './protocol.ts';
import { addRows } from './rows.ts';

const kinds = { install: installInstances, uninstall: uninstallInstances, reinstall: reinstallInstances } as const;

/** What the process of a plugin's workflow may ask of the executor. Nothing it sends is trusted. */
export class ServedContext {
  readonly #context: WorkflowContext;
  readonly #parts = new Map<string, string[]>();

  constructor(context: WorkflowContext) {
    this.#context = context;
  }

  /**
   * Does what was asked for.
   * @throws WorkflowRefused for a call that does not exist or has wrong arguments, and whatever the context throws
   */
  async answer(name: string, args: readonly unknown[]): Promise<WorkflowCalls[WorkflowCallName]['answer']> {
    switch (name) {
      case 'refresh':
        await this.#context.refresh();
        return this.#context.topology;
      case 'hasStoredGraph':
        return this.#context.hasStoredGraph(textOf(args[0]));
      case 'addRows':
        this.#addPart(textOf(args[0]), textOf(args[1]));
        return undefined;
      case 'runGraph':
        return this.#runGraph(textOf(args[0]), objectOf(args[1]));
      case 'lifecycle':
        return this.#runLifecycle(textOf(args[0]), textOf(args[1]), args[2], objectOf(args[3]));
      default:
        throw new WorkflowRefused(`The process of the workflow asked for '${name}', which does not exist`);
    }
  }

  #addPart(name: string, rows: string): void {
    const parts = this.#parts.get(name) ?? [];
    parts.push(rows);
    this.#parts.set(name, parts);
  }

  async #runGraph(name: string, { taskRetries }: GraphOptions): Promise<undefined> {
    const parts = this.#parts.get(name) ?? [];
    this.#parts.delete(name);
    if (taskRetries !== undefined && (!Number.isInteger(taskRetries) || taskRetries < -1)) {
      throw new WorkflowRefused(`taskRetries of graph '${name}' must be a whole number, -1 for no end`);
    }
    const { topology } = this.#context;
    await this.#context.runGraph(
      name,
      (graph) => addRows(graph, parts, topology),
      taskRetries === undefined ? {} : { taskRetries },
    );
  }

  async #runLifecycle(kind: string, name: string, ids: unknown, options: LifecycleOptions): Promise<undefined> {
    if (!Array.isArray(ids) || !Object.hasOwn(kinds, kind)) {
      throw new WorkflowRefused(`The process of the workflow asked for the lifecycle '${kind}', which does not exist`);
    }
    const { topology } = this.#context;
    const instances = ids.map((id) => instanceOf(topology, String(id)));
    await kinds[kind as keyof typeof kinds](this.#context, selectionOf(this.#context, instances), {
      prefix: `${name}_`,
      isFailureIgnored: options.ignoreFailure === true,
    });
  }
}

function instanceOf(topology: Topology, id: string): NodeInstance {
  const instance = topology.instances.get(id);
  if (!instance) {
    throw new WorkflowRefused(`There is no node instance '${id}' in the deployment`);
  }
  return instance;
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') {
    throw new WorkflowRefused('The process of the workflow sent a call with wrong arguments');
  }
  return value;
}

function objectOf(value: unknown): Record<string, never> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, never>) : {};
}
