import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findMainFile, isArchive } from '../client/archive.ts';
import { packageRoot } from '../config/package-root.ts';
import { GantryError } from '../domain/errors.ts';
import type { DeploymentPlan, JsonObject, Plan } from '../domain/plan.ts';
import { DslError } from '../dsl/errors.ts';
import { parseBlueprint } from '../dsl/parse.ts';
import { prepareDeploymentPlan } from '../dsl/prepare/index.ts';
import { describeError, describeProblems, problemsOf } from '../dsl/report/problem.ts';
import type { BlueprintProblem } from '../dsl/report/problem.ts';
import { nameWithin } from '../files/file-names.ts';
import { ManagerImportResolver } from '../files/import-resolver.ts';
import { singleTopDirectory, unpackArchive } from '../files/unpack.ts';
import { expandPlan } from '../topology/index.ts';
import { FailedOutcome, UsageError } from './errors.ts';

/** What checking a blueprint gives: its plan, or what is wrong with it. */
export type OfflineResult =
  | { readonly plan: Plan; readonly problems: readonly [] }
  | { readonly plan: undefined; readonly problems: readonly BlueprintProblem[] };

interface Source {
  readonly folder: string;
  readonly mainFile: string;
  /** The name shown of a file: relative to where the person is, or to the top of the archive. */
  readonly nameFile: (file: string) => string;
  dispose(): Promise<void>;
}

/**
 * Parses a blueprint on this machine, without a manager. Imports of plugins and of other blueprints need one.
 *
 * @param path a YAML file, a folder or an archive
 * @param mainFile main file in a folder or archive
 * @throws UsageError when there is no blueprint at the path
 */
export async function checkOffline(
  path: string,
  mainFile: string | undefined,
  signal?: AbortSignal,
): Promise<OfflineResult> {
  const source = await openSource(path, mainFile, signal);
  const location = join(source.folder, source.mainFile);
  const resources = join(packageRoot(), 'resources');
  try {
    const plan = await parseBlueprint({
      text: await readMain(location),
      location: pathToFileURL(location).href,
      resolver: new ManagerImportResolver({
        blueprintDirectory: source.folder,
        sharedRoot: resources,
        filesRoot: resources,
        tenant: 'default_tenant',
        policy: { allowedHosts: ['*'] },
        catalogue: { findPlugin: async () => undefined, findBlueprint: async () => undefined },
        ...(signal ? { signal } : {}),
      }),
      resourcesBase: pathToFileURL(source.folder).href,
    });
    return { plan, problems: [] };
  } catch (error) {
    if (!(error instanceof DslError)) {
      throw error;
    }
    return { plan: undefined, problems: problemsOf(error, location, source.nameFile) };
  } finally {
    await source.dispose();
  }
}

/**
 * The plan of a blueprint, see {@link checkOffline}.
 * @throws FailedOutcome with every mistake the parser found
 */
export async function planOffline(path: string, mainFile: string | undefined, signal?: AbortSignal): Promise<Plan> {
  const { plan, problems } = await checkOffline(path, mainFile, signal);
  if (!plan) {
    throw new FailedOutcome(`the blueprint is not valid\n${describeProblems(problems)}`);
  }
  return plan;
}

/**
 * The plan a deployment would get. Secrets are taken to exist, entities that inputs name are not looked up.
 * @throws FailedOutcome when the inputs or what is made of them are wrong
 */
export async function prepareOffline(plan: Plan, inputs: Record<string, unknown>): Promise<DeploymentPlan> {
  try {
    return await prepareDeploymentPlan(plan, {
      inputs: inputs as JsonObject,
      expand: (copy) => expandPlan(copy, (bound) => randomInt(bound)),
      secrets: { missing: async () => [] },
    });
  } catch (error) {
    if (!(error instanceof DslError)) {
      throw error;
    }
    throw new FailedOutcome(`the blueprint cannot be deployed with these inputs\n${describeError(error)}`);
  }
}

async function openSource(
  path: string,
  mainFile: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const source = resolve(path);
  const information = await stat(source).catch(() => undefined);
  if (!information) {
    throw new UsageError(`There is no file or folder ${path}`);
  }
  if (information.isFile() && isArchive(source)) {
    return openArchive(source, mainFile, signal);
  }
  return {
    folder: information.isDirectory() ? source : dirname(source),
    mainFile: information.isDirectory() ? (mainFile ?? (await findMain(source))) : basename(source),
    nameFile: (file) => nameWithin(process.cwd(), file),
    dispose: async () => undefined,
  };
}

async function openArchive(
  path: string,
  mainFile: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Source> {
  const temporary = await mkdtemp(join(tmpdir(), 'gantry-check-'));
  const dispose = (): Promise<void> => rm(temporary, { recursive: true, force: true });
  try {
    await unpackArchive(path, join(temporary, 'archive'), signal ? { signal } : {});
    const folder = await singleTopDirectory(join(temporary, 'archive'));
    return {
      folder,
      mainFile: mainFile ?? (await findMain(folder)),
      nameFile: (file) => nameWithin(folder, file),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error instanceof GantryError ? new UsageError(`${path}: ${error.message}`) : error;
  }
}

async function findMain(folder: string): Promise<string> {
  return findMainFile(folder).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message : String(error), 'Name the main file with --main FILE');
  });
}

async function readMain(location: string): Promise<string> {
  return readFile(location, 'utf8').catch((error: unknown) => {
    throw new UsageError(`Cannot read ${location}: ${error instanceof Error ? error.message : String(error)}`);
  });
}
