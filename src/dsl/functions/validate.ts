import type { Json, JsonObject, Plan } from '../../domain/plan.ts';
import { KnownMistake, Problems } from '../problems.ts';
import { recursionError } from './errors.ts';
import { MAXIMUM_DEPTH } from './evaluator.ts';
import type { FunctionPlace, ScannedPlan } from './place.ts';
import { readPlan } from './plan-reader.ts';
import type { PlanReader } from './plan-reader.ts';
import type { IntrinsicFunction } from './recognise.ts';
import { parseFunction } from './recognise.ts';
import { FUNCTIONS } from './registry.ts';
import { scanPlan } from './scan.ts';

/** Values nested deeper than this in a blueprint are refused before evaluation could meet them. */
const MAXIMUM_NESTING = 20 * MAXIMUM_DEPTH;

/**
 * Checks every intrinsic function of a plan: the shape of its arguments, that the inputs, nodes and properties it
 * names exist, that SELF/SOURCE/TARGET make sense where it stands, and that the version of the blueprint has it.
 *
 * @param problems takes every function that is wrong, once
 * @throws DslError for values nested too deep
 */
export function findWrongFunctions(plan: Plan, problems: Problems): void {
  const reader = soundReader(plan, problems);
  // operations stand in a plan under two names
  const wrong = new Set<object>();
  visitFunctions(plan, (call, place) => {
    if (wrong.has(call.raw)) {
      return;
    }
    const definition = FUNCTIONS[call.name];
    const found = problems.count;
    problems.attempt(place.path, () => {
      definition.checkShape(call);
      definition.validate?.(call, place, reader);
    });
    if (problems.count > found) {
      wrong.add(call.raw);
    }
  });
}

/** Gives up functions that ask for inputs and nodes that are wrong themselves. */
function soundReader(plan: Plan, problems: Problems): PlanReader {
  const reader = readPlan(plan);
  if (problems.count === 0) {
    return reader;
  }
  return {
    version: reader.version,
    node: (name) => {
      problems.requireSound('node_templates', name);
      return reader.node(name);
    },
    get inputs() {
      if (problems.isSectionBroken('inputs')) {
        throw new KnownMistake();
      }
      return { ...reader.inputs, ...Object.fromEntries([...problems.brokenIn('inputs')].map((name) => [name, {}])) };
    },
  };
}

/**
 * Checks every intrinsic function of a plan, see {@link findWrongFunctions}.
 *
 * @throws DslError of the first function that is wrong, with the others attached
 */
export function validatePlanFunctions(plan: Plan): void {
  const problems = new Problems();
  findWrongFunctions(plan, problems);
  problems.throwIfAny();
}

/** What a plan needs from its surroundings: capabilities of the environment and secrets, as written, duplicates kept. */
export function planRequirements(plan: Plan): Plan['requirements'] {
  const requirements: Plan['requirements'] = { parent_capabilities: [], secrets: [] };
  visitFunctions(plan, ({ name, argument }) => {
    if (name === 'get_secret') {
      requirements.secrets.push(argument);
    } else if (name === 'get_environment_capability') {
      requirements.parent_capabilities.push(Array.isArray(argument) ? argument : [argument]);
    }
  });
  return requirements;
}

/** Visits every function of a plan, those in the arguments of others included; the outer ones come first. */
export function visitFunctions(
  plan: ScannedPlan,
  visit: (call: IntrinsicFunction, place: FunctionPlace) => void,
): void {
  scanPlan(plan, ({ values, place }) => {
    visitMembers(values, place, 0, visit);
  });
}

function visitMembers(
  container: Json[] | JsonObject,
  place: FunctionPlace,
  depth: number,
  visit: (call: IntrinsicFunction, place: FunctionPlace) => void,
): void {
  if (depth > MAXIMUM_NESTING) {
    throw recursionError(`The value at ${place.path.slice(0, 200)}... is nested too deep`);
  }
  const isList = Array.isArray(container);
  for (const [key, value] of Object.entries(container)) {
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    const here = { ...place, path: isList ? `${place.path}[${key}]` : `${place.path}.${key}` };
    const call = parseFunction(value);
    if (call !== undefined) {
      visit(call, here);
    }
    visitMembers(value, here, depth + 1, visit);
  }
}
