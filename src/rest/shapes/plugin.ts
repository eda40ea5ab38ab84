import type { Plugin } from '../../domain/entities.ts';
import { commonFields, fieldsOf, visibilities } from './field.ts';
import type { Shape } from './field.ts';

/** A plugin with the YAML files on the file server. */
export interface PluginView extends Plugin {
  readonly yamlPaths: readonly string[];
}

const { text, timestamp, json, computed } = fieldsOf<PluginView>();

/** What blueprints import to get the plugin. */
function importOf({ packageName, packageVersion, distribution }: Plugin): string {
  const parts = [
    ...(packageVersion === undefined ? [] : [`version=${packageVersion}`]),
    ...(distribution === undefined ? [] : [`distribution=${distribution}`]),
  ];
  return `plugin:${packageName}${parts.length > 0 ? `?${parts.join('&')}` : ''}`;
}

export const pluginShape: Shape<PluginView> = {
  kind: 'Plugin',
  fields: [
    text('visibility', 'visibility', { values: visibilities }),
    text('id', 'id'),
    text('archive_name', 'archiveName'),
    text('distribution', 'distribution'),
    text('distribution_release', 'distributionRelease'),
    text('distribution_version', 'distributionVersion'),
    json('excluded_wheels', 'excludedWheels'),
    text('package_name', 'packageName'),
    text('package_source', 'packageSource'),
    text('package_version', 'packageVersion'),
    json('supported_platform', 'supportedPlatform'),
    json('supported_py_versions', 'supportedPyVersions'),
    timestamp('uploaded_at', 'uploadedAt'),
    json('wheels', 'wheels'),
    text('title', 'title'),
    json('blueprint_labels', 'blueprintLabels'),
    json('labels', 'labels'),
    json('resource_tags', 'resourceTags'),
    ...commonFields<PluginView>(),
    computed('installation_state', ['states'], ({ states }) =>
      states.map(({ state, error, manager, agent }) => ({
        state,
        error: error ?? null,
        manager: manager ?? null,
        agent: agent ?? null,
      })),
    ),
    computed('file_server_path', [], () => null),
    computed('yaml_files_paths', [], ({ yamlPaths }) => yamlPaths),
    computed('yaml_url_path', ['packageName', 'packageVersion', 'distribution'], importOf, 'text'),
  ],
};
