import type { Request, Response } from 'express';
import type { GantryError } from '../domain/errors.ts';
import type { Permission } from '../domain/permissions.ts';
import type { Caller, TenantCaller } from '../services/caller.ts';
import type { LoginProof } from '../services/identity-providers.ts';
import type { AnswerDescription } from './answer.ts';
import type { JsonSchema } from './body.ts';
import type { QueryValues } from './query.ts';

export type Method = 'get' | 'put' | 'post' | 'patch' | 'delete';

/** One request to the API, authenticated, authorised and read. */
export interface ApiCall {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: QueryValues;
  /** The JSON body, checked against the route's schema; undefined when there is none. */
  readonly body: unknown;
  /** Who calls. @throws Error on an open route */
  readonly caller: Caller;
  /** Who calls, for routes that need a tenant. */
  readonly tenantCaller: TenantCaller;
  readonly request: Request;
  readonly response: Response;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /**
   * Finds out once more who calls and whether that is permitted, for answers that go on for long.
   * @throws GantryError unauthorized_error, forbidden_error
   */
  readmit(): Promise<Caller>;
  /** Notes a refusal in the audit log that the answer is no error for, or that happens to a route that changes nothing. */
  noteRefusal(refusal: GantryError): void;
}

/** What a handler answers; `sent` when it wrote the response itself. */
export type Answer = { readonly status: number; readonly body?: unknown } | 'sent';

export interface Access {
  /** Undefined = every user who is logged in. */
  readonly permission?: Permission;
  /** Whether a call without tenant is refused; with `ignored` only the system role counts. Default `required`. */
  readonly tenant?: 'required' | 'optional' | 'ignored';
  /** Whether `_all_tenants=true` lets the caller's roles in all tenants count. */
  readonly hasAllTenants?: boolean;
  /** Whether a running execution may call it in its tenant without header and permission. */
  readonly isOpenToExecutions?: boolean;
}

export interface Route {
  readonly method: Method;
  /** Express path below the version prefix, e.g. `/blueprints/:blueprint_id`. */
  readonly path: string;
  /** One line for the documentation. */
  readonly summary: string;
  readonly access: Access | 'open';
  /** Schema of the JSON body; without one the body is left unread for the handler. */
  readonly body?: JsonSchema;
  /** Finds in the body what an identity provider says of a caller who has no other credentials. */
  readonly proofOf?: (body: unknown) => LoginProof | undefined;
  /** Whether the body may be missing; it is `{}` then. */
  readonly isBodyOptional?: boolean;
  /** Refused when the caller is an execution that is being cancelled. */
  readonly isRefusedWhileCancelling?: boolean;
  /** Still answered in maintenance mode. */
  readonly isMaintenance?: boolean;
  /**
   * Answers a request that was carried out before, by an attempt whose answer was lost. Without it such a request is
   * refused with request_done_before.
   */
  readonly replay?: (call: ApiCall) => Promise<Answer> | Answer;
  /** Query parameters for the documentation. */
  readonly query?: readonly string[];
  /** What it answers, for the documentation. */
  readonly answer: AnswerDescription;
  readonly handle: (call: ApiCall) => Promise<Answer> | Answer;
}

/** 200 with a JSON body; `null` when there is nothing to say. */
export function ok(body: unknown = null): Answer {
  return { status: 200, body };
}

/** 201 with a JSON body. */
export function created(body: unknown = null): Answer {
  return { status: 201, body };
}

/** 204 without a body. */
export const noContent: Answer = { status: 204 };
