import type { Json, JsonObject } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationData } from './data.ts';
import { Suspended } from './data.ts';
import type { Evaluation, Outcome } from './definition.ts';
import { evaluationError, recursionError } from './errors.ts';
import { setKey } from './mapping.ts';
import type { IntrinsicFunction } from './recognise.ts';
import { isMapping, parseFunction } from './recognise.ts';
import { FUNCTIONS } from './registry.ts';

/** Structural levels a value may have, functions' arguments and what they evaluate to included. */
export const MAXIMUM_DEPTH = 50;

/** Values one evaluation may produce: functions that read each other can describe far more than fits in memory. */
const MAXIMUM_VALUES = 20_000_000;

/** Produced characters that count as one value. */
const CHARACTERS_PER_VALUE = 64;

interface Remembered {
  value: Json;
  /** What producing the value counted for. */
  cost: number;
}

/**
 * Evaluates values that hold intrinsic functions. Nothing is changed in place: a value comes back as the same object
 * when nothing in it was evaluated.
 *
 * What functions read (a property, an input, an attribute) is evaluated once per place and context, and reading a place
 * within its own evaluation is an error, so that evaluation always ends.
 */
export class Evaluator implements Evaluation {
  readonly #data: EvaluationData;
  readonly #leavesFunctions: boolean;
  readonly #contextNumbers = new WeakMap<EvaluationContext, number>();
  readonly #contexts = new WeakMap<EvaluationData, Map<string, EvaluationContext>>();
  readonly #remembered = new Map<string, Remembered>();
  readonly #active = new Set<string>();
  #contextCount = 0;
  #cost = 0;
  #depth = 0;

  /** @param options.leavesFunctions check functions but leave them as they are, as deployments that evaluate at run time only do */
  constructor(data: EvaluationData, options: { leavesFunctions?: boolean } = {}) {
    this.#data = data;
    this.#leavesFunctions = options.leavesFunctions === true;
  }

  /**
   * Evaluates one value.
   *
   * @param path where the value stands, for messages
   * @throws DslError when a function fails, Suspended when a fact must be loaded first
   */
  evaluate(value: Json, context: EvaluationContext, path: string): Json {
    if (++this.#depth > MAXIMUM_DEPTH) {
      this.#depth -= 1;
      throw recursionError(
        `The recursion limit (${String(MAXIMUM_DEPTH)}) has been reached while evaluating the deployment. Limit was ` +
          `reached with the following path - ${path}`,
      );
    }
    try {
      return this.#evaluateUntilData(value, context, path);
    } finally {
      this.#depth -= 1;
    }
  }

  /**
   * Evaluates the values of a mapping or list, not the container itself: `{get_input: x}` at the top of a payload is a
   * payload with a key of that name.
   */
  evaluateContents<T extends Json>(container: T, context: EvaluationContext, path: string): T {
    return this.#evaluateChildren(container, context, path) as T;
  }

  evaluateStep(value: Json, context: EvaluationContext, path: string): Json {
    return this.evaluate(value, context, path);
  }

  dataOf(context: EvaluationContext): EvaluationData {
    return context.data ?? this.#data;
  }

