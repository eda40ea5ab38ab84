import { maskedToken } from '../../security/tokens.ts';
import type { JsonObject } from '../../domain/plan.ts';
import type { LoginProof } from '../../services/identity-providers.ts';
import type { TokenService, TokenView } from '../../services/tokens.ts';
import { json, nothing, paged, record } from '../answer.ts';
import { isObject } from '../body.ts';
import { envelope } from '../query.ts';
import { noContent, ok } from '../route.ts';
import type { Route } from '../route.ts';

const optionalText = { type: ['string', 'null'] };

const newTokenSchema = {
  type: 'object',
  properties: {
    description: optionalText,
    expiration_date: optionalText,
    // what an identity provider gave the browser, in base64
    'saml-response': optionalText,
    // what a login by /oidc/login or /oidc/device ended with, and the secret whose hash it began with
    login_code: optionalText,
    login_verifier: optionalText,
  },
};

/** What an identity provider says in the body of a login. */
function proofOf(body: unknown): LoginProof | undefined {
  const given = isObject(body) ? body : {};
  const { 'saml-response': response, login_code: code, login_verifier: verifier } = given;
  if (typeof response === 'string') {
    return { kind: 'saml', response };
  }
  return typeof code === 'string' && typeof verifier === 'string' ? { kind: 'code', code, verifier } : undefined;
}

const tokenSchema = record('Token', {
  id: 'text',
  username: 'text',
  value: 'text',
  role: 'text',
  expiration_date: 'timestamp',
  last_used: 'timestamp',
  description: 'text',
});

function shapeToken(token: TokenView, value?: string): JsonObject {
  return {
    id: token.id,
    username: token.username,
    value: value ?? maskedToken(token.id),
    role: token.role,
    expiration_date: token.expirationDate?.toISOString() ?? null,
    last_used: token.lastUsed?.toISOString() ?? null,
    description: token.description ?? null,
  };
}

/** Routes of `/tokens`. */
export function tokenRoutes(tokens: TokenService): Route[] {
  const anywhere = { tenant: 'optional' } as const;
  return [
    {
      method: 'get',
      path: '/tokens',
      summary: 'List tokens',
      access: { ...anywhere, permission: 'token_get' },
      isMaintenance: true,
      answer: paged(tokenSchema),
      handle: async ({ caller, query }) => {
        const all = await tokens.list(caller);
        const size = query.count('_size') ?? 1000;
        const offset = query.count('_offset') ?? 0;
        const shown = query.flag('_get_all_results') ? all : all.slice(offset, offset + size);
        return ok(
          envelope(
            shown.map((token) => shapeToken(token)),
            { total: all.length, size, offset },
          ),
        );
      },
    },
    {
      method: 'post',
      path: '/tokens',
      summary: 'Create a token, also with the response of an identity provider; its value is shown only once',
      access: { ...anywhere, permission: 'create_token' },
      body: newTokenSchema,
      proofOf,
      isBodyOptional: true,
      isMaintenance: true,
      answer: json(tokenSchema),
      handle: async ({ caller, body }) => {
        const { description, expiration_date: expiration } = body as JsonObject;
        const { token, value } = await tokens.create(caller, {
          description: typeof description === 'string' ? description : undefined,
          expiration: typeof expiration === 'string' && expiration !== '' ? expiration : undefined,
        });
        return ok(shapeToken(token, value));
      },
    },
    {
      method: 'get',
      path: '/tokens/:token_id',
      summary: 'Get a token',
      access: { ...anywhere, permission: 'list_token' },
      isMaintenance: true,
      answer: json(tokenSchema),
      handle: async ({ caller, parameters }) => ok(shapeToken(await tokens.get(caller, parameters['token_id'] ?? ''))),
    },
    {
      method: 'delete',
      path: '/tokens/:token_id',
      summary: 'Delete a token',
      access: { ...anywhere, permission: 'delete_token' },
      isMaintenance: true,
      answer: nothing,
      handle: async ({ caller, parameters }) => {
        await tokens.remove(caller, parameters['token_id'] ?? '');
        return noContent;
      },
    },
  ];
}
