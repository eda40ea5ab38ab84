import { stat } from 'node:fs/promises';
import { join, relative, isAbsolute } from 'node:path';
import { coerceError, GantryError } from '../../domain/errors.ts';
import type { Blueprint } from '../../domain/entities.ts';
import type { JsonObject, Plan } from '../../domain/plan.ts';
import type { BlueprintState } from '../../domain/states.ts';
import type { StagedBlueprint } from '../../files/file-store.ts';
import { fetchRemote } from '../../files/remote.ts';
import { changeBlueprintState, deleteBlueprint, getBlueprint, updateBlueprint } from '../../store/blueprints.ts';
import { isConnectionError } from '../../store/database-errors.ts';
import { replaceLabels } from '../../store/labels.ts';
import type { NewLabel } from '../../store/labels.ts';
import type { Transaction } from '../../store/session.ts';
import { arrivalLimit, withStorage } from '../storage-quota.ts';
import { isReleased } from '../system-workflow.ts';
import type { SystemWorkflow, SystemWorkflowContext } from '../system-workflow.ts';
import { ParseFailure } from './blueprint-parser.ts';
import type { SystemDependencies } from './dependencies.ts';
import { importCatalogue } from './import-catalogue.ts';
import { parseDirectory } from './parse-directory.ts';

const defaultMainFile = 'blueprint.yaml';
const downloadTimeout = 30_000;

/** A step that failed: the state the blueprint gets and what its owner is told. */
class UploadFailure extends Error {
  override readonly name = 'UploadFailure';
  readonly state: BlueprintState;
  readonly trace: string | undefined;

  constructor(state: BlueprintState, message: string, cause?: unknown) {
    super(message, { cause });
    this.state = state;
    this.trace = cause instanceof Error ? cause.stack : undefined;
  }
}

interface Parameters {
  readonly blueprintId: string;
  readonly mainFileName: string;
  readonly url: string | undefined;
  readonly isValidation: boolean;
  readonly labels: readonly { key: string; value: string }[] | undefined;
}

/**
 * Turns an uploaded archive into a blueprint: fetches it where only a URL was given, unpacks, parses and publishes it.
 * Every step is stored as the blueprint's state; each of them may be repeated.
 */
export function uploadBlueprint(dependencies: SystemDependencies): SystemWorkflow {
  return async (context) => {
    const parameters = readParameters(context.execution.parameters);
    const scope = { tenantId: context.execution.tenantId };
    const blueprint = await getBlueprint(context.database, scope, parameters.blueprintId, {
      fields: ['id', 'state', 'tenantName', 'mainFileName'],
    });
    if (blueprint.state === 'uploaded') {
      return undefined;
    }
    const upload = new Upload(dependencies, context, blueprint, parameters);
    return parameters.isValidation ? upload.validate() : upload.run();
  };
}

