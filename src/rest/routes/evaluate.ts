import type { Json, JsonObject } from '../../domain/plan.ts';
import type { DeploymentService } from '../../services/deployments.ts';
import { json, record, textSchema } from '../answer.ts';
import { isObject, textMember } from '../body.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';

const schema = {
  type: 'object',
  required: ['deployment_id', 'payload'],
  properties: {
    deployment_id: { type: 'string' },
    payload: { type: 'object' },
    context: { type: ['object', 'null'] },
  },
};

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Routes of `/evaluate`. */
export function evaluateRoutes(deployments: DeploymentService): Route[] {
  return [
    {
      method: 'post',
      path: '/evaluate/functions',
      summary: 'Evaluate intrinsic functions in a deployment',
      access: { permission: 'functions_evaluate' },
      body: schema,
      answer: json(record(undefined, { deployment_id: textSchema, payload: {} })),
      handle: async ({ tenantCaller, body }) => {
        const request = body as JsonObject;
        const deploymentId = textMember(request, 'deployment_id');
        const context = isObject(request['context']) ? request['context'] : {};
        const payload = await deployments.evaluate(tenantCaller, deploymentId, request['payload'] as JsonObject, {
          self: textOf(context['self']),
          source: textOf(context['source']),
          target: textOf(context['target']),
          sourceNode: textOf(context['source_node']),
          targetNode: textOf(context['target_node']),
        });
        return ok({ deployment_id: deploymentId, payload });
      },
    },
  ];
}
