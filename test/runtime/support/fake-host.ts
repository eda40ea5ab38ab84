import { writeFile } from 'node:fs/promises';
import { GantryError, notFound } from '../../../src/domain/errors.ts';
import type { Json, JsonObject } from '../../../src/domain/plan.ts';
import type { Node, NodeInstance } from '../../../src/domain/topology.ts';
import type {
  Evaluated,
  ManagerQuestion,
  NodeInstanceChange,
  OperationContext,
  OperationHost,
  OperationLog,
} from '../../../src/runtime/types.ts';

/** A host over plain maps that remembers what it was asked. */
export class FakeHost implements OperationHost {
  readonly nodes = new Map<string, Node>();
  readonly instances = new Map<string, NodeInstance>();
  readonly resources = new Map<string, string | Uint8Array>();
  readonly written = new Map<string, Uint8Array>();
  readonly secrets = new Map<string, string>();
  readonly answers = new Map<ManagerQuestion['kind'], Json>();
  readonly logs: OperationLog[] = [];
  readonly events: string[] = [];
  readonly calls: string[] = [];
  /** Secret values that evaluated answers are said to hold. */
  evaluatedSecrets: readonly string[] = [];
  /** Holds the writer of a log line back. */
  pause: (() => Promise<void>) | undefined;
  /** Called with every log line as it arrives. */
  onLog: ((entry: OperationLog) => void) | undefined;

  addNode(
    id: string,
    properties: JsonObject = {},
    runtimeProperties: JsonObject = {},
    more: Partial<NodeInstance> = {},
  ) {
    this.nodes.set(id, {
      id,
      type: 'cloudify.nodes.Root',
      typeHierarchy: ['cloudify.nodes.Root'],
      hostId: undefined,
      properties,
      operations: {},
      relationships: [],
      plugins: [],
      pluginsToInstall: undefined,
      deployNumberOfInstances: 1,
      numberOfInstances: 1,
      plannedNumberOfInstances: 1,
      minNumberOfInstances: 0,
      maxNumberOfInstances: -1,
    });
    const instance: NodeInstance = {
      id: `${id}_1`,
      nodeId: id,
      index: 1,
      hostId: undefined,
      state: 'starting',
      version: 1,
      relationships: [],
      runtimeProperties,
      systemProperties: {},
      scalingGroups: [],
      ...more,
    };
    this.instances.set(instance.id, instance);
    return this;
  }

  /** What somebody else does to an instance meanwhile. */
  change(id: string, runtimeProperties: JsonObject): void {
    const instance = this.#instance(id);
    this.instances.set(id, { ...instance, runtimeProperties, version: instance.version + 1 });
  }

  properties(id: string): JsonObject {
    return this.#instance(id).runtimeProperties;
  }

  get text(): string {
    return this.logs.map((entry) => entry.message).join('\n');
  }

  async getNode(_context: OperationContext, nodeId: string): Promise<Evaluated<Node>> {
    this.calls.push(`getNode ${nodeId}`);
    const node = this.nodes.get(nodeId);
    if (node === undefined) {
      throw notFound('Node', nodeId);
    }
    return { value: structuredClone(node), secrets: this.evaluatedSecrets };
  }

  async getNodeInstance(_context: OperationContext, id: string): Promise<Evaluated<NodeInstance>> {
    this.calls.push(`getNodeInstance ${id}`);
    return { value: structuredClone(this.#instance(id)), secrets: [] };
  }

  async updateNodeInstance(_context: OperationContext, id: string, change: NodeInstanceChange): Promise<number> {
    this.calls.push(`updateNodeInstance ${id} ${change.changedKeys.join(',')}`);
    const instance = this.#instance(id);
    if (instance.version > change.version && change.force !== true) {
      throw new GantryError('conflict_error', `Node instance update conflict [current_version=${instance.version}]`);
    }
    const version = change.version + 1;
    this.instances.set(id, { ...instance, runtimeProperties: structuredClone(change.runtimeProperties), version });
    return version;
  }

  async evaluateFunctions(_context: OperationContext, payload: JsonObject): Promise<Evaluated<JsonObject>> {
    this.calls.push('evaluateFunctions');
    const text = JSON.stringify(payload).replace(/\{"get_secret":"(\w+)"\}/g, (_whole, key: string) =>
      JSON.stringify(this.secrets.get(key)),
    );
    return { value: JSON.parse(text) as JsonObject, secrets: [...this.secrets.values()] };
  }

  async getSecret(_context: OperationContext, key: string): Promise<string> {
    const value = this.secrets.get(key);
    if (value === undefined) {
      throw notFound('Secret', key);
    }
    return value;
  }

  async readResource(_context: OperationContext, path: string): Promise<Uint8Array> {
    const content = this.resources.get(path);
    if (content === undefined) {
      throw new GantryError('not_found_error', `Resource not found: ${path}`);
    }
    return typeof content === 'string' ? Buffer.from(content) : content;
  }

  async downloadResource(context: OperationContext, path: string, target: string): Promise<void> {
    await writeFile(target, await this.readResource(context, path));
  }

  async writeDeploymentFile(_context: OperationContext, path: string, content: Uint8Array): Promise<void> {
    this.written.set(path, content);
  }

  async deleteDeploymentFile(_context: OperationContext, path: string): Promise<void> {
    this.written.delete(path);
  }

  async ask(_context: OperationContext, question: ManagerQuestion): Promise<Json> {
    return this.answers.get(question.kind) ?? null;
  }

  log(_context: OperationContext, entry: OperationLog): void | Promise<void> {
    this.logs.push(entry);
    this.onLog?.(entry);
    return this.pause?.();
  }

  sendEvent(_context: OperationContext, message: string): void {
    this.events.push(message);
  }

  #instance(id: string): NodeInstance {
    const instance = this.instances.get(id);
    if (instance === undefined) {
      throw notFound('NodeInstance', id);
    }
    return instance;
  }
}