function readParameters(given: JsonObject): Parameters {
  const text = (name: string): string | undefined => {
    const value = given[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const labels = given['labels'];
  return {
    blueprintId: text('blueprint_id') ?? '',
    mainFileName: text('app_file_name') ?? defaultMainFile,
    url: text('url'),
    isValidation: given['validate_only'] === true,
    labels: Array.isArray(labels) ? labels.flatMap(labelOf) : undefined,
  };
}

function labelOf(label: unknown): { key: string; value: string }[] {
  if (typeof label !== 'object' || label === null) {
    return [];
  }
  if ('key' in label && 'value' in label) {
    return [{ key: String(label.key), value: String(label.value) }];
  }
  return Object.entries(label).map(([key, value]) => ({ key, value: String(value) }));
}

class Upload {
  readonly #dependencies: SystemDependencies;
  readonly #context: SystemWorkflowContext;
  readonly #blueprint: Blueprint;
  readonly #parameters: Parameters;

  constructor(
    dependencies: SystemDependencies,
    context: SystemWorkflowContext,
    blueprint: Blueprint,
    parameters: Parameters,
  ) {
    this.#dependencies = dependencies;
    this.#context = context;
    this.#blueprint = blueprint;
    this.#parameters = parameters;
  }

  /** Parses the blueprint and removes it again, whatever came of it. */
  async validate(): Promise<undefined> {
    try {
      await this.#fetch();
      const staged = await this.#unpack();
      await this.#parse(staged).finally(() => staged.discard());
    } catch (thrown) {
      throw asRefusal(thrown);
    } finally {
      if (!isReleased(this.#context.signal)) {
        await this.discard();
      }
    }
    return undefined;
  }

  /** Removes the blueprint. */
  async discard(): Promise<void> {
    await this.#context.database.transaction(async (transaction) => {
      if (await deleteBlueprint(transaction, this.#blueprint.storageId)) {
        // while the id is taken still: the next moment another upload may have it
        await this.#dependencies.files.removeBlueprint(this.#blueprint.tenantName, this.#blueprint.id);
      }
    });
  }

  async run(): Promise<undefined> {
    try {
      await this.#fetch();
      await this.#enter('extracting');
      const staged = await this.#unpack();
      try {
        await this.#enter('parsing');
        const plan = await this.#parse(staged);
        await this.#publish(staged, plan);
      } finally {
        await staged.discard();
      }
    } catch (thrown) {
      if (thrown instanceof UploadFailure) {
        await this.#record(thrown);
      }
      throw asRefusal(thrown);
    }
    return undefined;
  }

  get #owner(): { id: number; name: string } {
    return { id: this.#blueprint.tenantId, name: this.#blueprint.tenantName };
  }

  /** Puts files in place that the tenant's quota has room for. */
  async #admit(bytes: number, place: () => Promise<unknown>): Promise<void> {
    const storage = { session: this.#context.database, files: this.#dependencies.files };
    await withStorage(storage, this.#owner, async (_transaction, book) => {
      await book(bytes);
      await place();
    });
  }

  async #enter(state: BlueprintState): Promise<void> {
    this.#context.signal.throwIfAborted();
    const { storageId } = this.#blueprint;
    if (
      !(await changeBlueprintState(this.#context.database, storageId, state, { error: null, errorTraceback: null }))
    ) {
      throw this.#deleted();
    }
    this.#context.log('info', `Blueprint ${this.#blueprint.id}: ${state}`);
  }

  async #record(failure: UploadFailure): Promise<void> {
    const { storageId, tenantName, id } = this.#blueprint;
    await this.#context.database.transaction(async (transaction) => {
      const outcome = { error: failure.message, errorTraceback: failure.trace ?? null };
      if (await changeBlueprintState(transaction, storageId, failure.state, outcome)) {
        // a failed upload may be replaced as soon as it is seen, and the new archive must not go with the old one
        await this.#dependencies.files.removeBlueprintArchive(tenantName, id);
      }
    });
  }

  #deleted(): GantryError {
    return new GantryError('not_found_error', `Blueprint ${this.#blueprint.id} was deleted during its upload`);
  }

  async #fetch(): Promise<void> {
    const { url } = this.#parameters;
    const { files, config } = this.#dependencies;
    const { tenantName, id } = this.#blueprint;
    if (url === undefined || (this.#context.isResume && (await files.blueprintArchive(tenantName, id)))) {
      return;
    }
    if (!this.#parameters.isValidation) {
      await this.#enter('uploading');
    }
    try {
      const maxBytes = config.http.maxUploadBytes;
      const request = { maxBytes, timeout: downloadTimeout, signal: this.#context.signal };
      const { body } = await fetchRemote(url, { allowedHosts: config.imports.allowedHosts }, request);
      const limit = await arrivalLimit(this.#context.database, files, this.#owner, maxBytes);
      const received = await files.receiveArchive(body, limit, 'Blueprint');
      try {
        await this.#admit(received.bytes, () => files.keepBlueprintArchive(tenantName, id, received));
      } finally {
        await received.discard();
      }
    } catch (thrown) {
      this.#context.signal.throwIfAborted();
      throw new UploadFailure('failed_uploading', coerceError(thrown).message, thrown);
    }
  }

  async #unpack(): Promise<StagedBlueprint> {
    const { tenantName, id } = this.#blueprint;
    try {
      return await this.#dependencies.files.stageBlueprint(tenantName, id, this.#context.signal);
    } catch (thrown) {
      this.#context.signal.throwIfAborted();
      throw new UploadFailure('failed_extracting', coerceError(thrown).message, thrown);
    }
  }

  async #parse(staged: StagedBlueprint): Promise<Plan> {
    const { database, signal } = this.#context;
    const path = await this.#mainFile(staged);
    try {
      return await parseDirectory(this.#dependencies, {
        session: database,
        directory: staged.directory,
        mainFilePath: path,
        tenantName: this.#blueprint.tenantName,
        catalogue: importCatalogue(database, this.#dependencies.files, this.#blueprint.tenantId),
        signal,
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (isConnectionError(thrown)) {
        throw thrown;
      }
      if (thrown instanceof ParseFailure && thrown.plain.isInvalidBlueprint) {
        throw new UploadFailure('invalid', `Invalid blueprint - ${thrown.message}`, thrown);
      }
      throw new UploadFailure('failed_parsing', coerceError(thrown).message, thrown);
    }
  }

  async #mainFile(staged: StagedBlueprint): Promise<string> {
    const name = this.#parameters.mainFileName;
    const path = join(staged.directory, name);
    const offset = relative(staged.directory, path);
    const isInside = offset !== '' && !offset.startsWith('..') && !isAbsolute(offset);
    const found = isInside ? await stat(path).catch(() => undefined) : undefined;
    if (!found?.isFile()) {
      throw new UploadFailure(
        'failed_extracting',
        `${name} does not exist in the application archive; name the main file with application_file_name`,
      );
    }
    return path;
  }

  async #publish(staged: StagedBlueprint, plan: Plan): Promise<void> {
    const { database, signal } = this.#context;
    signal.throwIfAborted();
    const growth = await staged.growth();
    const storage = { session: database, files: this.#dependencies.files };
    try {
      await withStorage(storage, this.#owner, async (transaction, book) => {
        // the row is held from here on: who deletes it, or uploads another one under its id, waits for the files
        await this.#store(transaction, plan);
        await book(growth);
        await staged.publish().catch((thrown: unknown) => {
          throw publishingFailed(thrown);
        });
      });
    } catch (thrown) {
      throw thrown instanceof GantryError && thrown.code === 'quota_exceeded_error' ? publishingFailed(thrown) : thrown;
    }
  }

  async #store(transaction: Transaction, plan: Plan): Promise<void> {
    const { storageId } = this.#blueprint;
    const { execution, clock } = this.#context;
    await updateBlueprint(transaction, storageId, {
      plan,
      requirements: plan.requirements,
      mainFileName: this.#parameters.mainFileName,
      description: plan.description,
      updatedAt: new Date(clock.now()),
    });
    const labels: readonly { key: string; value: string }[] =
      this.#parameters.labels ?? planLabels(plan.blueprint_labels);
    const stored: NewLabel[] = labels.map((label) => ({ ...label, creatorId: execution.creatorId }));
    await replaceLabels(transaction, 'blueprints', storageId, stored);
    await changeBlueprintState(transaction, storageId, 'uploaded', { error: null, errorTraceback: null });
  }
}

function publishingFailed(thrown: unknown): UploadFailure {
  return new UploadFailure('failed_extracting_to_file_server', coerceError(thrown).message, thrown);
}

/** Labels of a plan, one pair per value; keys are lower case. */
export function planLabels(labels: Plan['labels'] | undefined): { key: string; value: string }[] {
  return Object.entries(labels ?? {}).flatMap(([key, { values }]) =>
    values.map((value) => ({
      key: key.toLowerCase(),
      value: typeof value === 'string' ? value : JSON.stringify(value),
    })),
  );
}

/** What the execution fails with; interruptions stay what they are. */
function asRefusal(thrown: unknown): unknown {
  return thrown instanceof UploadFailure
    ? new GantryError('invalid_blueprint_error', thrown.message, { cause: thrown })
    : thrown;
}
