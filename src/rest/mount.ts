import { Router } from 'express';
import type { Request, RequestHandler, Response } from 'express';
import { GantryError } from '../domain/errors.ts';
import { JsonText } from '../domain/json-text.ts';
import type { AuditService, RefusedRequest } from '../services/audit.ts';
import type { AuthorizationService } from '../services/authorization.ts';
import type { Credentials, Identity } from '../services/authentication.ts';
import type { Caller, TenantCaller } from '../services/caller.ts';
import { refuseWhileCancelling } from '../services/caller.ts';
import type { Services } from '../services/services.ts';
import { requestDoneBefore } from '../store/done-requests.ts';
import { checkBody, readJson } from './body.ts';
import { credentialsOf } from './credentials.ts';
import { QueryValues } from './query.ts';
import { requestId } from './request-id.ts';
import { onceOf } from './once.ts';
import type { Answer, ApiCall, Method, Route } from './route.ts';

/** Largest JSON body in bytes: plans and node instances of large deployments are sent this way. */
const maxJsonBytes = 256 * 1024 * 1024;

/** Largest JSON body in bytes that is read before it is known who sends it. */
const maxProofBytes = 1024 * 1024;

export interface MountDependencies {
  readonly authorization: AuthorizationService;
  readonly audit: Pick<AuditService, 'noteRefusal'>;
  readonly doneRequests: Pick<Services['doneRequests'], 'isDone' | 'noteKey'>;
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
  isBodyRead = false;
  knownCaller: Caller | undefined;
  /** Who calls, known also when the call is not permitted. */
  identity: Identity | undefined;
  admission: (() => Promise<Caller>) | undefined;
  readonly #audit: MountDependencies['audit'];
  #abort: AbortController | undefined;

  constructor(request: Request, response: Response, audit: MountDependencies['audit']) {
    this.request = request;
    this.response = response;
    this.#audit = audit;
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

  noteRefusal(error: unknown): void {
    this.#audit.noteRefusal(refusedRequest(this, error));
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
    // what Express would find out about every answer is the same for all of them
    const { body = null } = answer;
    const text = body instanceof JsonText ? body.text : JSON.stringify(body);
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Content-Length', Buffer.byteLength(text));
    // as text it leaves together with the head
    response.end(text);
  }
}

function describeCaller(response: Response, caller: Caller): void {
  response.setHeader('X-Cloudify-Audit-Auth-Method', caller.method);
  response.setHeader('X-Cloudify-Audit-Username', encodeURIComponent(caller.user.username));
  if (caller.tenant) {
    response.setHeader('X-Cloudify-Audit-Tenant', encodeURIComponent(caller.tenant.name));
  }
}

/** What is about users, tokens and settings: read by executions in part, written by none. */
const readableAdministration = /^\/(tenants|config|license|ldap|maintenance|provider)(\/|$)/;
const closedAdministration = /^\/(users|user-groups|tokens|permissions|audit)(\/|$)/;

function isAdministration({ path, method }: Route): boolean {
  return closedAdministration.test(path) || (method !== 'get' && readableAdministration.test(path));
}

/**
 * The credentials of a request. Who has none may bring what an identity provider says, in the body of a route that takes
 * it; a body that cannot be read says nothing.
 */
async function readCredentials(route: Route, call: Call): Promise<Credentials> {
  const credentials = credentialsOf(call.request);
  const { executionToken, token, basic } = credentials;
  const isAnonymous = executionToken === undefined && token === undefined && basic === undefined;
  if (!route.proofOf || !isAnonymous) {
    return credentials;
  }
  call.isBodyRead = true;
  call.body = await readJson(call.request, maxProofBytes).catch(() => undefined);
  return { ...credentials, proof: route.proofOf(call.body) };
}

/** Admits, reads and answers one request. */
async function answer(route: Route, call: Call, { authorization, doneRequests }: MountDependencies): Promise<void> {
  const { request, response } = call;
  const { access } = route;
  if (access !== 'open') {
    const credentials = await readCredentials(route, call);
    call.admission = async () =>
      authorization.admit(
        {
          credentials,
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
    const admitted = await call.admission();
    const once = route.method === 'get' ? undefined : onceOf(request, admitted);
    if (once) {
      doneRequests.noteKey();
    }
    const caller = once ? { ...admitted, once } : admitted;
    call.knownCaller = caller;
    describeCaller(response, caller);
    if (route.isRefusedWhileCancelling) {
      refuseWhileCancelling(caller);
    }
  }
  if (route.body) {
    if (!call.isBodyRead) {
      call.body = await readJson(request, access === 'open' ? maxProofBytes : maxJsonBytes);
    }
    if (call.body === undefined && route.isBodyOptional) {
      call.body = {};
    }
    checkBody(route.body, call.body === undefined ? null : call.body);
  }
  send(response, await handleOnce(route, call, doneRequests));
}

/** Whatever becomes of a request that was carried out before, e.g. that what it deleted is not there: it is answered again. */
async function handleOnce(route: Route, call: Call, doneRequests: MountDependencies['doneRequests']): Promise<Answer> {
  try {
    return await route.handle(call);
  } catch (error) {
    const once = call.knownCaller?.once;
    if (!once || call.response.headersSent || !(await doneRequests.isDone(once))) {
      throw error;
    }
    if (!route.replay) {
      // e.g. that it exists already, which is what the request itself has done
      throw requestDoneBefore();
    }
    return route.replay(call);
  }
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

function handlerOf(route: Route, dependencies: MountDependencies): RequestHandler {
  return async (request, response) => {
    const call = new Call(request, response, dependencies.audit);
    try {
      await answer(route, call, dependencies);
    } catch (error) {
      // workers of executions are refused as a matter of course, e.g. when they lost a race, and try again
      const isRefusal = !(error instanceof GantryError && error.status < 400);
      if (isRefusal && route.method !== 'get' && call.identity?.method !== 'execution_token') {
        call.noteRefusal(error);
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

/** `sites` of `/sites/:name`; no route begins with a parameter. */
function firstSegment(path: string): string {
  const end = path.indexOf('/', 1);
  return path.slice(1, end < 0 ? undefined : end);
}

/** Makes the router of all routes; a known path with another method is answered with 405. */
export function mountRoutes(routes: readonly Route[], dependencies: MountDependencies): RequestHandler {
  const routers = new Map<string, Router>();
  const byPath = new Map<string, Route[]>();
  for (const route of routes) {
    byPath.set(route.path, [...(byPath.get(route.path) ?? []), route]);
  }
  const paths = [...byPath].sort(([left], [right]) => (specificity(left) < specificity(right) ? -1 : 1));
  for (const [path, members] of paths) {
    const first = firstSegment(path);
    const router = routers.get(first) ?? Router({ strict: true, caseSensitive: true });
    routers.set(first, router);
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
  // a router tries its routes one after the other, so it is given few
  return (request, response, next) => {
    const router = routers.get(firstSegment(request.path));
    if (router) {
      router(request, response, next);
    } else {
      next();
    }
  };
}
