import type { Json } from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationData, EvaluationNodeInstance } from './data.ts';
import { evaluationError, missingReference } from './errors.ts';
import { pythonText } from '../../domain/python-text.ts';

const CONTAINED_IN = 'cloudify.relationships.contained_in';

/**
 * Finds the one node instance an attribute is read of.
 *
 * A name that several instances answer to is settled by the context: the instance it is related to, else the one in the
 * same instance of the innermost scaling group both share.
 *
 * @param reference a node's name, or SELF, SOURCE or TARGET
 * @throws DslError FunctionEvaluationError when there is none or more than one
 */
export function resolveInstance(
  reference: string,
  attribute: readonly Json[],
  context: EvaluationContext,
  path: string,
  data: EvaluationData,
): EvaluationNodeInstance {
  if (context.instanceHint !== undefined) {
    const hinted = data.instance(context.instanceHint);
    if (hinted.nodeId === reference) {
      return hinted;
    }
  }
  const instanceId = instanceOfKeyword(reference, context);
  if (instanceId !== undefined) {
    return data.instance(instanceId);
  }
  if (reference === 'SELF' && context.nodeId !== undefined) {
    return resolveByName(context.nodeId, context, data);
  }
  if (reference === 'SOURCE' || reference === 'TARGET') {
    throw evaluationError(
      'get_attribute',
      `${reference} is missing in request context in ${path} for attribute ${pythonText(attribute)}`,
    );
  }
  return resolveByName(reference, context, data);
}

/** The node instance SELF, SOURCE or TARGET stands for, if the context says so. */
export function instanceOfKeyword(reference: string, context: EvaluationContext): string | undefined {
  switch (reference) {
    case 'SELF':
      return context.self;
    case 'SOURCE':
      return context.source;
    case 'TARGET':
      return context.target;
    default:
      return undefined;
  }
}

function resolveByName(nodeId: string, context: EvaluationContext, data: EvaluationData): EvaluationNodeInstance {
  const candidates = data.instancesOf(nodeId);
  const [first] = candidates;
  if (first === undefined) {
    throw evaluationError('get_attribute', `Node ${nodeId} has no instances.`);
  }
  if (candidates.length === 1) {
    return first;
  }
  const found = byRelationship(nodeId, candidates, context, data) ?? byScalingGroup(candidates, context, data);
  if (found !== undefined) {
    return found;
  }
  throw evaluationError(
    'get_attribute',
    `More than one node instance found for node "${nodeId}". Cannot resolve a node instance unambiguously.`,
  );
}

function byRelationship(
  nodeId: string,
  candidates: readonly EvaluationNodeInstance[],
  context: EvaluationContext,
  data: EvaluationData,
): EvaluationNodeInstance | undefined {
  if (context.self === undefined) {
    return undefined;
  }
  const targets = new Set<string>();
  for (const relationship of data.instance(context.self).relationships) {
    if (relationship.targetName === nodeId) {
      targets.add(relationship.targetId);
    }
  }
  if (targets.size !== 1) {
    return undefined;
  }
  const [target] = targets;
  return candidates.find((candidate) => candidate.id === target);
}

function byScalingGroup(
  candidates: readonly EvaluationNodeInstance[],
  context: EvaluationContext,
  data: EvaluationData,
): EvaluationNodeInstance | undefined {
  const observers = context.self === undefined ? [context.source, context.target] : [context.self];
  for (const observer of observers) {
    if (observer === undefined) {
      continue;
    }
    const found = inSameGroupInstance(data.instance(observer), candidates, data);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function inSameGroupInstance(
  observer: EvaluationNodeInstance,
  candidates: readonly EvaluationNodeInstance[],
  data: EvaluationData,
): EvaluationNodeInstance | undefined {
  const own = groupChain(observer, data);
  const theirs = candidates.map((candidate) => groupChain(candidate, data));
  // All candidates are of one node, so the first one's groups are everyone's.
  const shared = [...own.keys()].find((group) => theirs[0]?.has(group) === true);
  if (shared === undefined) {
    return undefined;
  }
  const matching = candidates.filter((_, position) => theirs[position]?.get(shared) === own.get(shared));
  return matching.length === 1 ? matching[0] : undefined;
}

/** The group instances an instance is in, by group, innermost first: its own, then those of what contains it. */
function groupChain(instance: EvaluationNodeInstance, data: EvaluationData): Map<string, string> {
  const chain = new Map<string, string>();
  const seen = new Set<string>();
  for (let current: EvaluationNodeInstance | undefined = instance; current !== undefined;) {
    if (seen.has(current.id)) {
      throw missingReference(`Node instance ${current.id} is contained in itself`);
    }
    seen.add(current.id);
    for (const group of current.scalingGroups) {
      if (!chain.has(group.name)) {
        chain.set(group.name, group.id);
      }
    }
    current = containerOf(current, data);
  }
  return chain;
}

function containerOf(instance: EvaluationNodeInstance, data: EvaluationData): EvaluationNodeInstance | undefined {
  for (const relationship of data.node(instance.nodeId).relationships) {
    if (!relationship.typeHierarchy.includes(CONTAINED_IN)) {
      continue;
    }
    const link = instance.relationships.find((candidate) => candidate.targetName === relationship.targetId);
    return link === undefined ? undefined : data.instance(link.targetId);
  }
  return undefined;
}
