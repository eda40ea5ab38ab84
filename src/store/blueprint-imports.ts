import type { Blueprint } from '../domain/entities.ts';
import type { Session } from './session.ts';

/** Ids of the blueprints whose plan imports this one, in its tenant or, when it is global, anywhere. */
export async function findImporters(
  session: Session,
  blueprint: Pick<Blueprint, 'id' | 'tenantId' | 'visibility'>,
): Promise<string[]> {
  const rows = await session.prepared<{ id: string }>(
    `select importer.id from blueprints_imports used
      join blueprints importer on importer.storage_id = used.blueprint_id
      where used.imported_id = $1 and ($3 or importer.tenant_id = $2) and importer.id <> $1
      order by importer.id limit 20`,
    [blueprint.id, blueprint.tenantId, blueprint.visibility === 'global'],
  );
  return rows.map(({ id }) => id);
}
