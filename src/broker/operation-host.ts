import type { Config } from '../config/config.ts';
import type { Clock } from '../domain/clock.ts';
import { GantryError, notFound } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { Node, NodeInstance } from '../domain/topology.ts';
import type { RevealSecret } from '../domain/resources.ts';
import { evaluateFunctions, evaluateInstanceFunctions, evaluateNodeFunctions } from '../dsl/functions/index.ts';
import type { EvaluationStorage, PayloadContext } from '../dsl/functions/index.ts';
import type { FileStore } from '../files/file-store.ts';
import type { EventSink } from '../recorder/event-sink.ts';
import type {
  Evaluated,
  ManagerQuestion,
  NodeInstanceChange,
  OperationContext,
  OperationHost,
  OperationLog,
} from '../runtime/types.ts';
import type { Database } from '../store/database.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import { getNodeInstance, loadNodeInstances, updateNodeInstance } from '../store/node-instances.ts';
import { loadNodes } from '../store/nodes.ts';
import type { ExecutionFact } from './execution-facts.ts';
import { ExecutionFacts } from './execution-facts.ts';
import { answerQuestion } from './manager-questions.ts';
import { operationLog, pluginEvent } from './operation-events.ts';
import { patientHost } from './patient-host.ts';
import { recordingStorage } from './recording-storage.ts';
import { ResourceFiles } from './resource-files.ts';

export interface OperationHostDependencies {
  config: Config;
  database: Database;
  clock: Clock;
  files: FileStore;
  /** Where log lines go. */
  sink: EventSink;
  reveal: RevealSecret;
}

/** Makes the effects of operations that run on the manager: on its store and its files, without any request. */
export function makeOperationHost(dependencies: OperationHostDependencies): OperationHost {
  return patientHost(new StoreHost(dependencies));
}

/** Evaluates in the deployment of the operation, on behalf of the creator of its execution. */
interface Evaluation {
  readonly storage: EvaluationStorage;
  readonly secrets: Set<string>;
}

class StoreHost implements OperationHost {
  readonly #dependencies: OperationHostDependencies;
  readonly #facts: ExecutionFacts;
  readonly #resources: ResourceFiles;

  constructor(dependencies: OperationHostDependencies) {
    this.#dependencies = dependencies;
    this.#facts = new ExecutionFacts(dependencies.database);
    this.#resources = new ResourceFiles(dependencies.database, dependencies.files);
  }

