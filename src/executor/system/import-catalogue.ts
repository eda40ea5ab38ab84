import { GantryError } from '../../domain/errors.ts';
import type { Plugin } from '../../domain/entities.ts';
import { compareVersions, parseSpecifiers } from '../../domain/version-specifiers.ts';
import { DslError } from '../../dsl/errors.ts';
import type { StoredPluginSections } from '../../dsl/imports/resolver.ts';
import type { FileStore } from '../../files/file-store.ts';
import type { FoundBlueprint, FoundPlugin, ImportCatalogue, PluginImport } from '../../files/import-resolver.ts';
import type { PluginVersionRules } from '../../topology/index.ts';
import { choosePluginYaml } from '../../files/plugin-yaml.ts';
import { getBlueprint } from '../../store/blueprints.ts';
import { findPluginVersions } from '../../store/plugins.ts';
import type { Session } from '../../store/session.ts';

/** What blueprints of a tenant can import from the manager: other blueprints and plugins, the global ones included. */
export function importCatalogue(session: Session, files: FileStore, tenantId: number): ImportCatalogue {
  return {
    findPlugin: (plugin) => findPlugin(session, files, tenantId, plugin),
    findBlueprint: (id) => findBlueprint(session, files, tenantId, id),
  };
}

/** The catalogue with plugins of the versions the rules ask for. */
export function chooseVersions(catalogue: ImportCatalogue, rules: PluginVersionRules): ImportCatalogue {
  return {
    findPlugin: (plugin) => {
      const exact = rules.exact.get(plugin.name);
      const more = rules.constraints.get(plugin.name);
      const version = exact === undefined ? [...plugin.version, ...(more === undefined ? [] : [more])] : [exact];
      return catalogue.findPlugin({ ...plugin, version });
    },
    findBlueprint: (id) => catalogue.findBlueprint(id),
  };
}

/** The newest stored version that meets what the import asks for. */
async function findPlugin(
  session: Session,
  files: FileStore,
  tenantId: number,
  wanted: PluginImport,
): Promise<FoundPlugin | undefined> {
  const checks = wanted.version.map((text) => {
    const check = parseSpecifiers(text);
    if (!check) {
      throw new DslError(
        'InvalidBlueprintImport',
        `Specified version param ${text} of the plugin ${wanted.name} are in an invalid form. ` +
          'Write specifiers such as >=1.2,<2',
      );
    }
    return check;
  });
  const versions = await findPluginVersions(session, tenantId, wanted.name);
  const fitting = versions
    .filter(({ packageVersion }) => checks.every((check) => check(packageVersion ?? '')))
    .filter(({ distribution }) => wanted.distribution.length === 0 || wanted.distribution.includes(distribution ?? ''))
    .sort((left, right) => compareVersions(right.packageVersion ?? '', left.packageVersion ?? ''));
  for (const plugin of fitting) {
    const yamlPath = await choosePluginYaml(files.pluginDirectory(plugin.id));
    if (yamlPath !== undefined) {
      return { yamlPath, storedSections: sectionsOf(plugin) };
    }
  }
  return undefined;
}

/** What the plugin's record says instead of its YAML; labels are lists of values by key. */
function sectionsOf(plugin: Plugin): StoredPluginSections {
  return {
    ...(plugin.labels ? { labels: plugin.labels } : {}),
    ...(plugin.blueprintLabels ? { blueprint_labels: plugin.blueprintLabels } : {}),
    ...(plugin.resourceTags ? { resource_tags: plugin.resourceTags } : {}),
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
