import type { Response } from 'express';
import { GantryError } from '../../domain/errors.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { OpenIdLogin } from '../../services/openid.ts';
import { json, optional, record, redirect, textSchema } from '../answer.ts';
import { textMember } from '../body.ts';
import { noContent, ok } from '../route.ts';
import type { Answer, ApiCall, Route } from '../route.ts';

/** Where a browser keeps its login while it is at the provider. */
const cookieName = 'gantry-login';
/** Seconds. */
const cookieLifetime = 600;
/** Milliseconds for which a question about another device is not answered: shorter than any proxy waits. */
const longestWait = 25_000;

const deviceSchema = record('DeviceLogin', {
  device: textSchema,
  user_code: textSchema,
  verification_uri: textSchema,
  verification_uri_complete: { type: ['string', 'null'] },
  expires_in: { type: 'integer' },
});

function bodyOf(name: string): JsonObject {
  return { type: 'object', required: [name], properties: { [name]: { type: 'string', maxLength: 5000 } } };
}

function cookieOf(header: string | undefined): string | undefined {
  const found = (header ?? '').split(';').find((pair) => pair.trim().startsWith(`${cookieName}=`));
  return found?.trim().slice(cookieName.length + 1);
}

function setCookie(response: Response, { callbackPath, isSecure }: OpenIdLogin, value: string, seconds: number): void {
  // lax: the provider leads the browser back from another site
  const attributes = [`Path=${callbackPath}`, `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Lax'];
  response.setHeader(
    'Set-Cookie',
    [`${cookieName}=${value}`, ...attributes, ...(isSecure ? ['Secure'] : [])].join('; '),
  );
}

function lead(response: Response, url: URL): Answer {
  response.status(302).setHeader('Location', url.href);
  response.end();
  return 'sent';
}

/** Routes of logins by OpenID Connect, for those who are not known yet. */
export function openIdRoutes({ openId }: { readonly openId: OpenIdLogin | undefined }): Route[] {
  const setUp = (): OpenIdLogin => {
    if (!openId) {
      throw new GantryError('not_found_error', 'Logins by OpenID Connect are not set up; see GANTRY_OIDC_ISSUER');
    }
    return openId;
  };

  const end = async (call: ApiCall): Promise<Answer> => {
    const { request, response } = call;
    const login = setUp();
    const mark = request.originalUrl.indexOf('?');
    const query = mark < 0 ? '' : request.originalUrl.slice(mark + 1);
    setCookie(response, login, '', 0);
    try {
      const { url, refusal } = await login.end(query, cookieOf(request.get('cookie')), request.ip ?? '');
      if (refusal) {
        call.noteRefusal(refusal);
      }
      return lead(response, url);
    } catch (error) {
      if (error instanceof GantryError) {
        call.noteRefusal(error);
      }
      throw error;
    }
  };

  return [
    {
      method: 'get',
      path: '/oidc',
      summary: 'Whether users log in by OpenID Connect, and where browsers begin',
      access: 'open',
      isMaintenance: true,
      answer: json(record('OpenIdState', { enabled: { type: 'boolean' }, login_url: { type: ['string', 'null'] } })),
      handle: () => ok({ enabled: openId !== undefined, login_url: openId?.loginUrl ?? null }),
    },
    {
      method: 'get',
      path: '/oidc/login',
      summary: 'Lead a browser to the OpenID Connect provider to log in',
      access: 'open',
      isMaintenance: true,
      query: ['challenge', 'return_to'],
      answer: redirect,
      handle: async ({ query, response }) => {
        const login = setUp();
        const { url, pending } = await login.begin(query.one('challenge') ?? '', query.one('return_to') ?? '');
        setCookie(response, login, pending, cookieLifetime);
        return lead(response, url);
      },
    },
    {
      method: 'get',
      path: '/oidc/callback',
      summary: 'Take a browser back from the OpenID Connect provider, and lead it to who began the login',
      access: 'open',
      isMaintenance: true,
      answer: redirect,
      handle: end,
    },
    {
      method: 'post',
      path: '/oidc/device',
      summary: 'Begin a login on another device',
      access: 'open',
      isMaintenance: true,
      body: bodyOf('challenge'),
      answer: json(deviceSchema),
      handle: async ({ body, request }) => {
        const begun = await setUp().beginDevice(textMember(body as JsonObject, 'challenge'), request.ip ?? '');
        return ok({
          device: begun.device,
          user_code: begun.userCode,
          verification_uri: begun.verificationUrl,
          verification_uri_complete: begun.completeVerificationUrl ?? null,
          expires_in: begun.expiresIn,
        });
      },
    },
    {
      method: 'post',
      path: '/oidc/device/code',
      summary: 'Wait for a login on another device; its code makes a token, and 204 means to ask again',
      access: 'open',
      isMaintenance: true,
      body: bodyOf('device'),
      answer: optional(json(record('LoginCode', { code: textSchema }))),
      handle: async ({ body, request, signal }) => {
        const waiting = AbortSignal.any([signal, AbortSignal.timeout(longestWait)]);
        const code = await setUp().awaitDevice(textMember(body as JsonObject, 'device'), request.ip ?? '', waiting);
        return code === undefined ? noContent : ok({ code });
      },
    },
  ];
}
