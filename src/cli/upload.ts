import { basename, dirname, resolve } from 'node:path';
import { packBlueprint } from '../client/archive.ts';
import type { GantryClient } from '../client/client.ts';
import { hasFailed } from '../client/resources/blueprints.ts';
import type { UploadOptions } from '../client/resources/blueprints.ts';
import type { BlueprintShape } from '../client/types.ts';
import { FailedOutcome, UsageError } from './errors.ts';
import type { Invocation } from './invocation.ts';
import { makeTransferBar } from './progress.ts';

/** Id for a blueprint that was given none: the name of its folder, or of its file when that is more telling. */
export function blueprintIdOf(path: string): string {
  const source = resolve(path);
  const file = basename(source);
  const name = /\.(ya?ml)$/i.test(file)
    ? /^blueprint\.ya?ml$/i.test(file)
      ? basename(dirname(source))
      : file.replace(/\.ya?ml$/i, '')
    : file.replace(/\.(zip|tgz|tbz2|tar(\.gz|\.bz2)?)$/i, '');
  return name.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}

export interface UploadCommandOptions {
  mainFile?: string;
  visibility?: UploadOptions['visibility'];
  labels?: UploadOptions['labels'];
}

/**
 * Packs, sends and waits until the manager has parsed the blueprint.
 * @throws FailedOutcome with the parser's error
 */
export async function uploadBlueprint(
  invocation: Invocation,
  client: GantryClient,
  path: string,
  id: string,
  options: UploadCommandOptions = {},
): Promise<BlueprintShape> {
  if (/^https?:\/\//.test(path)) {
    await client.blueprints.upload(id, undefined, { ...uploadOptions(options), archiveUrl: path });
  } else {
    await sendArchive(invocation, client, path, id, options);
  }
  const blueprint = await client.blueprints.waitUntilFinal(id, { signal: invocation.signal });
  if (hasFailed(blueprint)) {
    throw new FailedOutcome(`Blueprint ${id} is ${blueprint.state}: ${blueprint.error ?? 'no reason given'}`);
  }
  return blueprint;
}

function uploadOptions(options: UploadCommandOptions): UploadOptions {
  return {
    ...(options.mainFile === undefined ? {} : { mainFile: options.mainFile }),
    ...(options.visibility === undefined ? {} : { visibility: options.visibility }),
    ...(options.labels === undefined ? {} : { labels: options.labels }),
  };
}

async function sendArchive(
  invocation: Invocation,
  client: GantryClient,
  path: string,
  id: string,
  options: UploadCommandOptions,
): Promise<void> {
  const archive = await packBlueprint(path, options.mainFile).catch((error: unknown) => {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  });
  const bar = makeTransferBar(invocation.terminal, `Uploading ${id}`);
  try {
    await client.blueprints.upload(id, archive, {
      ...uploadOptions(options),
      onProgress: (sent, total) => bar.update(sent, total),
      signal: invocation.signal,
    });
  } finally {
    bar.stop();
    await archive.dispose();
  }
}
