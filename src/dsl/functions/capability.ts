import type { Json } from '../../domain/plan.ts';
import type { EvaluationContext } from './context.ts';
import type { Evaluation, FunctionDefinition, Outcome } from './definition.ts';
import { argumentError, evaluationError, validationError } from './errors.ts';
import { pythonRepr, pythonText, pythonTypeName } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import { isPathItem, pathText, step } from './walk.ts';

/** The label that names the environment a deployment runs in. */
const PARENT_LABEL = 'csys-obj-parent';

const BY_DEPLOYMENT_PREFIX = 'deployment_id:';

/** `{get_capability: [deployment id, capability, key or index, ...]}` */
export const getCapability: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ name, argument }) {
    const items = checkList(name, argument, '[ deployment ID, capability ID [, key/index [...]] ]');
    checkItems(name, items);
  },

  evaluate({ argument }, context, evaluation, path) {
    return readCapability(argument as Json[], context, evaluation, path);
  },
};

/** `{get_environment_capability: name}` or `[name, key or index, ...]`: a capability of the deployment's environment. */
export const getEnvironmentCapability: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ name, argument }) {
    if (typeof argument === 'string') {
      return;
    }
    if (!Array.isArray(argument) || argument.length < 2) {
      throw validationError(
        name,
        'argument should be a string or list with more than one item are accepted. Instead, it is a ' +
          `${pythonTypeName(argument)} with the value: ${pythonText(argument)}.`,
      );
    }
    checkItems(name, argument);
  },

  evaluate({ argument, name }, context, evaluation, path) {
    const [parent] = evaluation.dataOf(context).labelValues(PARENT_LABEL);
    if (parent === undefined) {
      throw evaluationError(
        name,
        `the deployment has no environment: it has no label ${PARENT_LABEL}, which names the deployment it runs in`,
      );
    }
    return readCapability([parent, ...(Array.isArray(argument) ? argument : [argument])], context, evaluation, path);
  },
};

/** `{get_group_capability: [group id, capability | [capability, ...], key or index, ...]}`: a value per deployment. */
export const getGroupCapability: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ name, argument }) {
    const items = checkList(name, argument, '[ group ID, capability ID [, key/index [...]] ]');
    checkItems(
      name,
      items.map((item, position) => (position === 1 && Array.isArray(item) ? '' : item)),
    );
  },

  evaluate({ argument }, context, evaluation, path) {
    const [group, capability, ...items] = argument as Json[];
    const isList = Array.isArray(capability);
    let names = (isList ? capability : [capability as Json]).map(pythonText);
    const isByDeployment = names[0]?.startsWith(BY_DEPLOYMENT_PREFIX) === true;
    if (isByDeployment) {
      names = names.map((name) => name.replace(BY_DEPLOYMENT_PREFIX, ''));
    }
    const members = evaluation.dataOf(context).groupMembers(pythonText(group));
    const found = evaluation.forEach(members, (id) => memberValues(id, names, items, context, evaluation, path));
    const values = found.flatMap((value, index): [string, Json][] =>
      value === undefined ? [] : [[members[index] as string, isList ? value : (value[0] as Json)]],
    );
    return { value: isByDeployment ? Object.fromEntries(values) : values.map(([, value]) => value), context };
  },
};

/** Reads `[deployment, capability, key or index, ...]`; functions in the capability belong to its deployment. */
function readCapability(
  items: readonly Json[],
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): Outcome {
  const [deploymentId, name] = items.map(pythonText) as [string, string];
  const owner = evaluation.dataOf(context).deployment(deploymentId);
  if (owner === undefined || !Object.hasOwn(owner.capabilities, name)) {
    throw evaluationError(
      'get_capability',
      `Requested capability \`${name}\` is not declared in deployment \`${deploymentId}\``,
    );
  }
  const ownerContext = evaluation.contextOfDeployment(owner.data);
  const evaluateStep = (value: Json) => evaluation.evaluateStep(value, ownerContext, path);
  const value = walkCapability(owner.capabilities[name]?.value ?? null, items, evaluateStep);
  const source = evaluation.sourceOf(ownerContext, `capability ${JSON.stringify(items)}`);
  return { value, context: ownerContext, source };
}

/** The values of capabilities of one deployment, null for those it has not; undefined when it has none of them. */
function memberValues(
  deploymentId: string,
  names: readonly string[],
  items: readonly Json[],
  context: EvaluationContext,
  evaluation: Evaluation,
  path: string,
): Json[] | undefined {
  const declared = evaluation.dataOf(context).deployment(deploymentId)?.capabilities ?? {};
  if (!names.some((name) => Object.hasOwn(declared, name))) {
    return undefined;
  }
  return evaluation.forEach(names, (name) => {
    if (!Object.hasOwn(declared, name)) {
      return null;
    }
    const found = readCapability([deploymentId, name, ...items], context, evaluation, path);
    return evaluation.evaluateStep(found.value, found.context, path);
  });
}

function checkList(name: string, argument: Json, shape: string): Json[] {
  if (!Array.isArray(argument)) {
    throw argumentError(
      `\`${name}\` function argument should be a list. Instead it is a ${pythonTypeName(argument)} with the value: ` +
        `${pythonText(argument)}.`,
    );
  }
  if (argument.length < 2) {
    throw argumentError(
      `\`${name}\` function argument should be a list with 2 elements at least - ${shape}. Instead it is: ` +
        pythonRepr(argument),
    );
  }
  return argument;
}

function checkItems(name: string, items: readonly Json[]): void {
  const position = items.findIndex((item) => !isPathItem(item));
  if (position < 0) {
    return;
  }
  const item = items[position] as Json;
  throw argumentError(
    `\`${name}\` function arguments can't be complex values; only strings/ints/functions are accepted. Instead, the ` +
      `item with index ${String(position)} is ${pythonText(item)} of type ${pythonTypeName(item)}`,
  );
}

/** Walks from a capability's value along the items behind `[deployment, capability, ...]`. */
function walkCapability(root: Json, items: readonly Json[], evaluateStep: (value: Json) => Json): Json {
  let value = root;
  for (let position = 2; position < items.length; position += 1) {
    const item = items[position] as Json;
    if (isFunction(value)) {
      value = evaluateStep(value);
    }
    const result = step(value, item);
    if (result.found) {
      value = result.value;
      continue;
    }
    const [deployment, capability] = items.map(pythonText) as [string, string];
    const walked = pathText(items.slice(1, position));
    const message = {
      'no such key': `Attribute '${pythonText(item)}' doesn't exist in '${walked}' in deployment '${deployment}'.`,
      'not an index':
        `Item in index ${String(position)} in the get_capability arguments list ${pythonRepr(items)} is expected to ` +
        `be an int but got ${pythonTypeName(item)}.`,
      'out of range':
        `List size of '${walked}' is ${Array.isArray(value) ? String(value.length) : '0'}, in deployment ` +
        `'${deployment}', but index ${pythonText(item)} is retrieved.`,
      'not a container':
        `Object ${walked}, in capability '${capability}' in deployment '${deployment}', has no attribute ` +
        pythonText(item),
    }[result.failure.reason];
    throw evaluationError('get_capability', message);
  }
  return value;
}
