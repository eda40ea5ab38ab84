import type { Json } from '../../domain/plan.ts';
import { DslError } from '../errors.ts';
import type { SystemFacts } from './data.ts';
import type { FunctionDefinition } from './definition.ts';
import { argumentError } from './errors.ts';
import { pythonText } from '../../domain/python-text.ts';
import { isFunction } from './recognise.ts';
import { isNestedPath } from './walk.ts';

const FACTS = new Map<string, ReadonlyMap<string, keyof SystemFacts>>([
  ['tenant', new Map([['name', 'tenantName']])],
  [
    'deployment',
    new Map([
      ['id', 'deploymentId'],
      ['name', 'deploymentName'],
      ['blueprint', 'blueprintId'],
      ['owner', 'owner'],
    ]),
  ],
]);

/** `{get_sys: [entity, property]}`: a fact about the tenant or the deployment itself. */
export const getSys: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ argument }) {
    if (isNestedPath(argument)) {
      return;
    }
    throw argumentError(
      'Illegal argument(s) passed to get_sys function. Expected a 2-element list identifying an entity and its ' +
        `requested property (e.g. [tenant, name] or [deployment, id]) but got ${pythonText(argument)}`,
    );
  },

  validate({ argument }) {
    const [entity, property] = argument as [Json, Json];
    if (isFunction(entity)) {
      return;
    }
    const facts = factsOf(entity);
    if (!isFunction(property)) {
      factOf(facts, entity, property);
    }
  },

  evaluate({ argument }, context, evaluation) {
    const [entity, property] = argument as [Json, Json];
    return {
      value: evaluation.dataOf(context).system()[factOf(factsOf(entity), entity, property)],
      context,
    };
  },
};

function factsOf(entity: Json): ReadonlyMap<string, keyof SystemFacts> {
  const facts = typeof entity === 'string' ? FACTS.get(entity) : undefined;
  if (facts !== undefined) {
    return facts;
  }
  throw new DslError('UnknownSysEntityError', `get_sys function unable to determine entity: ${pythonText(entity)}`);
}

function factOf(facts: ReadonlyMap<string, keyof SystemFacts>, entity: Json, property: Json): keyof SystemFacts {
  const fact = typeof property === 'string' ? facts.get(property) : undefined;
  if (fact !== undefined) {
    return fact;
  }
  throw new DslError(
    'UnknownSysPropertyError',
    `get_sys function unable to determine property: ${pythonText(entity)} ${pythonText(property)}`,
  );
}

/** `{get_consumers: ids | names | count}`: the deployments that use this one. */
export const getConsumers: FunctionDefinition = {
  evaluation: 'runtime',

  checkShape({ argument }) {
    if (argument === 'ids' || argument === 'names' || argument === 'count') {
      return;
    }
    throw argumentError(
      'Illegal argument passed to get_consumers function. Expected a property string (one of: ids, names, count), ' +
        `but got ${pythonText(argument)}`,
    );
  },

  evaluate({ argument }, context, evaluation) {
    const consumers = evaluation.dataOf(context).consumers();
    switch (argument) {
      case 'ids':
        return { value: consumers.map((consumer) => consumer.id), context };
      case 'names':
        return { value: consumers.map((consumer) => consumer.name), context };
      default:
        return { value: consumers.length, context };
    }
  },
};
