import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/config/package-root.ts';
import type { ImportResolver } from '../../src/dsl/parse.ts';

/** Folder with the type definitions every blueprint imports. */
export const typesFolder = join(packageRoot(), 'resources', 'types');

/**
 * A chain of node templates, each with properties, an intrinsic function, operations of its own and a relationship to
 * the one before it.
 * @param instances of each node
 */
export function chainBlueprint(templates: number, instances = 1): string {
  const lines = [
    'tosca_definitions_version: cloudify_dsl_1_5',
    'imports: [cloudify/types/types.yaml]',
    'inputs: {in: {type: string, default: x}}',
    'plugins: {p: {executor: central_deployment_agent, install: false}}',
    'node_types:',
    '  app:',
    '    derived_from: cloudify.nodes.Root',
    '    properties: {a: {default: ""}, b: {default: ""}, c: {default: []}}',
    'node_templates:',
  ];
  for (let index = 0; index < templates; index += 1) {
    lines.push(
      `  node_${index}:`,
      '    type: app',
      `    properties: {a: value ${index}, b: {get_input: in}, c: [1, 2, 3]}`,
      '    interfaces:',
      '      cloudify.interfaces.lifecycle:',
      `        create: {implementation: p.module.create, inputs: {x: y, n: ${index}}}`,
      '        start: p.module.start',
    );
    if (instances > 1) {
      lines.push(`    capabilities: {scalable: {properties: {default_instances: ${instances}}}}`);
    }
    if (index > 0) {
      lines.push(`    relationships: [{type: cloudify.relationships.depends_on, target: node_${index - 1}}]`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Answers imports of the types from memory, so that the disk is not measured. */
export async function typesResolver(): Promise<ImportResolver> {
  const text = await readFile(join(typesFolder, 'types.yaml'), 'utf8');
  return {
    fetch: async () => ({ kind: 'file', text }),
    locateFile: async () => undefined,
    resourceExists: async () => false,
  };
}
