import type { Config } from '../../config/config.ts';
import { GantryError } from '../../domain/errors.ts';
import { ClientFiles } from '../../files/client-files.ts';
import { parseResourcePath } from '../../files/resource-path.ts';
import type { TenantQuotaService } from '../../services/tenant-quotas.ts';
import { file, json, none, record, textSchema } from '../answer.ts';
import { authoriseResource, changeResource, resourcePathOf, resourcesPrefix, sendResource } from '../resources.ts';
import type { ResourceServices } from '../resources.ts';
import { ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';

const proxyPath = '/file-server-proxy/*path';
const proxyPrefix = '/file-server-proxy/';

/** Files as such, for clients that come past nginx. Who may do what is decided by the file that is asked for. */
function proxyRoutes(services: FileServerServices): Route[] {
  const change = async ({ request, query }: ApiCall): Promise<Answer> =>
    ok(
      await changeResource(
        {
          ...services,
          clientFiles: new ClientFiles(services.files),
          quotas: services.tenantQuotas,
          maxUploadBytes: services.config.http.maxUploadBytes,
        },
        resourcePathOf(request, proxyPrefix),
        { request, query },
      ),
    );
  return [
    {
      method: 'get',
      path: proxyPath,
      summary: 'Get a file, the list of a directory (path ending in /), or with `archive` a directory as tar.gz',
      access: 'open',
      query: ['archive'],
      isMaintenance: true,
      answer: file(),
      handle: async ({ request, response, query }): Promise<Answer> => {
        const path = resourcePathOf(request, proxyPrefix);
        await authoriseResource(services, request, path);
        await sendResource(services.files, path, query, response);
        return 'sent';
      },
    },
    {
      method: 'put',
      path: proxyPath,
      summary: 'Write a file, or with `extract` unpack an archive into a directory',
      access: 'open',
      query: ['extract'],
      answer: json(textSchema),
      handle: change,
    },
    {
      method: 'post',
      path: proxyPath,
      summary: 'Write the files of a form into a directory',
      access: 'open',
      answer: json(textSchema),
      handle: change,
    },
    { method: 'delete', path: proxyPath, summary: 'Remove a file', access: 'open', answer: none, handle: change },
  ];
}

export interface FileServerServices extends ResourceServices {
  readonly config: Config;
  readonly tenantQuotas: TenantQuotaService;
}

/** Routes of the file server, and those that nginx asks before it serves a file. */
export function fileServerRoutes(services: FileServerServices): Route[] {
  return [
    ...proxyRoutes(services),
    {
      method: 'get',
      path: '/file-server-auth',
      summary: 'Whether the caller may read the file named by X-Original-URI',
      // decided below, by the file that is asked for
      access: 'open',
      isMaintenance: true,
      answer: json(record(undefined, { resource_id: { type: 'null' } })),
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
