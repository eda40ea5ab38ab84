import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { Site } from '../site.ts';

/** Folders of the file store with a folder per tenant and thing in it, and the table of the things. */
const owners = { blueprints: 'blueprints', 'uploaded-blueprints': 'blueprints', deployments: 'deployments' };

/**
 * Complaints about files that belong to nothing, and about uploaded blueprints that have none.
 * @param hasKilled whether processes were killed meanwhile
 */
export async function judgeFiles(site: Site, database: pg.Pool, hasKilled: boolean): Promise<string[]> {
  const root = join(site.cluster.folder, 'files');
  const complaints: string[] = [];
  for (const [folder, table] of Object.entries(owners)) {
    const { rows } = await database.query<{ name: string }>(
      `select tenant.name || '/' || owner.id as name from ${table} owner join tenants tenant on tenant.id = owner.tenant_id`,
    );
    const known = new Set(rows.map(({ name }) => name));
    for (const name of namesBelow(join(root, folder)).filter((each) => !known.has(each))) {
      complaints.push(`${folder}/${name} has files and is not stored`);
    }
  }
  const { rows: uploaded } = await database.query<{ name: string }>(
    `select tenant.name || '/' || blueprint.id as name from blueprints blueprint
     join tenants tenant on tenant.id = blueprint.tenant_id where blueprint.state = 'uploaded'`,
  );
  for (const { name } of uploaded) {
    for (const path of [join('blueprints', name, 'blueprint.yaml'), join('uploaded-blueprints', name)]) {
      if (!existsSync(join(root, path))) {
        complaints.push(`the blueprint ${name} is uploaded and has no ${path}`);
      }
    }
  }
  // what killed processes leave there is removed a day later
  const unfinished = hasKilled ? [] : namesIn(join(root, '.incoming'));
  return unfinished.length === 0 ? complaints : [...complaints, `unfinished files are left: ${unfinished.join(', ')}`];
}

/** Files below the file store; folders without any do not count. */
export function filesLeft(root: string): string[] {
  const names = existsSync(root) ? readdirSync(root, { recursive: true, withFileTypes: true }) : [];
  const files = names
    .filter((entry) => !entry.isDirectory() && !entry.parentPath.startsWith(join(root, '.incoming')))
    .map(({ parentPath, name }) => join(parentPath, name));
  return files.length === 0 ? [] : [`${files.length} files are left: ${files.slice(0, 5).join(', ')}`];
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** `tenant/id` of every folder two levels below. */
function namesBelow(folder: string): string[] {
  return namesIn(folder).flatMap((tenant) => namesIn(join(folder, tenant)).map((id) => `${tenant}/${id}`));
}
