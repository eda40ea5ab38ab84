import type { Json, JsonObject } from '../../domain/plan.ts';
import { checkAttributePath, readAttribute, validateNodeReference } from './attribute.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationData } from './data.ts';
import type { Evaluation, FunctionDefinition } from './definition.ts';
import { argumentError, evaluationError } from './errors.ts';
import { instanceOfKeyword } from './instance-resolution.ts';
import { setKey } from './mapping.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';

/** `{get_attributes_list: [node, attribute, key or index, ...]}`: one value per instance of the node. */
export const getAttributesList: FunctionDefinition = {
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

  evaluate({ name, argument }, context, evaluation, path) {
    const [node, ...items] = argument as Json[];
    const nodeId = nodeOf(name, pythonText(node), context, evaluation, path);
    const value = evaluation
      .dataOf(context)
      .instancesOf(nodeId)
      .map((instance) => {
        const attribute = readAttribute(name, instance, items, context, evaluation, path);
        return evaluation.evaluateStep(attribute.value, attribute.context, path);
      });
    return { value, context };
  },
};

/** `{get_attributes_dict: [node, attribute | [attribute, key, ...], ...]}`: attributes by instance id. */
export const getAttributesDict: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ name, argument }) {
    if (!Array.isArray(argument) || argument.length < 1) {
      throw argumentError(
        `Illegal arguments passed to ${name} function. Expected: [ node name\\function, attribute ` +
          `or [attribute, nested attribute, ...], ... ] but got: ${pythonText(argument)}.`,
      );
    }
    const [node, ...attributes] = argument;
    const identifiers = new Set<string>();
    const repeated = new Set<string>();
    for (const attribute of attributes) {
      const items = itemsOf(attribute);
      checkAttributePath(name, [node as Json, ...items], argument);
      const identifier = identifierOf(items);
      if (identifiers.has(identifier)) {
        repeated.add(identifier);
      }
      identifiers.add(identifier);
    }
    if (repeated.size > 0) {
      throw evaluationError(
        name,
        `One or more duplicated or ambiguous attribute paths found: ${[...repeated].join(', ')}`,
      );
    }
  },

  validate({ name, argument }, place, plan) {
    const [node, ...attributes] = argument as Json[];
    if (!attributes.flatMap(itemsOf).some(isFunction)) {
      validateNodeReference(name, node as Json, place, plan);
    }
  },

  evaluate({ name, argument }, context, evaluation, path) {
    const [node, ...attributes] = argument as Json[];
    const nodeId = nodeOf(name, pythonText(node), context, evaluation, path);
    const instances = evaluation.dataOf(context).instancesOf(nodeId);
    const value: JsonObject = {};
    evaluation.forEach(instances, (instance) => {
      const values: JsonObject = {};
      evaluation.forEach(attributes.map(itemsOf), (items) => {
        const found = readAttribute(name, instance, items, context, evaluation, path);
        setKey(values, identifierOf(items), evaluation.evaluateStep(found.value, found.context, path));
      });
      setKey(value, instance.id, values);
    });
    return { value, context };
  },
};

function itemsOf(attribute: Json): Json[] {
  return Array.isArray(attribute) ? attribute : [attribute];
}

function identifierOf(items: readonly Json[]): string {
  return items.map(pythonText).join('.');
}

function nodeOf(
  name: string,
  reference: string,
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): string {
  const data = evaluation.dataOf(context);
  const nodeId = nodeOfKeyword(reference, context, data) ?? (isKeyword(reference) ? undefined : reference);
  if (nodeId === undefined) {
    throw evaluationError(name, `${reference} is missing in request context in ${path}`);
  }
  // A node that does not exist is an error; one without instances is not.
  return data.node(nodeId).id;
}

function nodeOfKeyword(reference: string, context: EvaluationContext, data: EvaluationData): string | undefined {
  const instanceId = instanceOfKeyword(reference, context);
  // Contexts written for Cloudify may name the node itself where an instance is expected.
  if (instanceId !== undefined) {
    return data.findInstance(instanceId)?.nodeId ?? instanceId;
  }
  switch (reference) {
    case 'SELF':
      return context.nodeId;
    case 'SOURCE':
      return context.sourceNodeId;
    case 'TARGET':
      return context.targetNodeId;
    default:
      return undefined;
  }
}

function isKeyword(reference: string): boolean {
  return reference === 'SELF' || reference === 'SOURCE' || reference === 'TARGET';
}
