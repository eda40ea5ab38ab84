import type { Json, JsonObject } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type {
  Consumer,
  EvaluationData,
  EvaluationNode,
  EvaluationNodeInstance,
  OtherDeployment,
  SystemFacts,
} from './data.ts';
import { Suspended } from './data.ts';
import { evaluationError, missingReference } from './errors.ts';
import { unknownInput } from './input.ts';
import type { EvaluationStorage } from './storage.ts';

/** Facts of one kind, by name: loaded ones, those known to be missing, and those still to be loaded. */
class Facts<Fact> {
  readonly known = new Map<string, Fact | undefined>();
  readonly wanted = new Set<string>();

  /** @returns undefined when there is no such fact */
  get(name: string): Fact | undefined {
    if (this.known.has(name)) {
      return this.known.get(name);
    }
    this.wanted.add(name);
    throw suspended;
  }

  /** Asks for a fact without needing it yet. */
  want(name: string): void {
    if (!this.known.has(name)) {
      this.wanted.add(name);
    }
  }

  /** Loads all wanted facts at once. */
  async load(fetch: (names: readonly string[]) => Promise<Iterable<readonly [string, Fact]>>): Promise<void> {
    if (this.wanted.size === 0) {
      return;
    }
    const names = [...this.wanted];
    this.wanted.clear();
    const found = await fetch(names);
    for (const [name, fact] of found) {
      this.known.set(name, fact);
    }
    for (const name of names) {
      if (!this.known.has(name)) {
        this.known.set(name, undefined);
      }
    }
  }
}

// One object for all suspensions: they are frequent, and nobody looks at their stack.
const suspended = new Suspended();
const ONLY = '';

interface LoadedDeployment extends OtherDeployment {
  data: LoadedData;
}

/**
 * The facts of a running deployment as far as they are loaded. Asking for one that is not suspends the evaluation;
 * {@link load} then fetches everything asked for, one query per kind.
 */
export class LoadedData implements EvaluationData {
  readonly isStatic = false;
  readonly #storage: EvaluationStorage;
  readonly #inputs = new Facts<JsonObject>();
  readonly #nodes = new Facts<EvaluationNode>();
  readonly #instances = new Facts<EvaluationNodeInstance>();
  readonly #instancesOf = new Facts<readonly EvaluationNodeInstance[]>();
  readonly #secrets = new Facts<string>();
  readonly #deployments = new Facts<LoadedDeployment>();
  readonly #groups = new Facts<readonly string[]>();
  readonly #labels = new Facts<readonly string[]>();
  readonly #consumers = new Facts<readonly Consumer[]>();
  readonly #system = new Facts<SystemFacts>();

  constructor(storage: EvaluationStorage) {
    this.#storage = storage;
  }

  /** Makes a node known without loading it. */
  addNode(node: EvaluationNode): void {
    this.#nodes.known.set(node.id, node);
  }

  /** Makes an instance known without loading it. */
  addInstance(instance: EvaluationNodeInstance): void {
    this.#instances.known.set(instance.id, instance);
  }

  input(name: string): Json {
    const inputs = this.#inputs.get(ONLY) ?? {};
    if (!Object.hasOwn(inputs, name)) {
      throw unknownInput(name);
    }
    return inputs[name] as Json;
  }

  node(id: string): EvaluationNode {
    const node = this.#nodes.get(id);
    if (node === undefined) {
      throw missingReference(`Node not found: ${id}`);
    }
    return node;
  }

  instance(id: string): EvaluationNodeInstance {
    const instance = this.findInstance(id);
    if (instance === undefined) {
      throw missingReference(`Node instance not found: ${id}`);
    }
    return instance;
  }

  findInstance(id: string): EvaluationNodeInstance | undefined {
    return this.#instances.get(id);
  }

  instancesOf(nodeId: string): readonly EvaluationNodeInstance[] {
    // Whoever reads instances reads their node next.
    this.#nodes.want(nodeId);
    return this.#instancesOf.get(nodeId) ?? [];
  }

  secret(name: string): string {
    const value = this.#secrets.get(name);
    if (value === undefined) {
      throw new DslError('UnknownSecretError', `Secret \`${name}\` does not exist in this tenant`);
    }
    return value;
  }

  deployment(id: string): OtherDeployment | undefined {
    return this.#deployments.get(id);
  }

  groupMembers(groupId: string): readonly string[] {
    const members = this.#groups.get(groupId);
    if (members === undefined) {
      throw evaluationError('get_group_capability', `Deployment group ${groupId} does not exist`);
    }
    return members;
  }

  labelValues(key: string): readonly string[] {
    return this.#labels.get(key) ?? [];
  }

  consumers(): readonly Consumer[] {
    return this.#consumers.get(ONLY) ?? [];
  }

  system(): SystemFacts {
    const facts = this.#system.get(ONLY);
    if (facts === undefined) {
      throw missingReference('The facts of the deployment are not known');
    }
    return facts;
  }

  /** Loads everything asked for so far, of the deployments whose capabilities are read too. */
  async load(): Promise<void> {
    const others = [...this.#deployments.known.values()];
    await Promise.all([this.#loadOwn(), ...others.map((other) => other?.data.load())]);
  }

  async #loadOwn(): Promise<void> {
    const storage = this.#storage;
    const single = async <Fact>(fact: Promise<Fact>): Promise<[string, Fact][]> => [[ONLY, await fact]];
    await Promise.all([
      this.#inputs.load(() => single(storage.inputs())),
      this.#nodes.load(async (ids) => (await storage.nodes(ids)).map((node) => [node.id, node] as const)),
      this.#instances.load(async (ids) => byId(await storage.instances(ids))),
      this.#instancesOf.load((nodeIds) => this.#loadInstancesOf(nodeIds)),
      this.#secrets.load((names) => storage.secrets(names)),
      this.#deployments.load((ids) => this.#loadDeployments(ids)),
      this.#groups.load((ids) => storage.groupMembers(ids)),
      this.#labels.load((keys) => storage.labelValues(keys)),
      this.#consumers.load(() => single(storage.consumers())),
      this.#system.load(() => single(storage.system())),
    ]);
  }

  async #loadInstancesOf(nodeIds: readonly string[]): Promise<Map<string, EvaluationNodeInstance[]>> {
    const byNode = new Map<string, EvaluationNodeInstance[]>();
    for (const instance of await this.#storage.instancesOf(nodeIds)) {
      this.#instances.known.set(instance.id, instance);
      const siblings = byNode.get(instance.nodeId);
      if (siblings === undefined) {
        byNode.set(instance.nodeId, [instance]);
      } else {
        siblings.push(instance);
      }
    }
    return byNode;
  }

  async #loadDeployments(ids: readonly string[]): Promise<[string, LoadedDeployment][]> {
    const owners = await this.#storage.deployments(ids);
    return [...owners].map(([id, { capabilities, storage }]) => [id, { capabilities, data: new LoadedData(storage) }]);
  }
}

function byId(instances: readonly EvaluationNodeInstance[]): [string, EvaluationNodeInstance][] {
  return instances.map((instance) => [instance.id, instance]);
}
