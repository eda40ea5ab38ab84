import type { JsonObject } from '../../domain/plan.ts';
import type { DeploymentModificationService } from '../../services/deployment-modifications.ts';
import type { ModificationRequest } from '../../workflows/context.ts';
import { single } from '../answer.ts';
import { created, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { shapeOne } from '../shapes/field.ts';
import { modificationShape } from '../shapes/records.ts';

const hintSchema = { type: ['array', 'null'], items: { type: 'string' } };

const startSchema = {
  type: 'object',
  required: ['deployment_id'],
  properties: {
    deployment_id: { type: 'string' },
    nodes: {
      type: ['object', 'null'],
      additionalProperties: {
        type: 'object',
        required: ['instances'],
        properties: {
          instances: { type: 'integer', minimum: 0 },
          removed_ids_include_hint: hintSchema,
          removed_ids_exclude_hint: hintSchema,
        },
      },
    },
    context: { type: ['object', 'null'] },
  },
};

/** A change of one node or scaling group, as the schema lets it in. */
interface WrittenChange {
  instances: number;
  removed_ids_include_hint?: string[] | null;
  removed_ids_exclude_hint?: string[] | null;
}

function requestOf(nodes: Record<string, WrittenChange>): ModificationRequest {
  return Object.fromEntries(
    Object.entries(nodes).map(([name, change]) => [
      name,
      {
        instances: change.instances,
        removedIdsIncludeHint: change.removed_ids_include_hint ?? [],
        removedIdsExcludeHint: change.removed_ids_exclude_hint ?? [],
      },
    ]),
  );
}

const idOf = ({ parameters }: ApiCall): string => parameters['id'] ?? '';

/** Routes that change how many instances a deployment has. */
export function deploymentModificationRoutes(modifications: DeploymentModificationService): Route[] {
  return [
    {
      method: 'post',
      path: '/deployment-modifications',
      summary: 'Start a deployment modification',
      access: { permission: 'deployment_modify' },
      body: startSchema,
      answer: single(modificationShape),
      handle: async (call) => {
        const body = call.body as { deployment_id: string; nodes?: object | null; context?: JsonObject | null };
        const request = requestOf((body.nodes ?? {}) as Record<string, WrittenChange>);
        const context = body.context ?? undefined;
        const started = await modifications.start(call.tenantCaller, body.deployment_id, request, context);
        return created(shapeOne(modificationShape, started));
      },
    },
    {
      method: 'post',
      path: '/deployment-modifications/:id/finish',
      summary: 'Finish a deployment modification',
      access: { permission: 'deployment_modification_finish' },
      answer: single(modificationShape),
      handle: async (call) =>
        ok(shapeOne(modificationShape, await modifications.finish(call.tenantCaller, idOf(call)))),
    },
    {
      method: 'post',
      path: '/deployment-modifications/:id/rollback',
      summary: 'Roll back a deployment modification',
      access: { permission: 'deployment_modification_rollback' },
      answer: single(modificationShape),
      handle: async (call) =>
        ok(shapeOne(modificationShape, await modifications.rollBack(call.tenantCaller, idOf(call)))),
    },
  ];
}