  async getNode(context: OperationContext, nodeId: string, instanceId: string): Promise<Evaluated<Node>> {
    const fact = await this.#facts.get(context.execution_id);
    const [node] = await loadNodes(this.#dependencies.database, deploymentOf(fact), [nodeId]);
    if (!node) {
      throw notFound('Node', nodeId);
    }
    const { storage, secrets } = await this.#evaluation(fact);
    const self = { id: node.id, properties: node.properties, relationships: node.relationships };
    const { properties } = await evaluateNodeFunctions({ properties: node.properties }, self, storage, instanceId);
    return { value: { ...node, properties }, secrets: [...secrets] };
  }

  async getNodeInstance(context: OperationContext, instanceId: string): Promise<Evaluated<NodeInstance>> {
    const fact = await this.#facts.get(context.execution_id);
    const instance = await this.#readInstance(fact, instanceId);
    const { storage, secrets } = await this.#evaluation(fact);
    const runtimeProperties = await evaluateInstanceFunctions(instance, storage);
    return { value: { ...instance, runtimeProperties }, secrets: [...secrets] };
  }

  async updateNodeInstance(context: OperationContext, instanceId: string, change: NodeInstanceChange): Promise<number> {
    const fact = await this.#facts.get(context.execution_id);
    const scope = await this.#facts.scopeOf(fact);
    const { version, runtimeProperties } = change;
    // the state is the engine's to change; what an operation read of it may be old
    const stored = await updateNodeInstance(
      this.#dependencies.database,
      scope,
      instanceId,
      { version, runtimeProperties },
      { force: change.force === true },
    );
    return stored.version;
  }

  async evaluateFunctions(context: OperationContext, payload: JsonObject): Promise<Evaluated<JsonObject>> {
    const fact = await this.#facts.get(context.execution_id);
    const { storage, secrets } = await this.#evaluation(fact);
    const value = await evaluateFunctions(payload, viewpointOf(context), storage);
    return { value, secrets: [...secrets] };
  }

  async getSecret(context: OperationContext, key: string): Promise<string> {
    const fact = await this.#facts.get(context.execution_id);
    const { storage } = await this.#evaluation(fact);
    const value = (await storage.secrets([key])).get(key);
    if (value === undefined) {
      throw notFound('Secret', key);
    }
    return value;
  }

  async readResource(context: OperationContext, path: string): Promise<Uint8Array> {
    return this.#resources.read(await this.#facts.get(context.execution_id), path);
  }

  async downloadResource(context: OperationContext, path: string, target: string): Promise<void> {
    await this.#resources.copy(await this.#facts.get(context.execution_id), path, target);
  }

  async writeDeploymentFile(context: OperationContext, path: string, content: Uint8Array): Promise<void> {
    await this.#resources.write(await this.#facts.get(context.execution_id), path, content);
  }

  async deleteDeploymentFile(context: OperationContext, path: string): Promise<void> {
    await this.#resources.remove(await this.#facts.get(context.execution_id), path);
  }

  async ask(context: OperationContext, question: ManagerQuestion): Promise<Json> {
    return answerQuestion(this.#dependencies.database, context, question);
  }

  log(context: OperationContext, entry: OperationLog): void | Promise<void> {
    const { config, clock } = this.#dependencies;
    const now = clock.now();
    return this.#write(context, (fact) => operationLog(context, fact, config.instanceName, now, entry));
  }

  sendEvent(context: OperationContext, message: string): void | Promise<void> {
    const { config, clock } = this.#dependencies;
    const now = clock.now();
    return this.#write(context, (fact) => pluginEvent(context, fact, config.instanceName, now, message));
  }

  #write(
    context: OperationContext,
    make: (fact: ExecutionFact) => Parameters<EventSink['add']>[0],
  ): void | Promise<void> {
    const { sink } = this.#dependencies;
    const known = this.#facts.peek(context.execution_id);
    if (known) {
      return sink.add(make(known));
    }
    return this.#facts.get(context.execution_id).then(
      (fact) => sink.add(make(fact)),
      // lines of an execution that is gone have no place in the store
      () => undefined,
    );
  }

  async #evaluation(fact: ExecutionFact): Promise<Evaluation> {
    const { database, reveal } = this.#dependencies;
    const { viewer } = await this.#facts.scopeOf(fact);
    const secrets = new Set<string>();
    const deployment = { storageId: deploymentOf(fact), tenantId: fact.tenantId };
    const storage = createEvaluationStorage(database, deployment, { viewer, reveal });
    return { storage: recordingStorage(storage, secrets), secrets };
  }

  /** An instance of the deployment, or of another one that the creator of the execution may see. */
  async #readInstance(fact: ExecutionFact, instanceId: string): Promise<NodeInstance> {
    const { database } = this.#dependencies;
    const [own] = await loadNodeInstances(database, deploymentOf(fact), [instanceId]);
    if (own) {
      return own;
    }
    const { relationships, ...row } = await getNodeInstance(database, await this.#facts.scopeOf(fact), instanceId);
    return {
      ...row,
      relationships: relationships.map((relationship) => ({
        type: textOf(relationship['type']),
        targetName: textOf(relationship['target_name']),
        targetId: textOf(relationship['target_id']),
      })),
    };
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function deploymentOf(fact: ExecutionFact): number {
  if (fact.deploymentStorageId === undefined) {
    throw new GantryError('not_found_error', `Execution ${fact.id} has no deployment, or it is gone`);
  }
  return fact.deploymentStorageId;
}

/** From whose point of view functions of the operation's inputs are evaluated. */
function viewpointOf({ node_id: self, node_name: node, related }: OperationContext): PayloadContext {
  if (!related) {
    return self ? { self } : {};
  }
  return related.is_target
    ? { source: self ?? '', target: related.node_id, sourceNode: node ?? '', targetNode: related.node_name }
    : { source: related.node_id, target: self ?? '', sourceNode: related.node_name, targetNode: node ?? '' };
}
