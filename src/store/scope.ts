/** Which rows a caller sees, and what it asked of a list. */
import type { FilterRule } from '../domain/filter.ts';

/** The user on whose behalf rows are read. */
export interface Viewer {
  userId: number;
  /** Tenants in which the private resources of others are visible too; `all` for system administrators. */
  administers: readonly number[] | 'all';
}

/**
 * Rows of `tenants` plus global rows of any tenant. Private rows are visible to their creator and to administrators
 * of the tenant. Without a viewer nothing is hidden: that is how the engine reads.
 */
export interface Scope {
  /** The tenant of the call; what is created goes there. */
  tenantId: number;
  /** Tenants a list is drawn from; defaults to the tenant of the call. */
  tenants?: readonly number[] | 'all';
  viewer?: Viewer;
}

export type { AttributeFilterRule, FilterRule, LabelFilterRule } from '../domain/filter.ts';

export interface SortKey {
  /** A sortable field of the entity, or `label:KEY`. */
  field: string;
  descending: boolean;
}

/** What a list is asked for. Field names are those of the entity (camelCase). */
export interface ListQuery {
  /** Rows of the page; default 1000. */
  size?: number;
  offset?: number;
  /** Ignore paging. */
  all?: boolean;
  sort?: readonly SortKey[];
  /** Equality: values of one field are alternatives, fields must all hold. */
  filters?: Readonly<Record<string, readonly string[]>>;
  /** field -> text it contains, whatever the case; several fields are alternatives. */
  search?: Readonly<Record<string, string>>;
  rules?: readonly FilterRule[];
  /**
   * Fields that will be used; undefined = all. Only costly ones (documents, labels, memberships) are left out when
   * not named: they are undefined or empty then.
   */
  fields?: readonly string[];
  /** Whether costly documents are `JsonText`, whatever the type of the entity says: for answers that only hand them on. */
  areDocumentsText?: boolean;
}

export interface Page<Item> {
  items: Item[];
  /** Rows that match, before paging. */
  total: number;
  /** Rows hidden by filter rules; undefined when there were none. */
  filtered: number | undefined;
}

/** A list of users or groups by name. */
export interface NameListQuery {
  /** Text the name contains, whatever the case. */
  search?: string | undefined;
  /** Only these ids. */
  ids?: readonly number[] | undefined;
  size?: number | undefined;
  offset?: number | undefined;
  all?: boolean | undefined;
}
