import type { JsonObject } from '../../domain/plan.ts';

/** Labels and tags that a plugin record stores; they replace those written in the plugin's YAML. */
export interface StoredPluginSections {
  readonly labels?: JsonObject;
  readonly blueprint_labels?: JsonObject;
  readonly resource_tags?: JsonObject;
}

/** The text of an imported file. */
export interface ImportedFile {
  readonly kind: 'file';
  readonly text: string;
  readonly storedSections?: StoredPluginSections;
}

/** The main file of an uploaded blueprint, for `blueprint:<id>`. */
export interface ImportedBlueprint {
  readonly kind: 'blueprint';
  readonly text: string;
  /** Where the main file stands, a path or URL; relative imports and scripts are looked for beside it. */
  readonly location?: string;
  /** Where resources of that blueprint are, a path or URL. */
  readonly resourcesBase?: string;
}

export type ImportedSource = ImportedFile | ImportedBlueprint;

/** The only way the parser reaches files, the network and the store. All methods must be safe to call concurrently. */
export interface ImportResolver {
  /**
   * Gives the source at a location: a URL (`http:`, `https:`, `file:`, `ftp:`, `resource:`), `plugin:<name>[?<query>]`
   * or `blueprint:<id>`.
   * @throws DslError `DSLParsingLogicException` 13 when it cannot be opened (the next candidate is tried),
   *   `InvalidBlueprintImport` for a plugin or blueprint that is not there.
   */
  fetch(location: string): Promise<ImportedSource>;
  /** Whether a local file exists; asked for paths relative to the working directory and to the resources base. */
  exists(path: string): Promise<boolean>;
  /** Whether a script can be opened; asked with `<base>/<implementation>` as URL or path. Directories do not count. */
  resourceExists(url: string): Promise<boolean>;
}
