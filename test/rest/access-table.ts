import type { Permission } from '../../src/domain/permissions.ts';
import matrix from '../fixtures/authorization.json' with { type: 'json' };

/** Letters of roles: sys_admin, manager, user, operations, viewer, default. */
export const roleLetters = {
  sys_admin: 'S',
  manager: 'M',
  user: 'U',
  operations: 'O',
  viewer: 'V',
  default: 'D',
} as const;

export type RoleName = keyof typeof roleLetters;

/** The matrix of the interface that is implemented, kept apart from the one the product works with. */
export const expectedHolders: ReadonlyMap<string, string> = new Map(
  Object.entries(matrix).map(([permission, line]) => [permission, line.split(':', 1)[0] ?? '']),
);

/** `METHOD /path/*` -> permission. */
const known: ReadonlyMap<string, string> = new Map(
  Object.entries(matrix).flatMap(([permission, line]) =>
    (line.split(': ')[1] ?? '')
      .split(', ')
      .filter(Boolean)
      .map((endpoint) => [endpoint, permission] as const),
  ),
);

/** Endpoints that need another permission than the matrix says; each stands in docs/compatibility.md. */
const different: Readonly<Record<string, Permission>> = {
  // viewers write nothing
  'POST /nodes': 'deployment_create',
  'POST /node-instances': 'deployment_create',
  'POST /tasks_graphs/*': 'execution_start',
  'PATCH /tasks_graphs/*': 'execution_start',
  'POST /operations': 'execution_start',
  'PUT /operations/*': 'execution_start',
  'PATCH /operations/*': 'execution_start',
  'DELETE /operations/*': 'execution_start',
};

/** What an endpoint asks for that the matrix does not know. */
export type Demand = Permission | 'login' | 'handler' | 'open';

/**
 * Endpoints that the matrix does not name: `login` = every user, `handler` = decided with what the request says,
 * see `conditions` in access.test.ts, `open` = everybody.
 */
const additional: Readonly<Record<string, Demand>> = {
  'GET /ok': 'open',
  'GET /snapshot-status': 'open',
  'GET /file-server-auth': 'open',
  'GET /openapi.html': 'login',
  'GET /openapi.json': 'login',
  'GET /license-check': 'login',
  'GET /file-server-proxy/*': 'open',
  'PUT /file-server-proxy/*': 'open',
  'POST /file-server-proxy/*': 'open',
  'DELETE /file-server-proxy/*': 'open',
  'GET /monitoring-auth': 'open',
  'GET /oidc': 'open',
  'GET /oidc/login': 'open',
  'GET /oidc/callback': 'open',
  'POST /oidc/device': 'open',
  'POST /oidc/device/code': 'open',
  'POST /license': 'license_upload',
  'GET /stream': 'login',
  'GET /audit': 'audit_log_view',
  'GET /audit/stream': 'audit_log_view',
  'DELETE /audit': 'audit_log_truncate',
  'POST /audit': 'audit_log_inject',
  'POST /executions/plan': 'execution_start',
  'PUT /executions/*/breakpoints': 'execution_cancel',
  'GET /executions/*/breakpoints': 'execution_get',
  'POST /executions/*/step': 'execution_cancel',
  'GET /executions/*/operations': 'operations',
  'POST /executions/*/operations/*': 'execution_cancel',
  'GET /tenants/*/quotas': 'handler',
  'PUT /tenants/*/quotas': 'tenant_create',
  'GET /tenants/*': 'handler',
  'POST /users/*': 'handler',
  'GET /permissions': 'handler',
  'GET /permissions/*': 'handler',
  'PUT /permissions/*/*': 'handler',
  'DELETE /permissions/*/*': 'handler',
};

/** `METHOD /path/*` of a route. */
export function endpointName({ method, path }: { method: string; path: string }): string {
  return `${method.toUpperCase()} ${path.replaceAll(/[:*][a-z_]+/g, '*')}`;
}

/** Every endpoint of the interface, and those that are additions to it. */
export const endpoints: readonly string[] = [...known.keys(), ...Object.keys(additional)];

/** What calling an endpoint has to ask for; undefined when nobody has decided it. */
export function expectedDemand(endpoint: string): Demand | undefined {
  return additional[endpoint] ?? different[endpoint] ?? (known.get(endpoint) as Permission | undefined);
}
