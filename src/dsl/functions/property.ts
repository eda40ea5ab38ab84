import type { Json } from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import type { Evaluation, FunctionDefinition } from './definition.ts';
import { argumentError, evaluationError, missingReference } from './errors.ts';
import type { FunctionPlace } from './place.ts';
import type { PlanReader } from './plan-reader.ts';
import { pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import type { WalkFailure } from './walk.ts';
import { isNestedPath, step } from './walk.ts';

/** `{get_property: [node | SELF | SOURCE | TARGET, property, key or index, ...]}` */
export const getProperty: FunctionDefinition = {
  evaluation: 'hybrid',

  checkShape({ argument }) {
    if (isNestedPath(argument)) {
      return;
    }
    throw argumentError(
      'Illegal arguments passed to get_property function. Expected: [ node name\\function, property name\\function ' +
        `[, nested property\\function, ...] ] but got: ${pythonText(argument)}.`,
    );
  },

  validate({ argument }, place, plan) {
    const [node, ...items] = argument as Json[];
    if (isFunction(node) || items.some(isFunction)) {
      return;
    }
    const target = nodeOfPlace(pythonText(node), place, plan);
    let value: Json = target.properties;
    for (const item of items) {
      // What a function gives is known only once a deployment is created.
      if (isFunction(value)) {
        return;
      }
      const result = step(value, item);
      if (!result.found) {
        throw missingProperty(target.name, items, item, result.failure, place.path);
      }
      value = result.value;
    }
  },

  evaluate({ argument }, context, evaluation, path) {
    const [node, ...items] = argument as Json[];
    if (isFunction(node) || items.some(isFunction)) {
      throw evaluationError(
        'get_property',
        `found an unresolved argument in path: ${pythonText(node)}, ${pythonText(items)}`,
      );
    }
    const owner = contextOfNode(pythonText(node), context, evaluation, path);
    const nodeId = owner.nodeId as string;
    let value: Json = evaluation.dataOf(context).node(nodeId).properties;
    for (const item of items) {
      if (isFunction(value)) {
        value = evaluation.evaluateStep(value, owner, path);
        if (isFunction(value)) {
          return undefined;
        }
      }
      const result = step(value, item);
      if (!result.found) {
        throw missingProperty(nodeId, items, item, result.failure, path);
      }
      value = result.value;
    }
    const source = evaluation.sourceOf(owner, `${nodeId}.properties ${JSON.stringify(items)}`);
    return { value, context: owner, source };
  },
};

function nodeOfPlace(name: string, place: FunctionPlace, plan: PlanReader) {
  checkKeyword(name, place.scope, place.path);
  const wanted =
    name === 'SELF' || name === 'SOURCE' ? place.node?.name : name === 'TARGET' ? place.relationship?.target_id : name;
  const node = wanted === undefined ? undefined : plan.node(wanted);
  if (node === undefined) {
    throw missingReference(`Node ${wanted ?? name} does not exist`);
  }
  return node;
}

/** The context of the node that is named, with the instance it stands for when that is known. */
function contextOfNode(
  name: string,
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): EvaluationContext {
  checkKeyword(name, context.scope, path);
  switch (name) {
    case 'SELF':
      return contextOfInstance(context, context.nodeId, context.self, name, evaluation, path);
    case 'SOURCE':
      return contextOfInstance(context, context.sourceNodeId, context.source, name, evaluation, path);
    case 'TARGET':
      return contextOfInstance(context, context.targetNodeId, context.target, name, evaluation, path);
    default:
      return evaluation.contextOf(context, name);
  }
}

function contextOfInstance(
  context: EvaluationContext,
  nodeId: string | undefined,
  instanceId: string | undefined,
  keyword: string,
  evaluation: Evaluation,
  path: string,
): EvaluationContext {
  const id = nodeId ?? (instanceId === undefined ? undefined : evaluation.dataOf(context).instance(instanceId).nodeId);
  if (id === undefined) {
    throw evaluationError('get_property', `${keyword} is missing in request context in ${path}`);
  }
  return evaluation.contextOf(context, id, instanceId);
}

function checkKeyword(name: string, scope: string | undefined, path: string): void {
  if (name === 'SELF' && scope !== 'node_template') {
    throw argumentError(
      `SELF can only be used in a context of node template but appears in ${scope ?? 'a value without one'}.`,
    );
  }
  if ((name === 'SOURCE' || name === 'TARGET') && scope !== 'node_template_relationship') {
    throw argumentError(`${name} can only be used within a relationship but is used in ${path}`);
  }
}

function missingProperty(node: string, items: readonly Json[], item: Json, failure: WalkFailure, path: string): Error {
  const property = `Node template property '${node}.properties.${items.map(pythonText).join('.')}' referenced from '${path}'`;
  switch (failure.reason) {
    case 'not an index':
      return evaluationError(
        'get_property',
        `${property} is expected ${pythonText(item)} to be an int but it is a ${pythonTypeName(item)}.`,
      );
    case 'out of range':
      return evaluationError(
        'get_property',
        `${property} index is out of range. Got ${pythonText(item)} but list size is ${String(failure.size)}.`,
      );
    default:
      return evaluationError('get_property', `${property} doesn't exist.`);
  }
}
