import type { Json, JsonObject } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { EvaluationContext } from './context.ts';
import type { EvaluationNode, EvaluationNodeInstance } from './data.ts';
import { Suspended } from './data.ts';
import { Evaluator } from './evaluator.ts';
import { LoadedData } from './loaded-data.ts';
import { setKey } from './mapping.ts';
import { isMapping } from './recognise.ts';
import type { EvaluationStorage } from './storage.ts';

/**
 * Rounds of loading one evaluation may take. Each round loads at least one new fact, and a round per link of a chain
 * of functions is needed, so an ordinary blueprint stays far below.
 */
const MAXIMUM_ROUNDS = 1000;

/** Where a payload is evaluated, as operations say it: as an instance, or as the two ends of a relationship. */
export interface PayloadContext {
  /** Node instance ids. */
  self?: string | undefined;
  source?: string | undefined;
  target?: string | undefined;
  /** Node ids. */
  sourceNode?: string | undefined;
  targetNode?: string | undefined;
}

/** A declaration of an output or capability. */
export interface Declared {
  /** Absent where nothing but the name is declared. */
  value?: Json;
}

/**
 * Evaluates the values of a mapping against a running deployment. The mapping itself is not a function, whatever its
 * keys; it is not changed.
 *
 * @param pathPrefix how messages name the payload
 * @throws DslError when a function fails
 */
export async function evaluateFunctions(
  payload: JsonObject,
  context: PayloadContext,
  storage: EvaluationStorage,
  pathPrefix = 'payload',
): Promise<JsonObject> {
  return evaluateLoaded(new LoadedData(storage), (evaluator) =>
    evaluator.evaluateContents(payload, contextOfPayload(context), pathPrefix),
  );
}

/**
 * Evaluates the properties and capabilities of a node.
 *
 * @param instanceId the instance the values are wanted for, when the node has several
 * @throws DslError when a function fails
 */
export async function evaluateNodeFunctions<
  Values extends { properties: JsonObject; capabilities?: JsonObject | undefined },
>(node: Values, self: EvaluationNode, storage: EvaluationStorage, instanceId?: string): Promise<Values> {
  const data = new LoadedData(storage);
  data.addNode(self);
  const context: EvaluationContext = {
    scope: 'node_template',
    nodeId: self.id,
    self: instanceId,
    instanceHint: instanceId,
  };
  return evaluateLoaded(data, (evaluator) => {
    const path = `nodes.${self.id}`;
    const evaluated = { ...node };
    evaluated.properties = evaluator.evaluateContents(node.properties, context, `${path}.properties`);
    if (isMapping(node.capabilities)) {
      evaluated.capabilities = evaluateCapabilityProperties(evaluator, node.capabilities, context, path);
    }
    return evaluated;
  });
}

/**
 * Evaluates the runtime properties of a node instance.
 *
 * @throws DslError when a function fails
 */
export async function evaluateInstanceFunctions(
  instance: EvaluationNodeInstance,
  storage: EvaluationStorage,
): Promise<JsonObject> {
  const data = new LoadedData(storage);
  data.addInstance(instance);
  const context: EvaluationContext = { scope: 'node_template', nodeId: instance.nodeId, self: instance.id };
  const path = `node_instances.${instance.id}.runtime_properties`;
  return evaluateLoaded(data, (evaluator) => evaluator.evaluateContents(instance.runtimeProperties, context, path));
}

/**
 * Evaluates the capabilities of a deployment. Those that are a secret which does not exist are left out.
 *
 * @throws DslError when a function fails
 */
export async function evaluateCapabilities(
  declared: { readonly [name: string]: Declared },
  storage: EvaluationStorage,
): Promise<JsonObject> {
  return evaluateDeclared(declared, {}, 'capabilities', storage);
}

/**
 * Evaluates the outputs of a deployment. Those that are a secret which does not exist are left out; an attribute that
 * cannot be resolved shows as `<ERROR: ...>`.
 *
 * @throws DslError when another function fails
 */
export async function evaluateOutputs(
  declared: { readonly [name: string]: Declared },
  storage: EvaluationStorage,
): Promise<JsonObject> {
  return evaluateDeclared(declared, { showsErrors: true }, 'outputs', storage);
}

async function evaluateDeclared(
  declared: { readonly [name: string]: Declared },
  context: EvaluationContext,
  path: string,
  storage: EvaluationStorage,
): Promise<JsonObject> {
  const payload: JsonObject = {};
  const secrets = new Map<string, string>();
  for (const [name, { value = null }] of Object.entries(declared)) {
    setKey(payload, name, value);
    const secret = secretOf(value);
    if (secret !== undefined) {
      secrets.set(name, secret);
    }
  }
  if (secrets.size > 0) {
    const known = await storage.secrets([...new Set(secrets.values())]);
    for (const [name, secret] of secrets) {
      if (!known.has(secret)) {
        delete payload[name];
      }
    }
  }
  return evaluateLoaded(new LoadedData(storage), (evaluator) => evaluator.evaluateContents(payload, context, path));
}

/** The name of the secret a value consists of. */
function secretOf(value: Json): string | undefined {
  if (!isMapping(value) || !Object.hasOwn(value, 'get_secret')) {
    return undefined;
  }
  const argument = value['get_secret'];
  const name = Array.isArray(argument) ? argument[0] : argument;
  return typeof name === 'string' ? name : undefined;
}

function evaluateCapabilityProperties(
  evaluator: Evaluator,
  capabilities: JsonObject,
  context: EvaluationContext,
  path: string,
): JsonObject {
  const evaluated = { ...capabilities };
  for (const [name, capability] of Object.entries(capabilities)) {
    if (!isMapping(capability) || !isMapping(capability['properties'])) {
      continue;
    }
    const properties = evaluator.evaluateContents(capability['properties'], context, `${path}.capabilities.${name}`);
    setKey(evaluated, name, { ...capability, properties });
  }
  return evaluated;
}

function contextOfPayload(context: PayloadContext): EvaluationContext {
  const { self, source, target, sourceNode, targetNode } = context;
  const isRelationship = source !== undefined && target !== undefined;
  return {
    scope: isRelationship ? 'node_template_relationship' : self !== undefined ? 'node_template' : undefined,
    self,
    source,
    target,
    sourceNodeId: sourceNode,
    targetNodeId: targetNode,
  };
}

/** Evaluates as far as the known facts go, loads what was asked for, and begins again, until nothing is missing. */
async function evaluateLoaded<Result>(data: LoadedData, work: (evaluator: Evaluator) => Result): Promise<Result> {
  for (let round = 0; round < MAXIMUM_ROUNDS; round += 1) {
    try {
      return work(new Evaluator(data));
    } catch (error) {
      if (!(error instanceof Suspended)) {
        throw error;
      }
    }
    await data.load();
  }
  throw new DslError(
    'EvaluationRecursionLimitReached',
    `Functions refer to each other over more than ${String(MAXIMUM_ROUNDS)} steps`,
  );
}
