import { GantryError, assertNever } from '../domain/errors.ts';
import type { ResourceShape } from './resource.ts';
import type { AttributeFilterRule, FilterRule, LabelFilterRule } from './scope.ts';
import type { Parameters } from './values.ts';

/** Makes `text` stand for itself in a LIKE pattern. */
export function escapePattern(text: string): string {
  return text.replaceAll(/[\\%_]/g, '\\$&');
}

function labelCondition(resource: ResourceShape, rule: LabelFilterRule, parameters: Parameters): string {
  if (!resource.labels) {
    throw new GantryError('invalid_filter_rule', `A ${resource.kind} has no labels to filter by`, {
      details: { err_filter_rule: rule, err_reason: 'labels cannot be used here' },
    });
  }
  const key = parameters.add(rule.key);
  const labels = `select from ${resource.labels} label where label.resource_id = ${resource.alias}.storage_id and label.key = ${key}`;
  const values = (): string => parameters.add([...rule.values]);
  switch (rule.operator) {
    case 'any_of':
      return `exists (${labels} and label.value = any(${values()}::text[]))`;
    case 'not_any_of':
      return `exists (${labels} and label.value <> all(${values()}::text[]))`;
    case 'is_not':
      return `not exists (${labels} and label.value = any(${values()}::text[]))`;
    case 'is_null':
      return `not exists (${labels})`;
    case 'is_not_null':
      return `exists (${labels})`;
    default:
      return assertNever(rule.operator, 'label operator');
  }
}

function attributeCondition(resource: ResourceShape, rule: AttributeFilterRule, parameters: Parameters): string {
  const attributes = resource.attributes ?? {};
  const sql = Object.hasOwn(attributes, rule.key) ? attributes[rule.key] : undefined;
  if (sql === undefined) {
    const allowed = Object.keys(attributes).join(', ');
    throw new GantryError('invalid_filter_rule', `A ${resource.kind} has no attribute "${rule.key}" to filter by`, {
      details: { err_filter_rule: rule, err_reason: `The allowed attributes are: ${allowed}` },
    });
  }
  const values = (): string => parameters.add([...rule.values]);
  const patterns = (before: string, after: string): string =>
    parameters.add(rule.values.map((value) => `${before}${escapePattern(value)}${after}`));
  switch (rule.operator) {
    case 'any_of':
      return `${sql} = any(${values()}::text[])`;
    case 'not_any_of':
      return `${sql} <> all(${values()}::text[])`;
    case 'contains':
      return `${sql} like any(${patterns('%', '%')}::text[])`;
    case 'not_contains':
      return `${sql} not like all(${patterns('%', '%')}::text[])`;
    case 'starts_with':
      return `${sql} ilike any(${patterns('', '%')}::text[])`;
    case 'ends_with':
      return `${sql} ilike any(${patterns('%', '')}::text[])`;
    case 'is_not_empty':
      return `${sql} is not null`;
    default:
      return assertNever(rule.operator, 'attribute operator');
  }
}

/** The condition a row must meet for a filter rule. @throws GantryError invalid_filter_rule */
export function ruleCondition(resource: ResourceShape, rule: FilterRule, parameters: Parameters): string {
  return rule.type === 'label'
    ? labelCondition(resource, rule, parameters)
    : attributeCondition(resource, rule, parameters);
}
