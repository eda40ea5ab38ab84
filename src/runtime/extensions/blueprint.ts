import type { JsonObject } from '../../domain/plan.ts';
import { NonRecoverableError } from '../sdk.ts';
import type { ExtensionCall } from './operation.ts';
import { labelsOf, objectOf, textOf } from './operation.ts';

/** Id of the blueprint in a `resource_config`; made of the node instance when none is given. */
export function blueprintIdOf(call: ExtensionCall): string {
  return textOf(objectOf(call.setting('resource_config')['blueprint'])['id']) ?? call.ctx.instance.id;
}

/** Uploads the blueprint of `resource_config` unless there is one of that id, and waits until it can be used. */
export async function uploadBlueprint(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime, waiting } = call;
  const blueprint = objectOf(call.setting('resource_config')['blueprint']);
  const id = blueprintIdOf(call);
  const mainFileName = textOf(blueprint['main_file_name']);
  const archive = textOf(blueprint['blueprint_archive']);
  const labels = labelsOf(blueprint['labels']);
  const state = await manager.findBlueprintState(id);
  runtime.set('blueprint', {
    id,
    blueprint_archive: archive ?? null,
    application_file_name: mainFileName ?? null,
    labels,
  });
  await ctx.instance.update();
  if (state === 'uploaded') {
    ctx.logger.info(`Blueprint "${id}" exists already and is used`);
    return;
  }
  if (blueprint['external_resource'] === true) {
    throw new NonRecoverableError(`Blueprint ID "${id}" does not exist, but external_resource says that it does`);
  }
  if (archive === undefined) {
    throw new NonRecoverableError(
      `No blueprint_archive for the blueprint "${id}": give its URL, or its path in the blueprint of this deployment`,
    );
  }
  ctx.logger.info(`Uploading blueprint "${id}"`);
  await manager.uploadBlueprint({ id, archive, mainFileName, labels }, waiting);
}

/** Deletes the blueprint of `resource_config`, unless it was there before or is gone. */
export async function deleteBlueprint(call: ExtensionCall): Promise<void> {
  const blueprint: JsonObject = objectOf(call.setting('resource_config')['blueprint']);
  if (blueprint['external_resource'] === true) {
    return;
  }
  const id = blueprintIdOf(call);
  if ((await call.manager.findBlueprintState(id)) !== undefined) {
    call.ctx.logger.info(`Deleting blueprint "${id}"`);
    await call.manager.deleteBlueprint(id);
  }
}

/** `cloudify_types.blueprint.delete`: the blueprint with the secrets that came with it. */
export async function removeBlueprint(call: ExtensionCall): Promise<void> {
  await deleteBlueprint(call);
  await deleteSecrets(call);
  call.runtime.delete('blueprint');
}

/** Creates the secrets of the property `secrets`. @throws NonRecoverableError when one is there already */
export async function createSecrets(call: ExtensionCall): Promise<void> {
  const { ctx, manager, runtime } = call;
  const secrets = Object.entries(call.setting('secrets'));
  const created = runtime.get('_created_secrets');
  const own = new Set(Array.isArray(created) ? created : []);
  for (const [key] of secrets) {
    if (!own.has(key) && (await manager.hasSecret(key))) {
      throw new NonRecoverableError(`The secret "${key}" exists already; choose another name for it`);
    }
  }
  runtime.set(
    '_created_secrets',
    secrets.map(([key]) => key),
  );
  await ctx.instance.update();
  for (const [key, value] of secrets) {
    if (!(await manager.hasSecret(key))) {
      await manager.createSecret(key, typeof value === 'string' ? value : JSON.stringify(value));
      ctx.logger.info(`Created secret "${key}"`);
    }
  }
}

/** Deletes the secrets that `createSecrets` made. */
export async function deleteSecrets({ ctx, manager, runtime }: ExtensionCall): Promise<void> {
  const created = runtime.get('_created_secrets');
  for (const key of Array.isArray(created) ? created : []) {
    if (typeof key === 'string') {
      await manager.deleteSecret(key);
      ctx.logger.info(`Removed secret "${key}"`);
    }
  }
  runtime.delete('_created_secrets');
}