  contextOf(base: EvaluationContext, nodeId: string, instanceId?: string): EvaluationContext {
    const { data, instanceHint, showsErrors } = base;
    return this.#remember(this.dataOf(base), {
      data,
      scope: 'node_template',
      nodeId,
      self: instanceId,
      instanceHint,
      showsErrors,
    });
  }

  contextOfDeployment(data: EvaluationData): EvaluationContext {
    return this.#remember(data, { data });
  }

  /** The same object for equal contexts, so that values are remembered by context. */
  #remember(data: EvaluationData, wanted: EvaluationContext): EvaluationContext {
    let contexts = this.#contexts.get(data);
    if (contexts === undefined) {
      this.#contexts.set(data, (contexts = new Map<string, EvaluationContext>()));
    }
    const key = JSON.stringify([wanted.nodeId, wanted.self, wanted.instanceHint, wanted.showsErrors]);
    const context = contexts.get(key) ?? wanted;
    contexts.set(key, context);
    return context;
  }

  forEach<Item, Result>(items: readonly Item[], work: (item: Item) => Result): Result[] {
    const results: Result[] = [];
    let suspended: Suspended | undefined;
    for (const item of items) {
      try {
        results.push(work(item));
      } catch (error) {
        if (!(error instanceof Suspended)) {
          throw error;
        }
        suspended = error;
      }
    }
    if (suspended !== undefined) {
      throw suspended;
    }
    return results;
  }

  sourceOf(context: EvaluationContext, place: string): string {
    let number = this.#contextNumbers.get(context);
    if (number === undefined) {
      number = ++this.#contextCount;
      this.#contextNumbers.set(context, number);
    }
    return `${String(number)} ${place}`;
  }

  #evaluateUntilData(start: Json, startContext: EvaluationContext, path: string): Json {
    const sources: string[] = [];
    let value = start;
    let context = startContext;
    let cost = 0;
    try {
      for (;;) {
        const costBefore = this.#cost;
        value = this.#evaluateChildren(value, context, path);
        cost = this.#cost - costBefore;
        const call = parseFunction(value);
        if (call === undefined) {
          break;
        }
        const outcome = this.#apply(call, context, path);
        if (outcome === undefined) {
          break;
        }
        if (outcome.source !== undefined) {
          const remembered = this.#remembered.get(outcome.source);
          if (remembered !== undefined) {
            ({ value, cost } = remembered);
            this.#spend(cost, path);
            break;
          }
          if (this.#active.has(outcome.source)) {
            // A property that is nothing but a reference to itself stays one until the deployment runs.
            if (this.#data.isStatic && isSameCall(outcome.value, call)) {
              break;
            }
            throw circleError([...this.#active, outcome.source], path);
          }
          this.#active.add(outcome.source);
          sources.push(outcome.source);
        }
        ({ value, context } = outcome);
      }
      for (const source of sources) {
        this.#remembered.set(source, { value, cost });
      }
      return value;
    } finally {
      for (const source of sources) {
        this.#active.delete(source);
      }
    }
  }

  #apply(call: IntrinsicFunction, context: EvaluationContext, path: string): Outcome | undefined {
    const definition = FUNCTIONS[call.name];
    definition.checkShape(call);
    if (this.#leavesFunctions) {
      return undefined;
    }
    if (this.#data.isStatic && definition.evaluation === 'runtime') {
      return undefined;
    }
    return this.#located(path, () => definition.evaluate(call, context, this, path));
  }

  /** Adds to an error where the function stands; the innermost place is the telling one. */
  #located<Result>(path: string, work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof DslError) {
        error.location ??= { path };
      }
      throw error;
    }
  }

  #evaluateChildren(value: Json, context: EvaluationContext, path: string): Json {
    this.#spend(typeof value === 'string' ? 1 + value.length / CHARACTERS_PER_VALUE : 1, path);
    if (Array.isArray(value)) {
      return this.#evaluateItems(value, context, path);
    }
    return isMapping(value) ? this.#evaluateMapping(value, context, path) : value;
  }

  #evaluateItems(items: Json[], context: EvaluationContext, path: string): Json[] {
    let copy: Json[] | undefined;
    let suspended: Suspended | undefined;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index] as Json;
      const result = this.#evaluateChild(item, context, path, index);
      if (result instanceof Suspended) {
        suspended = result;
      } else if (result !== item) {
        (copy ??= [...items])[index] = result;
      }
    }
    if (suspended !== undefined) {
      throw suspended;
    }
    return copy ?? items;
  }

  #evaluateMapping(mapping: JsonObject, context: EvaluationContext, path: string): JsonObject {
    let copy: JsonObject | undefined;
    let suspended: Suspended | undefined;
    for (const key of Object.keys(mapping)) {
      const item = mapping[key] as Json;
      const result = this.#evaluateChild(item, context, path, key);
      if (result instanceof Suspended) {
        suspended = result;
      } else if (result !== item) {
        setKey((copy ??= { ...mapping }), key, result);
      }
    }
    if (suspended !== undefined) {
      throw suspended;
    }
    return copy ?? mapping;
  }

  /** Goes on with the other children when one must wait, so that all that is needed is asked for at once. */
  #evaluateChild(item: Json, context: EvaluationContext, path: string, key: string | number): Json | Suspended {
    const isLeaf = typeof item !== 'object' || item === null;
    if (isLeaf && this.#depth < MAXIMUM_DEPTH) {
      this.#spend(typeof item === 'string' ? 1 + item.length / CHARACTERS_PER_VALUE : 1, path);
      return item;
    }
    const itemPath = typeof key === 'number' ? `${path}[${String(key)}]` : `${path}.${key}`;
    try {
      return this.evaluate(item, context, itemPath);
    } catch (error) {
      if (error instanceof Suspended) {
        return error;
      }
      throw error;
    }
  }

  #spend(cost: number, path: string): void {
    this.#cost += cost;
    if (this.#cost > MAXIMUM_VALUES) {
      throw evaluationError(
        'intrinsic',
        `evaluating ${path} would produce more than ${String(MAXIMUM_VALUES)} values; make the functions there refer ` +
          'to less',
      );
    }
  }
}

function isSameCall(value: Json, call: IntrinsicFunction): boolean {
  return JSON.stringify(value) === JSON.stringify(call.raw);
}

function circleError(sources: readonly string[], path: string): Error {
  const last = sources.at(-1) as string;
  const circle = sources.slice(sources.indexOf(last)).map((source) => source.slice(source.indexOf(' ') + 1));
  return recursionError(`Functions refer to each other in a circle: ${circle.join(' -> ')}, reached from ${path}`);
}
