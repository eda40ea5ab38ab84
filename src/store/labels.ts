import type { Label } from '../domain/entities.ts';
import { escapePattern } from './filter-rules.ts';
import { scopeCondition } from './scope-condition.ts';
import type { Embedded } from './resource.ts';
import type { Scope } from './scope.ts';
import type { Session } from './session.ts';
import { Parameters } from './values.ts';

/** What has labels, with its tables. */
const labelled = {
  blueprints: { table: 'blueprints', labels: 'blueprints_labels' },
  deployments: { table: 'deployments', labels: 'deployments_labels' },
  deploymentGroups: { table: 'deployment_groups', labels: 'deployment_groups_labels' },
} as const;
export type LabelledKind = keyof typeof labelled;

export interface NewLabel {
  key: string;
  value: string;
  creatorId: number;
  /** Default now. */
  createdAt?: Date | undefined;
}

interface LabelRow extends Label {
  resourceId: number;
}

/** The labels of several resources, by their storage id, in one statement. */
async function loadLabels(
  session: Session,
  kind: LabelledKind,
  storageIds: readonly number[],
): Promise<Map<number, Label[]>> {
  const rows = await session.prepared<LabelRow>(
    `select label.resource_id as "resourceId", label.key, label.value, label.created_at as "createdAt", users.username as "createdBy"
     from ${labelled[kind].labels} label join users on users.id = label.creator_id
     where label.resource_id = any($1) order by label.resource_id, label.key, label.value`,
    [[...storageIds]],
  );
  const byResource = new Map<number, Label[]>();
  for (const { resourceId, ...label } of rows) {
    const labels = byResource.get(resourceId) ?? [];
    byResource.set(resourceId, labels);
    labels.push(label);
  }
  return byResource;
}

/** The labels of one resource, within the statement that reads it. */
export function embeddedLabels(kind: LabelledKind, alias: string): Embedded {
  return {
    sql: `(select json_agg(json_build_array(label.key, label.value, label.created_at, users.username) order by label.key, label.value)
       from ${labelled[kind].labels} label join users on users.id = label.creator_id where label.resource_id = ${alias}.storage_id)`,
    read: (value) =>
      ((value ?? []) as [string, string, string, string][]).map(([key, text, createdAt, createdBy]): Label => ({
        key,
        value: text,
        createdAt: new Date(createdAt),
        createdBy,
      })),
  };
}

/** Fills `labels` of entities. */
export async function attachLabels(
  session: Session,
  kind: LabelledKind,
  items: readonly { storageId: number; labels: readonly Label[] }[],
): Promise<void> {
  const byResource = await loadLabels(
    session,
    kind,
    items.map(({ storageId }) => storageId),
  );
  for (const item of items) {
    item.labels = byResource.get(item.storageId) ?? [];
  }
}

/** Adds labels to resources; those that exist stay as they are. @returns the pairs that are new */
export async function addLabels(
  session: Session,
  kind: LabelledKind,
  storageIds: readonly number[],
  labels: readonly NewLabel[],
): Promise<{ storageId: number; key: string; value: string }[]> {
  if (labels.length === 0 || storageIds.length === 0) {
    return [];
  }
  return session.prepared(
    `insert into ${labelled[kind].labels} (resource_id, key, value, creator_id, created_at)
     select resource.storage_id, label.key, label.value, label.creator_id, coalesce(label.created_at, now())
     from unnest($1::bigint[]) as resource (storage_id),
       unnest($2::text[], $3::text[], $4::integer[], $5::timestamptz[]) as label (key, value, creator_id, created_at)
     on conflict do nothing
     returning resource_id as "storageId", key, value`,
    [
      [...storageIds],
      labels.map(({ key }) => key),
      labels.map(({ value }) => value),
      labels.map(({ creatorId }) => creatorId),
      labels.map(({ createdAt }) => createdAt ?? null),
    ],
  );
}

/** Removes label pairs from resources. @returns how many were there */
export async function removeLabels(
  session: Session,
  kind: LabelledKind,
  storageIds: readonly number[],
  labels: readonly { key: string; value: string }[],
): Promise<number> {
  const rows = await session.prepared(
    `delete from ${labelled[kind].labels} label using unnest($2::text[], $3::text[]) as gone (key, value)
     where label.resource_id = any($1) and label.key = gone.key and label.value = gone.value
     returning label.resource_id`,
    [[...storageIds], labels.map(({ key }) => key), labels.map(({ value }) => value)],
  );
  return rows.length;
}

/**
 * Makes `labels` the whole set of a resource; equal ones keep their creation time.
 * @param keptKeys keys that are neither removed nor added
 * @returns what changed
 */
export async function replaceLabels(
  session: Session,
  kind: LabelledKind,
  storageId: number,
  labels: readonly NewLabel[],
  keptKeys: readonly string[] = [],
): Promise<{ added: { key: string; value: string }[]; removed: { key: string; value: string }[] }> {
  const wanted = labels.filter(({ key }) => !keptKeys.includes(key));
  const removed = await session.prepared<{ key: string; value: string }>(
    `delete from ${labelled[kind].labels} label
     where label.resource_id = $1 and label.key <> all($4::text[])
       and not exists (
         select from unnest($2::text[], $3::text[]) as wanted (key, value)
         where wanted.key = label.key and wanted.value = label.value)
     returning key, value`,
    [storageId, wanted.map(({ key }) => key), wanted.map(({ value }) => value), [...keptKeys]],
  );
  const added = await addLabels(session, kind, [storageId], wanted);
  return { added: added.map(({ key, value }) => ({ key, value })), removed };
}

export interface LabelListQuery {
  /** Text the key (or value) contains, whatever the case. */
  search?: string | undefined;
  size?: number | undefined;
  offset?: number | undefined;
  all?: boolean;
}

/** Distinct keys (or the values of `key`) among the resources that `scope` sees, sorted. */
export async function listLabelWords(
  session: Session,
  kind: 'blueprints' | 'deployments',
  scope: Scope,
  query: LabelListQuery,
  key?: string,
): Promise<{ items: string[]; total: number }> {
  const { table, labels } = labelled[kind];
  const parameters = new Parameters();
  const column = key === undefined ? 'label.key' : 'label.value';
  const conditions = [
    scopeCondition(
      { tenant: 'resource.tenant_id', creator: 'resource.creator_id', visibility: 'resource.visibility' },
      scope,
      parameters,
    ),
  ];
  if (key !== undefined) {
    conditions.push(`label.key = ${parameters.add(key)}`);
  }
  if (query.search) {
    conditions.push(`${column} ilike ${parameters.add(`%${escapePattern(query.search.normalize('NFKC'))}%`)}`);
  }
  const paging = query.all
    ? ''
    : `limit ${parameters.add(query.size ?? 1000)} offset ${parameters.add(query.offset ?? 0)}`;
  const rows = await session.query<{ word: string; total: number }>(
    `select word, count(*) over () as total from (
       select distinct ${column} as word from ${labels} label join ${table} resource on resource.storage_id = label.resource_id
       where ${conditions.join(' and ')}
     ) words order by word ${paging}`,
    parameters.values,
  );
  return { items: rows.map(({ word }) => word), total: rows[0]?.total ?? 0 };
}
