import type { Json, PlanPlugin } from '../../domain/plan.ts';
import { logicError } from '../errors.ts';
import { requireType } from '../types/schemas.ts';
import type { Raw, SchemaContext } from '../types/schemas.ts';

/** Reads the section `plugins`. */
export function readPlugins(section: unknown, context: SchemaContext): Map<string, PlanPlugin> {
  const plugins = new Map<string, PlanPlugin>();
  for (const [name, raw] of Object.entries((section ?? {}) as Record<string, Raw>)) {
    const path = ['plugins', name];
    context.problems.attempt(path, () => {
      const plugin = readPlugin(name, raw);
      if (plugin.install && !plugin.source && !plugin.package_name) {
        const what = `Plugin '${name}' needs to be installed, but does not declare a source or package_name property`;
        throw logicError(50, what, { path, remedy: 'Give it a `package_name`, or `install: false`' });
      }
      for (const [property, schema] of Object.entries((raw['properties'] ?? {}) as Record<string, Raw | null>)) {
        const at = [...path, 'properties', property];
        context.problems.attempt(at, () => {
          requireType(schema?.['type'] as string | undefined, at, context);
        });
      }
      plugins.set(name, plugin);
    });
  }
  return plugins;
}

function readPlugin(name: string, raw: Raw): PlanPlugin {
  const text = (key: string): string | null => (raw[key] as string | undefined) ?? null;
  return {
    source: text('source'),
    executor: text('executor'),
    install: (raw['install'] as boolean | null | undefined) ?? true,
    install_arguments: text('install_arguments'),
    package_name: text('package_name'),
    package_version: text('package_version'),
    supported_platform: text('supported_platform'),
    distribution: text('distribution'),
    distribution_version: text('distribution_version'),
    distribution_release: text('distribution_release'),
    properties_description: text('properties_description'),
    properties: (raw['properties'] ?? {}) as Json,
    name,
  };
}
