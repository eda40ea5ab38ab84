import { Router } from 'express';
import type { Request, RequestHandler, Response } from 'express';
import { GantryError } from '../domain/errors.ts';
import type { AuditService, RefusedRequest } from '../services/audit.ts';
import type { AuthorizationService } from '../services/authorization.ts';
import type { Identity } from '../services/authentication.ts';
import type { Caller, TenantCaller } from '../services/caller.ts';
import { refuseWhileCancelling } from '../services/caller.ts';
import { checkBody, readJson } from './body.ts';
import { credentialsOf } from './credentials.ts';
import { QueryValues } from './query.ts';
import { requestId } from './request-id.ts';
import type { Answer, ApiCall, Method, Route } from './route.ts';

/** Largest JSON body in bytes: plans and node instances of large deployments are sent this way. */
const maxJsonBytes = 256 * 1024 * 1024;

export interface MountDependencies {
  readonly authorization: AuthorizationService;
  readonly audit: Pick<AuditService, 'noteRefusal'>;
}

/** What is not begun any more while maintenance mode is being entered. */
const beginning =
  /^\/(executions(\/:[a-z_]+)?|snapshots\/:[a-z_]+(\/restore)?|deployments\/:[a-z_]+|deployment-modifications.*)$/;

/** Characters of a path that are kept. */
const longestPath = 512;

class Call implements ApiCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: QueryValues;
  readonly request: Request;
  readonly response: Response;
  body: unknown;
  knownCaller: Caller | undefined;
  /** Who calls, known also when the call is not permitted. */
  identity: Identity | undefined;
  admission: (() => Promise<Caller>) | undefined;
  #abort: AbortController | undefined;

  constructor(request: Request, response: Response) {
    this.request = request;
    this.response = response;
    this.parameters = request.params as Record<string, string>;
    if (Object.values(this.parameters).some((value) => value.includes('\0'))) {
      throw new GantryError('bad_parameters_error', 'The path contains the character NUL, which no name may contain');
    }
    const mark = request.originalUrl.indexOf('?');
    this.query = new QueryValues(mark < 0 ? '' : request.originalUrl.slice(mark + 1));
  }

  get caller(): Caller {
    if (!this.knownCaller) {
      throw new Error('An open route has no caller');
    }
    return this.knownCaller;
  }

  get tenantCaller(): TenantCaller {
    const { caller } = this;
    if (!caller.tenant) {
      throw new GantryError('forbidden_error', 'Authorization failed: tenant not provided');
    }
    return { ...caller, tenant: caller.tenant };
  }

  readmit(): Promise<Caller> {
    return this.admission ? this.admission() : Promise.resolve(this.caller);
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.response.on('close', () => abort.abort());
      this.#abort = abort;
    }
    return this.#abort.signal;
  }
}

function send(response: Response, answer: Answer): void {
  if (answer === 'sent') {
    return;
  }
  response.status(answer.status);
  if (answer.status === 204 || answer.status === 304) {
    response.end();
  } else {
    response.json(answer.body ?? null);
  }
}

function describeCaller(response: Response, caller: Caller): void {
  response.set('X-Cloudify-Audit-Auth-Method', caller.method);
  response.set('X-Cloudify-Audit-Username', encodeURIComponent(caller.user.username));
  if (caller.tenant) {
    response.set('X-Cloudify-Audit-Tenant', encodeURIComponent(caller.tenant.name));
  }
}

/** What is about users, tokens and settings: read by executions in part, written by none. */
const readableAdministration = /^\/(tenants|config|license|ldap|maintenance|provider)(\/|$)/;
const closedAdministration = /^\/(users|user-groups|tokens|permissions|audit)(\/|$)/;

function isAdministration({ path, method }: Route): boolean {
  return closedAdministration.test(path) || (method !== 'get' && readableAdministration.test(path));
}

/** Admits, reads and answers one request. */
async function answer(route: Route, call: Call, authorization: AuthorizationService): Promise<void> {
  const { request, response } = call;
  const { access } = route;
  if (access !== 'open') {
    call.admission = async () =>
      authorization.admit(
        {
          credentials: credentialsOf(request),
          tenantName: request.get('tenant'),
          access: {
            ...access,
            isAllTenants: access.hasAllTenants === true && call.query.flag('_all_tenants'),
            isClosedToExecutions: isAdministration(route),
          },
          maintenance: {
            isAllowed: route.isMaintenance === true,
            isBeginning: route.method !== 'get' && route.method !== 'delete' && beginning.test(route.path),
            isBypassed: request.get('x-bypass-maintenance') !== undefined,
            isChange: route.method !== 'get' && !route.path.startsWith('/searches/'),
          },
        },
        (identity) => {
          call.identity = identity;
        },
      );
    const caller = await call.admission();
    call.knownCaller = caller;
    describeCaller(response, caller);
    if (route.isRefusedWhileCancelling) {
      refuseWhileCancelling(caller);
    }
  }
  if (route.body) {
    call.body = await readJson(request, maxJsonBytes);
    if (call.body === undefined && route.isBodyOptional) {
      call.body = {};
    }
    checkBody(route.body, call.body === undefined ? null : call.body);
  }
  send(response, await route.handle(call));
}

/** What a refused request for a change leaves in the audit log. */
function refusedRequest({ request, response, identity, knownCaller }: Call, error: unknown): RefusedRequest {
  const refusal = error instanceof GantryError ? error : undefined;
  return {
    requestId: requestId(response),
    method: request.method,
    path: `${request.baseUrl}${request.path}`.slice(0, longestPath),
    status: refusal?.status ?? 500,
    errorCode: refusal?.code ?? 'internal_server_error',
    address: request.ip ?? '',
    username: identity?.user.username,
    tenantId: knownCaller?.tenant?.id,
  };
}

function handlerOf(route: Route, { authorization, audit }: MountDependencies): RequestHandler {
  return async (request, response) => {
    const call = new Call(request, response);
    try {
      await answer(route, call, authorization);
    } catch (error) {
      // workers of executions are refused as a matter of course, e.g. when they lost a race, and try again
      const isRefusal = !(error instanceof GantryError && error.status < 400);
      if (isRefusal && route.method !== 'get' && call.identity?.method !== 'execution_token') {
        audit.noteRefusal(refusedRequest(call, error));
      }
      throw error;
    }
  };
}

/** Static segments come before parameters, so that they are never taken for an id. */
function specificity(path: string): string {
  return path
    .split('/')
    .map((part) => (part.startsWith('*') ? '3' : part.startsWith(':') ? '2' : '1'))
    .join('');
}

/** Makes the router of all routes; a known path with another method is answered with 405. */
export function mountRoutes(routes: readonly Route[], dependencies: MountDependencies): Router {
  const router = Router({ strict: true, caseSensitive: true });
  const byPath = new Map<string, Route[]>();
  for (const route of routes) {
    byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);
  }
  const paths = [...byPath].sort(([left], [right]) => (specificity(left) < specificity(right) ? -1 : 1));
  for (const [path, members] of paths) {
    const place = router.route(path);
    const methods = new Set<Method>();
    for (const route of members) {
      place[route.method](handlerOf(route, dependencies));
      methods.add(route.method);
    }
    const allowed = [...methods].map((method) => method.toUpperCase()).join(', ');
    place.options((_request, response) => {
      response.set('Allow', `${allowed}, OPTIONS`).status(200).json(null);
    });
    place.all((request, response) => {
      response.set('Allow', `${allowed}, OPTIONS`);
      throw new GantryError('method_not_allowed_error', `The method ${request.method} is not allowed for this URL`);
    });
  }
  return router;
}
