import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { FilterRule } from '../domain/filter.ts';
import { checkIdentifier } from './identifiers.ts';
import { normaliseLabelValue } from './labels.ts';

const labelOperators = ['any_of', 'not_any_of', 'is_not', 'is_null', 'is_not_null'] as const;
const attributeOperators = [
  'any_of',
  'not_any_of',
  'contains',
  'not_contains',
  'starts_with',
  'ends_with',
  'is_not_empty',
] as const;
const emptyOperators = new Set<string>(['is_null', 'is_not_null', 'is_not_empty']);

export type FilteredKind = 'deployments' | 'blueprints' | 'nodes' | 'nodeInstances' | 'secrets';

/** Attributes that rules may name, per kind of resource. */
const attributes: Readonly<Record<FilteredKind, readonly string[]>> = {
  deployments: [
    'id',
    'blueprint_id',
    'created_by',
    'site_name',
    'schedules',
    'tenant_name',
    'display_name',
    'installation_status',
  ],
  blueprints: ['created_by', 'state', 'id', 'tenant_name'],
  nodes: ['id', 'type', 'operation_name'],
  nodeInstances: ['id'],
  secrets: ['key', 'provider_name'],
};

function refuse(rule: Json, reason: string): never {
  throw new GantryError(
    'invalid_filter_rule',
    `The filter rule ${JSON.stringify(rule)} is not in the right format. ${reason}`,
    {
      details: { err_filter_rule: rule, err_reason: reason },
    },
  );
}

function isRule(rule: Json): rule is JsonObject {
  return typeof rule === 'object' && rule !== null && !Array.isArray(rule);
}

function checkValues(rule: JsonObject, operator: string, values: Json): string[] {
  if (!Array.isArray(values) || !values.every((value) => typeof value === 'string')) {
    return refuse(rule, 'The values must be a list of texts');
  }
  if (emptyOperators.has(operator) && values.length > 0) {
    refuse(rule, `The values list must be empty if the operator is ${operator}`);
  }
  if (!emptyOperators.has(operator) && values.length === 0) {
    refuse(rule, `The values list must include at least one item if the operator is ${operator}`);
  }
  return values;
}

function rephrase(rule: Json, check: () => string): string {
  try {
    return check();
  } catch (error) {
    return refuse(rule, error instanceof Error ? error.message : String(error));
  }
}

function parseRule(rule: Json, kind: FilteredKind): FilterRule {
  const keys = isRule(rule) ? Object.keys(rule).sort().join() : '';
  if (!isRule(rule) || keys !== 'key,operator,type,values') {
    return refuse(rule, 'The filter rule must be a dictionary of the keys key, values, operator and type');
  }
  const { key: rawKey, operator, type, values: rawValues = null } = rule;
  if (typeof rawKey !== 'string' || rawKey === '') {
    return refuse(rule, 'The key must be a text');
  }
  const key = rawKey.toLowerCase();
  if (type === 'label') {
    const known = labelOperators.find((name) => name === operator);
    if (!known) {
      return refuse(rule, `The operator of a label rule must be one of ${labelOperators.join(', ')}`);
    }
    const values = checkValues(rule, known, rawValues).map((value) =>
      rephrase(rule, () => normaliseLabelValue(key, value)),
    );
    return { type, key, operator: known, values };
  }
  if (type !== 'attribute') {
    return refuse(rule, 'The type must be label or attribute');
  }
  const known = attributeOperators.find((name) => name === operator);
  if (!known) {
    return refuse(rule, `The operator of an attribute rule must be one of ${attributeOperators.join(', ')}`);
  }
  if (!attributes[kind].includes(key)) {
    return refuse(rule, `The allowed attributes are ${attributes[kind].join(', ')}`);
  }
  const values = checkValues(rule, known, rawValues);
  for (const value of values) {
    rephrase(rule, () => {
      checkIdentifier('filter rule value', value, { mayStartWithDigit: true });
      return value;
    });
  }
  return { type, key, operator: known, values };
}

/**
 * Reads filter rules; equal ones collapse.
 * @throws GantryError invalid_filter_rule naming the rule and what is wrong with it
 */
export function parseFilterRules(given: Json, kind: FilteredKind): FilterRule[] {
  if (!Array.isArray(given)) {
    return refuse(given, 'The filter rules must be a list');
  }
  const rules = given.map((rule) => parseRule(rule, kind));
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/** Field that the name pattern and the valid values of constraints look at. */
const mainAttributes: Readonly<Record<FilteredKind, string>> = {
  deployments: 'display_name',
  blueprints: 'id',
  nodes: 'id',
  nodeInstances: 'id',
  secrets: 'key',
};

const patternOperators = {
  contains: 'contains',
  starts_with: 'starts_with',
  ends_with: 'ends_with',
  equals_to: 'any_of',
} as const;

function texts(value: Json | undefined): string[] {
  return [value ?? []].flat(1).filter((item) => typeof item === 'string');
}

/**
 * The constraints of a blueprint's input as filter rules: `labels`, `tenants`, `name_pattern` and `valid_values`.
 * @param mainAttribute overrides what patterns and values look at, e.g. `type` of nodes
 */
export function rulesOfConstraints(constraints: JsonObject, kind: FilteredKind, mainAttribute?: string): FilterRule[] {
  const main = mainAttribute ?? mainAttributes[kind];
  const rules: FilterRule[] = [];
  const { labels, tenants, name_pattern: pattern, valid_values: valid } = constraints;
  for (const label of Array.isArray(labels) ? labels : []) {
    for (const [key, value] of isRule(label) ? Object.entries(label) : []) {
      rules.push({ type: 'label', key: key.toLowerCase(), operator: 'any_of', values: texts(value) });
    }
  }
  if (texts(tenants).length > 0) {
    rules.push({ type: 'attribute', key: 'tenant_name', operator: 'any_of', values: texts(tenants) });
  }
  for (const [name, value] of isRule(pattern ?? null) ? Object.entries(pattern as JsonObject) : []) {
    const operator = patternOperators[name as keyof typeof patternOperators];
    if (operator && typeof value === 'string') {
      rules.push({ type: 'attribute', key: main, operator, values: [value] });
    }
  }
  if (Array.isArray(valid)) {
    rules.push({ type: 'attribute', key: main, operator: 'any_of', values: texts(valid) });
  }
  return rules;
}
