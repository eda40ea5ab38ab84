import { GantryError } from '../../domain/errors.ts';
import { parseResourcePath } from '../../files/resource-path.ts';
import { authoriseResource, resourcesPrefix } from '../resources.ts';
import type { ResourceServices } from '../resources.ts';
import { ok } from '../route.ts';
import type { Route } from '../route.ts';

/** Routes that nginx asks before it serves a file. */
export function fileServerRoutes(services: ResourceServices): Route[] {
  return [
    {
      method: 'get',
      path: '/file-server-auth',
      summary: 'Whether the caller may read the file named by X-Original-URI',
      // decided below, by the file that is asked for
      access: 'open',
      isMaintenance: true,
      handle: async ({ request }) => {
        const uri = request.get('x-original-uri') ?? '';
        const method = request.get('x-original-method') ?? 'GET';
        const start = uri.indexOf(resourcesPrefix);
        if (start !== 0 || (method !== 'GET' && method !== 'HEAD')) {
          throw new GantryError('forbidden_error', `Not allowed: ${method} ${uri.slice(0, 200)}`);
        }
        await authoriseResource(services, request, parseResourcePath(uri.slice(resourcesPrefix.length)));
        return ok({ resource_id: null });
      },
    },
  ];
}
