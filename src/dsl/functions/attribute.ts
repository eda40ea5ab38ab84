import type { Json, JsonObject } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationNodeInstance } from './data.ts';
import type { Evaluation, FunctionDefinition } from './definition.ts';
import { argumentError, evaluationError, missingReference } from './errors.ts';
import { resolveInstance } from './instance-resolution.ts';
import type { FunctionPlace, FunctionScope } from './place.ts';
import type { PlanReader } from './plan-reader.ts';
import { pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import { isNestedPath, step } from './walk.ts';

/** `{get_attribute: [node | SELF | SOURCE | TARGET, attribute, key or index, ...]}` */
export const getAttribute: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ name, argument }) {
    checkAttributePath(name, argument, argument);
  },

  validate({ name, argument }, place, plan) {
    const [node, ...items] = argument as Json[];
    if (!items.some(isFunction)) {
      validateNodeReference(name, node as Json, place, plan);
    }
  },

  evaluate({ argument }, context, evaluation, path) {
    const [node, ...items] = argument as Json[];
    let instance: EvaluationNodeInstance;
    try {
      instance = resolveInstance(pythonText(node), items, context, path, evaluation.dataOf(context));
    } catch (error) {
      if (context.showsErrors === true && isEvaluationError(error)) {
        return { value: `<ERROR: ${error.message}>`, context };
      }
      throw error;
    }
    return readAttribute('get_attribute', instance, items, context, evaluation, path);
  },
};

function isEvaluationError(error: unknown): error is DslError {
  return error instanceof DslError && error.className === 'FunctionEvaluationError';
}

/**
 * Checks that `list` is a node followed by at least one path item.
 *
 * @throws DslError ValueError
 */
export function checkAttributePath(name: string, list: Json, argument: Json): void {
  if (isNestedPath(list)) {
    return;
  }
  throw argumentError(
    `Illegal arguments passed to ${name} function. Expected: [ node name\\function, attribute name\\function ` +
      `[, nested attribute\\function, ...] ] but got: ${pythonText(argument)}.`,
  );
}

const KEYWORDS_WITHOUT_MEANING: { [scope in FunctionScope]?: readonly string[] } = {
  outputs: ['SELF', 'SOURCE', 'TARGET'],
  node_template_relationship: ['SELF'],
  node_template: ['SOURCE', 'TARGET'],
};

/**
 * Checks that the node an attribute is read of exists, or that the keyword in its place means something there.
 *
 * @throws DslError ValueError or KeyError
 */
export function validateNodeReference(name: string, node: Json, place: FunctionPlace, plan: PlanReader): void {
  if (isFunction(node)) {
    return;
  }
  const reference = pythonText(node);
  if (reference === 'SELF' || reference === 'SOURCE' || reference === 'TARGET') {
    const scope = place.scope as FunctionScope;
    const meaningless = KEYWORDS_WITHOUT_MEANING[scope];
    if (meaningless === undefined) {
      throw missingReference(`${reference} cannot be used with ${name} function in ${scope}: ${place.path}`);
    }
    if (meaningless.includes(reference)) {
      throw argumentError(`${reference} cannot be used with ${name} function in ${place.path}`);
    }
  } else if (plan.node(reference) === undefined) {
    throw missingReference(`${name} function node reference '${reference}' does not exist.`);
  }
}

/**
 * Reads an attribute of an instance: from its runtime properties, else the instance's own id or index, else from the
 * properties of its node. What is nowhere is null.
 *
 * @throws DslError FunctionEvaluationError when a list is given a key
 */
export function readAttribute(
  name: string,
  instance: EvaluationNodeInstance,
  items: readonly Json[],
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): { value: Json; context: EvaluationContext; source?: string } {
  const owner = evaluation.contextOf(context, instance.nodeId, instance.id);
  const found = (value: Json, from: string) => ({
    value,
    context: owner,
    source: evaluation.sourceOf(owner, `${from} ${JSON.stringify(items)}`),
  });
  const walk = (root: JsonObject) => walkAttribute(name, root, items, owner, evaluation, path);

  const runtimeValue = walk(instance.runtimeProperties);
  if (runtimeValue !== null) {
    return found(runtimeValue, `${instance.id}.runtime_properties`);
  }
  if (items.length === 1 && items[0] === 'node_instance_id') {
    return { value: instance.id, context };
  }
  if (items.length === 1 && items[0] === 'node_instance_index') {
    return { value: instance.index, context };
  }
  return found(walk(evaluation.dataOf(context).node(instance.nodeId).properties), `${instance.nodeId}.properties`);
}

function walkAttribute(
  name: string,
  root: JsonObject,
  items: readonly Json[],
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): Json {
  let value: Json = root;
  for (const item of items) {
    if (isFunction(value)) {
      value = evaluation.evaluateStep(value, context, path);
    }
    const result = step(value, item);
    if (result.found) {
      value = result.value;
    } else if (result.failure.reason === 'not an index') {
      throw evaluationError(
        name,
        `attribute '${items.map(pythonText).join('.')}' referenced from '${path}' is expected ${pythonText(item)} to ` +
          `be an int but it is a ${pythonTypeName(item)}.`,
      );
    } else {
      return null;
    }
  }
  return value;
}
