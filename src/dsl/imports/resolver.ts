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
  /**
   * Gives the location (`file:` URL) of a local file, undefined when there is none. Asked for import names as they are
   * written, and for names below the resources base. A resolver decides which directories it opens at all.
   */
  locateFile(path: string): Promise<string | undefined>;
  /** Whether a script can be opened; asked with `<base>/<implementation>` as URL or path. Directories do not count. */
  resourceExists(url: string): Promise<boolean>;
}
