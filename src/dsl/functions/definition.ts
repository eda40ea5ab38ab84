import type { Json } from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationData } from './data.ts';
import type { FunctionPlace } from './place.ts';
import type { PlanReader } from './plan-reader.ts';
import type { IntrinsicFunction } from './recognise.ts';

/** The result of applying one function: evaluated further in its own context. */
export interface Outcome {
  value: Json;
  context: EvaluationContext;
  /** Names the place the value was read from; reading the same place again inside its own value is a circle. */
  source?: string;
}

/** What a function may ask of the evaluation it is part of. */
export interface Evaluation {
  /** The facts that count in a context. */
  dataOf(context: EvaluationContext): EvaluationData;
  /** The context of values that belong to another deployment, e.g. its capabilities. */
  contextOfDeployment(data: EvaluationData): EvaluationContext;
  /** The context of values that belong to a node, or to one of its instances. */
  contextOf(base: EvaluationContext, nodeId: string, instanceId?: string): EvaluationContext;
  /** Evaluates a value met on the way to another one. The result is a function again when it cannot be evaluated yet. */
  evaluateStep(value: Json, context: EvaluationContext, path: string): Json;
  /** Does some work for every item; when some must wait, it goes on with the others first. */
  forEach<Item, Result>(items: readonly Item[], work: (item: Item) => Result): Result[];
  /** A name for `place` as seen from `context`; see {@link Outcome.source}. */
  sourceOf(context: EvaluationContext, place: string): string;
}

/** Everything about one intrinsic function. */
export interface FunctionDefinition {
  /** `hybrid` functions are evaluated when a deployment plan is prepared, `runtime` ones against a deployment only. */
  readonly evaluation: 'hybrid' | 'runtime';
  /**
   * Checks the shape of the argument.
   *
   * @throws DslError ValueError or FunctionValidationError
   */
  checkShape(call: IntrinsicFunction): void;
  /** Checks what the argument refers to, once a blueprint is parsed. The shape was checked before. */
  validate?(call: IntrinsicFunction, place: FunctionPlace, plan: PlanReader): void;
  /**
   * Evaluates the call; functions inside its argument were evaluated before where that was possible.
   *
   * @returns undefined when the call must stay as it is for now
   */
  evaluate(
    call: IntrinsicFunction,
    context: EvaluationContext,
    evaluation: Evaluation,
    path: string,
  ): Outcome | undefined;
}
