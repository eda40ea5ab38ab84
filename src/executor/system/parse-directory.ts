import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { resourcePath } from '../../config/package-root.ts';
import type { Plan } from '../../domain/plan.ts';
import { ManagerImportResolver } from '../../files/import-resolver.ts';
import type { ImportCatalogue } from '../../files/import-resolver.ts';
import type { SystemDependencies } from './dependencies.ts';

/** A blueprint unpacked into a directory. */
export interface BlueprintSource {
  readonly directory: string;
  readonly mainFilePath: string;
  readonly tenantName: string;
  readonly catalogue: ImportCatalogue;
  /** See `ImportResolverOptions`. */
  readonly rewrites?: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
}

/**
 * Parses a blueprint with what it imports from the manager.
 * @throws ParseFailure when it is wrong; AbortError when `signal` is aborted
 */
export async function parseDirectory(
  { config, files, parser }: Pick<SystemDependencies, 'config' | 'files' | 'parser'>,
  { directory, mainFilePath, tenantName, catalogue, rewrites, signal }: BlueprintSource,
): Promise<Plan> {
  const resolver = new ManagerImportResolver({
    blueprintDirectory: directory,
    sharedRoot: resourcePath(),
    filesRoot: files.root,
    tenant: tenantName,
    policy: { allowedHosts: config.imports.allowedHosts },
    catalogue,
    ...(rewrites ? { rewrites } : {}),
    signal,
  });
  const text = await readFile(mainFilePath, 'utf8');
  return parser.parse({ text, location: pathToFileURL(mainFilePath).href, directory, resolver }, signal);
}
