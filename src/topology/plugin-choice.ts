import type { Plan } from '../domain/plan.ts';
import { isSameDocument } from './update/compare.ts';

/** A plugin version named for an import, whatever the import itself says. */
export interface PluginMapping {
  /** The import as it is written in the blueprint. */
  readonly importLine: string;
  /** Package name. */
  readonly pluginName: string;
  readonly version: string;
}

/** Which plugins of a blueprint go to which versions. Names are package names. */
export interface PluginChoice {
  /** Only these change; empty = all. */
  readonly names: readonly string[];
  readonly allToLatest: boolean;
  /** With `allToMinor`: these go to the latest version all the same. */
  readonly toLatest: readonly string[];
  /** The latest version of the major version in use. */
  readonly allToMinor: boolean;
  /** With `allToLatest`: these stay within their major version. */
  readonly toMinor: readonly string[];
  readonly mappings: readonly PluginMapping[];
}

/** What imports of plugins have to meet when a blueprint is parsed again. By package name. */
export interface PluginVersionRules {
  /** Specifiers in addition to those of the import, e.g. `>=1.2,<2`. */
  readonly constraints: ReadonlyMap<string, string>;
  /** Specifiers instead of those of the import. */
  readonly exact: ReadonlyMap<string, string>;
  /** Imports that are read as another one: the line as written -> the line to use. */
  readonly rewrites: ReadonlyMap<string, string>;
}

type Lists = Pick<
  Plan,
  'deployment_plugins_to_install' | 'workflow_plugins_to_install' | 'host_agent_plugins_to_install'
>;

const lists = [
  'deployment_plugins_to_install',
  'workflow_plugins_to_install',
  'host_agent_plugins_to_install',
] as const satisfies readonly (keyof Lists)[];

/** The versions of a plugin package a plan uses; of several, the one named first. */
function versionsOf(plan: Lists): Map<string, string> {
  const versions = new Map<string, string>();
  for (const { package_name: name, package_version: version } of lists.flatMap((list) => plan[list])) {
    if (name && version && !versions.has(name)) {
      versions.set(name, version);
    }
  }
  return versions;
}

/** Specifiers of what is not older and has the same major version; undefined for versions without numbers. */
function minorConstraint(version: string): string | undefined {
  const [, major, minor] = /^v?(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return major === undefined ? undefined : `>=${major}.${minor ?? '0'},<${Number(major) + 1}`;
}

function constraintOf(name: string, version: string, choice: PluginChoice): string | undefined {
  if (choice.names.length > 0 && !choice.names.includes(name)) {
    return `==${version}`;
  }
  const staysMinor = choice.allToLatest
    ? choice.toMinor.includes(name)
    : choice.allToMinor && !choice.toLatest.includes(name);
  return staysMinor ? (minorConstraint(version) ?? `==${version}`) : undefined;
}

/**
 * The rules by which a blueprint is parsed again, so that its plugins are of the versions chosen.
 *
 * Compatibility: Cloudify 7. `allToLatest` counts before `allToMinor`; of several mappings of a plugin the first.
 */
export function versionRulesOf(plan: Lists, choice: PluginChoice): PluginVersionRules {
  const constraints = new Map<string, string>();
  const exact = new Map<string, string>();
  const rewrites = new Map<string, string>();
  for (const [name, version] of versionsOf(plan)) {
    const constraint = constraintOf(name, version, choice);
    if (constraint !== undefined) {
      constraints.set(name, constraint);
    }
    const mapping = choice.mappings.find(({ pluginName }) => pluginName === name);
    if (mapping) {
      exact.set(name, `==${mapping.version}`);
      rewrites.set(mapping.importLine, `plugin:${name}?version=${encodeURIComponent(`==${mapping.version}`)}`);
    }
  }
  return { constraints, exact, rewrites };
}

/** Whether a plan installs a plugin that another one does not install just so. */
export function havePluginsChanged(before: Lists, after: Lists): boolean {
  return lists.some((list) => {
    const known = new Map(before[list].map((plugin) => [plugin.name, plugin]));
    return after[list].some((plugin) => !isSameDocument(plugin, known.get(plugin.name)));
  });
}
