import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { planOffline } from '../../../src/cli/offline.ts';
import { packageRoot } from '../../../src/config/package-root.ts';
import type {
  DeploymentPlan,
  Json,
  JsonObject,
  PlanNode,
  PlanNodeInstance,
  PlanOperation,
} from '../../../src/domain/plan.ts';
import { GantryError } from '../../../src/domain/errors.ts';
import { pythonText } from '../../../src/domain/python-text.ts';
import { prepareDeploymentPlan } from '../../../src/dsl/prepare/index.ts';
import type { Evaluated, OperationContext, Runtime } from '../../../src/runtime/types.ts';
import { expandPlan } from '../../../src/topology/index.ts';
import { FakeHost } from './fake-host.ts';
import { contextOf, resultOf } from './operations.ts';

/**
 * A blueprint of blueprints/ whose operations really run, in the order of the install and uninstall workflows: enough
 * to prove the scripts; the workflows themselves are tested elsewhere.
 */
export class InstalledBlueprint extends FakeHost {
  #runtime: Runtime;
  readonly #folder: string;
  readonly #plan: DeploymentPlan;
  readonly #capabilities: JsonObject;

  private constructor(runtime: Runtime, folder: string, plan: DeploymentPlan, capabilities: JsonObject) {
    super();
    this.#runtime = runtime;
    this.#folder = folder;
    this.#plan = plan;
    this.#capabilities = capabilities;
    for (const instance of plan.node_instances) {
      const node = this.#nodeOf(instance);
      this.addNode(node.id, node.properties);
      const template = this.instances.get(`${node.id}_1`);
      this.instances.delete(`${node.id}_1`);
      if (template !== undefined) {
        this.instances.set(instance.id, { ...template, id: instance.id, hostId: instance.host_id });
      }
    }
  }

  /** @param capabilities what `get_capability` finds, by name */
  static async install(
    runtime: Runtime,
    folder: string,
    file: string,
    inputs: JsonObject = {},
    capabilities: JsonObject = {},
  ): Promise<InstalledBlueprint> {
    const path = join(packageRoot(), 'blueprints', folder);
    const plan = await prepareDeploymentPlan(await planOffline(path, file), {
      inputs,
      lookup: { scope: 'none', find: async (_type, value) => [value] },
      expand: (parts) => expandPlan(parts, (bound) => Math.floor(Math.random() * bound)),
    });
    const installed = new InstalledBlueprint(runtime, path, plan, capabilities);
    for (const instance of installed.#ordered()) {
      await installed.#runAll(instance, ['create'], ['preconfigure'], ['configure', 'start'], ['establish']);
    }
    return installed;
  }

  /** Goes on with another runtime. */
  over(runtime: Runtime): this {
    this.#runtime = runtime;
    return this;
  }

  async uninstall(): Promise<void> {
    for (const instance of this.#ordered().reverse()) {
      await this.#runAll(instance, ['stop'], ['unlink'], ['delete'], []);
    }
  }

  /** The instances of a node. */
  instancesOf(node: string): string[] {
    return [...this.instances.values()].filter(({ nodeId }) => nodeId === node).map(({ id }) => id);
  }

  /** An output of the blueprint, when it is an attribute of a node with one instance. */
  output(name: string): Json | undefined {
    const value = this.#plan.outputs[name]?.value as { get_attribute?: [string, string] } | undefined;
    const [node, attribute] = value?.get_attribute ?? ['', ''];
    return this.properties(this.instancesOf(node)[0] ?? '')[attribute];
  }

  override async readResource(_context: OperationContext, path: string): Promise<Uint8Array> {
    return readFile(join(this.#folder, path)).catch(() => {
      throw new GantryError('not_found_error', `Resource not found: ${path}`);
    });
  }

  override async evaluateFunctions(_context: OperationContext, payload: JsonObject): Promise<Evaluated<JsonObject>> {
    const evaluate = (value: Json): Json => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return value;
      }
      const path = value['get_capability'];
      if (Array.isArray(path)) {
        return path
          .slice(1)
          .reduce<Json>((found, key) => (found as JsonObject)[pythonText(key)] ?? null, this.#capabilities);
      }
      return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, evaluate(member)]));
    };
    return { value: evaluate(payload) as JsonObject };
  }

  #ordered(): PlanNodeInstance[] {
    const ordered: PlanNodeInstance[] = [];
    const place = (instance: PlanNodeInstance): void => {
      for (const { target_id } of instance.relationships) {
        const target = this.#plan.node_instances.find(({ id }) => id === target_id);
        if (target !== undefined) {
          place(target);
        }
      }
      if (!ordered.includes(instance)) {
        ordered.push(instance);
      }
    };
    this.#plan.node_instances.forEach(place);
    return ordered;
  }

  #nodeOf(instance: PlanNodeInstance): PlanNode {
    const node = this.#plan.nodes.find(({ id }) => id === instance.name);
    if (node === undefined) {
      throw new Error(`No node ${instance.name}`);
    }
    return node;
  }

  async #runAll(instance: PlanNodeInstance, ...steps: [string[], string[], string[], string[]]): Promise<void> {
    const [before, linksBefore, after, linksAfter] = steps;
    await this.#runLifecycle(instance, before);
    await this.#runRelationships(instance, linksBefore);
    await this.#runLifecycle(instance, after);
    await this.#runRelationships(instance, linksAfter);
  }

  async #runLifecycle(instance: PlanNodeInstance, names: string[]): Promise<void> {
    for (const name of names) {
      const operation = this.#nodeOf(instance).operations[`cloudify.interfaces.lifecycle.${name}`];
      await this.#run(operation, { node_id: instance.id, node_name: instance.name });
    }
  }

  async #runRelationships(instance: PlanNodeInstance, names: string[]): Promise<void> {
    for (const name of names) {
      for (const relationship of instance.relationships) {
        const declared = this.#nodeOf(instance).relationships.find(
          (entry) => entry.target_id === relationship.target_name && entry.type === relationship.type,
        );
        const operation = `cloudify.interfaces.relationship_lifecycle.${name}`;
        const [source, target] = [
          { node_id: instance.id, node_name: instance.name },
          { node_id: relationship.target_id, node_name: relationship.target_name },
        ];
        await this.#run(declared?.source_operations[operation], { ...source, related: { ...target, is_target: true } });
        await this.#run(declared?.target_operations[operation], {
          ...target,
          related: { ...source, is_target: false },
        });
      }
    }
  }

  async #run(operation: PlanOperation | undefined, more: Partial<OperationContext>): Promise<void> {
    if (operation === undefined || operation.operation === '') {
      return;
    }
    const context = contextOf(operation.operation, {
      ...more,
      plugin: { name: operation.plugin },
      has_intrinsic_functions: JSON.stringify(operation.inputs).includes('get_capability'),
    });
    resultOf(await this.#runtime.run({ context, inputs: operation.inputs }, this));
  }
}
