import type { Resource } from './entities.ts';

export interface LabelFilterRule {
  type: 'label';
  key: string;
  operator: 'any_of' | 'not_any_of' | 'is_not' | 'is_null' | 'is_not_null';
  values: readonly string[];
}

export interface AttributeFilterRule {
  type: 'attribute';
  key: string;
  operator: 'any_of' | 'not_any_of' | 'contains' | 'not_contains' | 'starts_with' | 'ends_with' | 'is_not_empty';
  values: readonly string[];
}

export type FilterRule = LabelFilterRule | AttributeFilterRule;

export type FilterKind = 'blueprints' | 'deployments';

/** A stored list of filter rules. */
export interface Filter extends Resource {
  kind: FilterKind;
  createdAt: Date;
  updatedAt: Date | undefined;
  rules: readonly FilterRule[];
  isSystemFilter: boolean;
}
