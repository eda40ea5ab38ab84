import { GantryError } from '../../domain/errors.ts';
import type { FileStore } from '../../files/file-store.ts';
import type { FoundBlueprint, ImportCatalogue } from '../../files/import-resolver.ts';
import { getBlueprint } from '../../store/blueprints.ts';
import type { Session } from '../../store/session.ts';

/** What blueprints of a tenant can import from the manager: other blueprints and plugins, the global ones included. */
export function importCatalogue(session: Session, files: FileStore, tenantId: number): ImportCatalogue {
  return {
    findPlugin: async () => undefined,
    findBlueprint: (id) => findBlueprint(session, files, tenantId, id),
  };
}

async function findBlueprint(
  session: Session,
  files: FileStore,
  tenantId: number,
  id: string,
): Promise<FoundBlueprint | undefined> {
  try {
    const blueprint = await getBlueprint(session, { tenantId }, id, { fields: ['id', 'state', 'mainFileName'] });
    return blueprint.state === 'uploaded' && blueprint.mainFileName !== undefined
      ? { directory: files.blueprintDirectory(blueprint.tenantName, id), mainFileName: blueprint.mainFileName }
      : undefined;
  } catch (thrown) {
    if (thrown instanceof GantryError) {
      return undefined;
    }
    throw thrown;
  }
}
