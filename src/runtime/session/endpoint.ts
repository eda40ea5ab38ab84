import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { Node, NodeInstance } from '../../domain/topology.ts';
import { RecoverableError } from '../sdk.ts';
import type { Evaluated, OperationContext, OperationHost } from '../types.ts';
import { LiveProperties } from './live-properties.ts';
import type { SecretFilter } from './secret-filter.ts';

/** Attempts to save against others who save the same instance at the same time. */
const saveAttempts = 10;

/** A node and its instance as one operation sees them: read when first asked for, saved when changed. */
export class Endpoint {
  readonly nodeId: string;
  readonly instanceId: string;
  readonly #context: OperationContext;
  readonly #host: OperationHost;
  readonly #secrets: SecretFilter;
  #node: Promise<Node> | undefined;
  #instance: Promise<NodeInstance> | undefined;
  #properties: Promise<LiveProperties> | undefined;
  #version: number | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(
    nodeId: string,
    instanceId: string,
    context: OperationContext,
    host: OperationHost,
    secrets: SecretFilter,
  ) {
    this.nodeId = nodeId;
    this.instanceId = instanceId;
    this.#context = context;
    this.#host = host;
    this.#secrets = secrets;
  }

  node(): Promise<Node> {
    this.#node ??= this.#keep(this.#host.getNode(this.#context, this.nodeId, this.instanceId), () => {
      this.#node = undefined;
    });
    return this.#node;
  }

  instance(): Promise<NodeInstance> {
    this.#instance ??= this.#keep(this.#host.getNodeInstance(this.#context, this.instanceId), () => {
      this.#instance = undefined;
    });
    return this.#instance;
  }

  async nodeProperties(): Promise<JsonObject> {
    return (await this.node()).properties;
  }

  properties(): Promise<LiveProperties> {
    this.#properties ??= this.instance().then(
      (instance) => {
        this.#version = instance.version;
        return new LiveProperties(instance.runtimeProperties);
      },
      (thrown: unknown) => {
        this.#properties = undefined;
        throw thrown;
      },
    );
    return this.#properties;
  }

  /**
   * Saves changed runtime properties. Changes others made meanwhile to other properties are kept.
   * @throws RecoverableError when another operation changed the same property to something else
   */
  save(): Promise<void> {
    if (this.#properties === undefined) {
      return Promise.resolve();
    }
    const saved = this.#saving.then(() => this.#saveNow());
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  /** Reads everything again when next asked for. @throws Error when there are unsaved changes, unless `isForced` */
  async refresh(isForced = false): Promise<void> {
    const properties = await this.#properties;
    if (properties?.isDirty === true && !isForced) {
      throw new Error('There are unsaved changes of runtime properties: update before refresh, or force it');
    }
    this.#node = undefined;
    this.#instance = undefined;
    this.#properties = undefined;
  }

  async #saveNow(): Promise<void> {
    const properties = await this.#properties;
    if (properties === undefined || !properties.isDirty) {
      return;
    }
    const instance = await this.instance();
    for (let attempt = 1; ; attempt += 1) {
      const change = {
        version: this.#version ?? instance.version,
        runtimeProperties: properties.toJSON(),
        changedKeys: properties.changedKeys,
        state: instance.state,
      };
      try {
        this.#version = await this.#host.updateNodeInstance(this.#context, this.instanceId, change);
        properties.markSaved(change.runtimeProperties);
        return;
      } catch (thrown) {
        if (!isConflict(thrown) || attempt === saveAttempts) {
          throw thrown;
        }
        await this.#rebase(properties);
      }
    }
  }

  async #rebase(properties: LiveProperties): Promise<void> {
    this.#instance = undefined;
    const instance = await this.instance();
    const clashes = properties.rebase(instance.runtimeProperties);
    if (clashes.length > 0) {
      throw new RecoverableError(
        `Runtime properties ${clashes.map((key) => `'${key}'`).join(', ')} of node instance '${this.instanceId}' ` +
          `were changed by another operation while this one ran`,
      );
    }
    this.#version = instance.version;
  }

  /** Takes the secrets out of an answer; a failed read is not kept, so that it can be tried again. */
  #keep<Value>(answer: Promise<Evaluated<Value>>, forget: () => void): Promise<Value> {
    return answer.then(
      (evaluated) => {
        this.#secrets.add(evaluated.secrets ?? []);
        return evaluated.value;
      },
      (thrown: unknown) => {
        forget();
        throw thrown;
      },
    );
  }
}

function isConflict(thrown: unknown): boolean {
  return thrown instanceof GantryError && thrown.code === 'conflict_error';
}
