import type { PermissionService } from '../../services/permissions.ts';
import { json, nothing, paged, record, textSchema } from '../answer.ts';
import { noContent, ok } from '../route.ts';
import type { ApiCall, Route } from '../route.ts';
import { wholeList } from '../whole-list.ts';

const everybody = { tenant: 'optional' } as const;

const pairSchema = record('RolePermission', { role: textSchema, permission: textSchema });

function pairOf({ parameters }: ApiCall): { role: string; permission: string } {
  return { role: parameters['role'] ?? '', permission: parameters['permission'] ?? '' };
}

/** Routes of `/permissions`: which role may do what. Who may ask is decided by the use case. */
export function permissionRoutes(permissions: PermissionService): Route[] {
  return [
    {
      method: 'get',
      path: '/permissions',
      summary: 'List the permissions of all roles',
      access: everybody,
      answer: paged(pairSchema),
      handle: ({ caller, query }) => ok(wholeList(query, permissions.list(caller))),
    },
    {
      method: 'get',
      path: '/permissions/:role',
      summary: 'List the permissions of a role',
      access: everybody,
      answer: paged(pairSchema),
      handle: ({ caller, query, parameters }) =>
        ok(wholeList(query, permissions.list(caller, parameters['role'] ?? ''))),
    },
    {
      method: 'put',
      path: '/permissions/:role/:permission',
      summary: 'Add a permission to a role',
      access: everybody,
      answer: json(pairSchema),
      handle: async (call) => {
        const pair = pairOf(call);
        await permissions.add(call.caller, pair);
        return ok(pair);
      },
    },
    {
      method: 'delete',
      path: '/permissions/:role/:permission',
      summary: 'Remove a permission from a role',
      access: everybody,
      answer: nothing,
      handle: async (call) => {
        await permissions.remove(call.caller, pairOf(call));
        return noContent;
      },
    },
  ];
}
