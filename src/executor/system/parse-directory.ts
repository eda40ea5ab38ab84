import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { resourcePath } from '../../config/package-root.ts';
import type { Json, Plan } from '../../domain/plan.ts';
import { readImportRules } from '../../dsl/imports/rules.ts';
import type { ImportRules } from '../../dsl/imports/rules.ts';
import { ManagerImportResolver } from '../../files/import-resolver.ts';
import type { ImportCatalogue } from '../../files/import-resolver.ts';
import { readProviderContext } from '../../store/provider-context.ts';
import type { Session } from '../../store/session.ts';
import type { SystemDependencies } from './dependencies.ts';

/** A blueprint unpacked into a directory. */
export interface BlueprintSource {
  /** Where the provider context is read. */
  readonly session: Session;
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
 * @throws ParseFailure when it is wrong; DslError for import rules that cannot be read; AbortError when `signal` is
 *   aborted
 */
export async function parseDirectory(
  { config, files, parser }: Pick<SystemDependencies, 'config' | 'files' | 'parser'>,
  { session, directory, mainFilePath, tenantName, catalogue, rewrites, signal }: BlueprintSource,
): Promise<Plan> {
  const rules = await findImportRules(session);
  const resolver = new ManagerImportResolver({
    blueprintDirectory: directory,
    sharedRoot: resourcePath(),
    filesRoot: files.root,
    tenant: tenantName,
    policy: { allowedHosts: config.imports.allowedHosts },
    catalogue,
    ...(rewrites ? { rewrites } : {}),
    rules,
    signal,
  });
  const text = await readFile(mainFilePath, 'utf8');
  return parser.parse({ text, location: pathToFileURL(mainFilePath).href, directory, resolver }, signal);
}

/** Compatibility: Cloudify 7 configures the import resolver in `cloudify.import_resolver` of the provider context. */
async function findImportRules(session: Session): Promise<ImportRules> {
  const stored = await readProviderContext(session);
  return readImportRules(memberOf(memberOf(memberOf(stored?.context, 'cloudify'), 'import_resolver'), 'parameters'));
}

function memberOf(value: Json | undefined, name: string): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value[name] : undefined;
}
