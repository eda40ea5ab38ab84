import type { Execution } from '../domain/entities.ts';
import { GantryError } from '../domain/errors.ts';
import type { Json, JsonObject } from '../domain/plan.ts';
import type { RevealSecret } from '../domain/resources.ts';
import { evaluateFunctions } from '../dsl/functions/index.ts';
import { addConsumers } from '../store/consumers.ts';
import { findTargets } from '../store/deployment-links.ts';
import { createEvaluationStorage } from '../store/evaluation-storage.ts';
import { loadViewer } from '../store/execution-viewer.ts';
import { findBySource, findCircularTargets, setDependencyTargets } from '../store/inter-deployment-dependencies.ts';
import type { Session } from '../store/session.ts';

/**
 * Works out on which deployments one depends whose functions name them: what a workflow did may have changed that.
 *
 * Compatibility: Cloudify 7 does the same whenever an execution ends.
 *
 * @param reveal reads a secret
 * @throws DslError when a function fails
 * @throws GantryError conflict_error when the deployment would depend on one that depends on it
 */
export async function refreshDependencyTargets(
  session: Session,
  execution: Execution,
  reveal: RevealSecret,
): Promise<void> {
  const { deploymentStorageId: storageId, tenantId, creatorId } = execution;
  if (storageId === undefined) {
    return;
  }
  const dependencies = await findBySource(session, storageId);
  const dynamic = dependencies.filter((dependency) => dependency.targetDeploymentFunction !== undefined);
  if (dynamic.length === 0) {
    return;
  }
  const viewer = await loadViewer(session, creatorId);
  const storage = createEvaluationStorage(session, { storageId, tenantId }, { viewer, reveal });
  const wanted: { storageId: number; target: string | undefined }[] = [];
  for (const dependency of dynamic) {
    const { value, context } = parseTarget(dependency.targetDeploymentFunction ?? null);
    const { target } = await evaluateFunctions({ target: value }, context, storage);
    wanted.push({ storageId: dependency.storageId, target: typeof target === 'string' ? target : undefined });
  }
  const targets = await findTargets(
    session,
    tenantId,
    wanted.flatMap(({ target }) => target ?? []),
  );
  await refuseCircles(session, storageId, targets);
  await setDependencyTargets(
    session,
    wanted.map(({ storageId: id, target }) => ({
      storageId: id,
      targetDeploymentStorageId: targets.get(target ?? '') ?? null,
    })),
  );
  await addConsumers(
    session,
    [...targets.values()].map((parentId) => ({ childId: storageId, parentId })),
  );
}

async function refuseCircles(session: Session, storageId: number, targets: ReadonlyMap<string, number>): Promise<void> {
  const [circular] = await findCircularTargets(session, storageId, [...targets.values()]);
  const named = [...targets].find(([, target]) => target === circular);
  if (named) {
    throw new GantryError('conflict_error', `cyclic dependency: deployment ${named[0]} depends on this one itself`);
  }
}

/** `{function, context}`, or the function alone as older versions stored it. */
function parseTarget(written: Json): { value: Json; context: Record<string, string> } {
  if (isObject(written) && 'function' in written && isObject(written['context'])) {
    const context = Object.entries(written['context']).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return { value: written['function'] ?? null, context: Object.fromEntries(context) };
  }
  return { value: written, context: {} };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
