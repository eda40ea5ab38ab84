import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findMainFile } from '../client/archive.ts';
import { packageRoot } from '../config/package-root.ts';
import type { Plan } from '../domain/plan.ts';
import { DslError } from '../dsl/errors.ts';
import { parseBlueprint } from '../dsl/parse.ts';
import { ManagerImportResolver } from '../files/import-resolver.ts';
import { FailedOutcome, UsageError } from './errors.ts';

/**
 * Parses a blueprint on this machine, without a manager. Imports of plugins and of other blueprints need one.
 * @throws FailedOutcome with every mistake the parser found
 */
export async function planOffline(path: string, mainFile: string | undefined): Promise<Plan> {
  const source = resolve(path);
  const information = await stat(source).catch(() => undefined);
  if (!information) {
    throw new UsageError(`There is no file or folder ${path}`);
  }
  const folder = information.isDirectory() ? source : dirname(source);
  const file = information.isDirectory() ? (mainFile ?? (await findMainFile(source))) : basename(source);
  const location = join(folder, file);
  const resources = join(packageRoot(), 'resources');
  const resolver = new ManagerImportResolver({
    blueprintDirectory: folder,
    sharedRoot: resources,
    filesRoot: resources,
    tenant: 'default_tenant',
    policy: { allowedHosts: ['*'] },
    catalogue: { findPlugin: async () => undefined, findBlueprint: async () => undefined },
  });
  try {
    return await parseBlueprint({
      text: await readFile(location, 'utf8'),
      location: pathToFileURL(location).href,
      resolver,
      resourcesBase: pathToFileURL(folder).href,
    });
  } catch (error) {
    if (!(error instanceof DslError)) {
      throw error;
    }
    throw new FailedOutcome(`the blueprint is not valid\n${describeProblems(error, location)}`);
  }
}

/** Every problem with its place, as compilers write it, the line in question and what to do about it. */
function describeProblems(error: DslError, fallback: string): string {
  return [error, ...error.others]
    .map((problem) => {
      const { location } = problem;
      const file = relative(process.cwd(), pathOf(location?.file ?? fallback));
      const place = [file, location?.line, location?.column === undefined ? undefined : location.column + 1]
        .filter((part) => part !== undefined)
        .join(':');
      const lines = [`${place}: ${problem.message}`, location?.excerpt, problem.remedy];
      return lines.filter((line) => line !== undefined && line !== '').join('\n');
    })
    .join('\n\n');
}

function pathOf(location: string): string {
  return location.startsWith('file:') ? fileURLToPath(location) : location;
}
